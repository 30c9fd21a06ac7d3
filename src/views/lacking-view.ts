import { hintLines } from './hint-lines.ts';
import type { Theme } from './theme.ts';

/** What a user lacks in a cluster of which something could not be read. */
export interface LackingRights {
  context: string;
  /** The rights, as a clause. */
  says: string;
  /** What grants them. */
  hint: string;
}

/** What grants the rights for want of which something was not seen. */
export function lackingLines(lacking: readonly LackingRights[], theme: Theme): string[] {
  return lacking.flatMap(({ context, says, hint }) => [
    `${theme.warn('‼')} ${context}: ${says}`,
    ...hintLines(hint, theme),
  ]);
}

/** The same as data; nothing where nothing is lacking. */
export function lackingData(lacking: readonly LackingRights[]): { lacking?: readonly LackingRights[] } {
  return lacking.length > 0 ? { lacking } : {};
}
