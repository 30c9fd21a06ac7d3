import {
  type ChoicesForPeers,
  type LeavingName,
  requireChoiceFor,
  requireContextsFor,
} from '../../../mesh/enable/pointing-here.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { dryRunOf } from '../../plan-result.ts';
import type { DISABLE } from './disable-spec.ts';

/** `disconnect` is undefined where nobody said what becomes of the peers. */
export type DisableFlags = Omit<FlagsOf<typeof DISABLE>, 'disconnect'> & { disconnect: boolean | undefined };

/** Whether nobody is asked: a dry run stands for the run that has its flags at the same terminal, or without one. */
export function isUnasked({ canAsk }: CommandContext, flags: DisableFlags): boolean {
  return flags.yes || !canAsk;
}

/**
 * What nobody can be asked about has to be said: what becomes of those that dial; and all that are to be disconnected have to be within
 * reach. Whoever is asked ({@link isUnasked}) is told of those that are not, and can still say no.
 * @param isAnyKnown whether any peer is within reach
 * @throws MeshctlError `Usage`
 */
export function requireAgreed(
  context: CommandContext,
  flags: Pick<DisableFlags, 'disconnect'>,
  leaving: readonly LeavingName[],
  isAnyKnown: boolean,
): void {
  if (flags.disconnect === false) return;
  const choices = choicesForPeers(context);
  if (flags.disconnect === undefined) requireChoiceFor(leaving, choices);
  else requireContextsFor(leaving, { ...choices, ...(isAnyKnown ? { leave: undefined } : {}) });
}

/** This run with each choice that there is for its peers. */
export function choicesForPeers(context: CommandContext): ChoicesForPeers {
  return { disconnect: chosen(context, '--disconnect'), leave: chosen(context, '--disconnect=false') };
}

/** This run with a word about the peers. */
function chosen({ againWithout }: CommandContext, word: string): string {
  return againWithout(['--yes', '--disconnect'], word, '--yes');
}

/** Only where somebody can be asked, and where something will be done. @param peers names of those that have anything of it */
export async function offerDisconnect(
  context: CommandContext,
  flags: DisableFlags,
  name: string,
  peers: readonly string[],
): Promise<boolean> {
  if (flags.yes || dryRunOf(flags) || !context.canAsk || peers.length === 0) return false;
  const names = printable(peers).join(', ');
  return context.confirm(
    `Disconnect ${names} first?`,
    `${names} still ${peers.length === 1 ? 'dials' : 'dial'} ${printable(name)}, or ${peers.length === 1 ? 'lets' : 'let'} it in.`,
  );
}
