import { meshctlCommand } from '../../mesh/command-line.ts';
import { hintLines } from '../hint-lines.ts';
import type { Theme } from '../theme.ts';

interface Revoked {
  context: string;
  id: string;
  /** The cluster that is no longer let in. */
  shutOut?: string | undefined;
  /** The cluster that stays connected, or let in, and why, as a clause. */
  connected?: string | undefined;
  because?: string | undefined;
  /** Whether it was seen to have taken effect, as far as that was to be looked at. */
  verified: boolean;
}

/** The result of `clustermesh invitations revoke`. */
export function revokeText({ context, id, shutOut, connected, because, verified }: Revoked, theme: Theme): string {
  const says = `Invitation ${id} is revoked`;
  return [
    verified ? `✅ ${says}` : `⚠️  ${says}, but its effect could not be verified`,
    ...(shutOut === undefined ? [] : [`  • ${theme.bold(shutOut)} is no longer let in`]),
    ...(connected === undefined
      ? []
      : [
          `  • ${theme.bold(connected)} is still let in${because === undefined ? '' : `: ${because}`}`,
          ...hintLines(
            `To disconnect it: ${meshctlCommand('clustermesh disconnect', { context }, ['--peer', connected])}`,
            theme,
            2,
          ),
        ]),
  ].join('\n');
}
