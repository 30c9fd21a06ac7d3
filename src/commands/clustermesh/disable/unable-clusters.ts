import type { LeavingCluster } from '../../../flows/enable/leave-mesh.ts';
import { notBegun } from '../../../flows/enable/leaving-turns.ts';
import type { Target } from '../../../flows/flow.ts';
import type { Unanswered } from '../../../flows/where-it-succeeds.ts';
import { refusedWrites } from '../../../flows/write/refused-writes.ts';
import { enumerated } from '../../../mesh/counted.ts';
import type { StandingPeer } from '../../../mesh/enable/pointing-here.ts';
import type { Step } from '../../../mesh/plan/plan.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext } from '../../command.ts';
import { dryRunOf } from '../../plan-result.ts';
import { choicesForPeers, type DisableFlags, isUnasked } from './agree-on-peers.ts';

/**
 * With `--all`, the clusters in which the API server does not let this user remove what there is: the others can leave without them.
 * None where none could; then the run says what it is refused for. A dry run shows what each API server would say.
 * @returns also the steps that are tried by that, which need not be tried again
 */
export async function unableAmong(
  context: CommandContext,
  flags: DisableFlags,
  drafts: readonly Omit<LeavingCluster, 'peers'>[],
): Promise<{ unable: readonly Unanswered[]; tried: ReadonlySet<Step> }> {
  if (!flags.all || dryRunOf(flags)) return { unable: [], tried: new Set() };
  const targets = drafts.map(({ target }) => target);
  const steps = drafts.flatMap(({ draft }) => draft.steps);
  const refused = await refusedWrites(context, targets, steps);
  return refused.length < drafts.length ? { unable: refused, tried: new Set(steps) } : { unable: [], tried: new Set() };
}

/**
 * One that stays goes on dialling those that leave, and sends requests to pods there which nobody answers. It was to leave, so that nobody
 * has said what becomes of it: whoever is asked is told of it, and otherwise nothing is done unless it is to be left as it is.
 * @throws MeshctlError why nothing may be removed there, with what leaves it alone
 */
export function requireLeftAlone(
  context: CommandContext,
  flags: DisableFlags,
  leavers: readonly { target: Target; draft: { name: string }; standing: readonly StandingPeer[] }[],
  unable: readonly Unanswered[],
): void {
  if (flags.disconnect === false || !isUnasked(context, flags)) return;
  const stays = ({ dials, context: where }: StandingPeer) => dials && unable.some((one) => one.context === where);
  const dialled = leavers.filter(({ standing }) => standing.some(stays));
  if (dialled.length === 0) return;
  const dialling = [...new Set(leavers.flatMap(({ standing }) => standing.filter(stays).map(({ name }) => name)))];
  const names = printable({ dialling, dialled: dialled.map(({ draft }) => draft.name) });
  const [stay, dial, them] = dialling.length === 1 ? ['stays', 'dials', 'it'] : ['stay', 'dial', 'them'];
  context.progress.warn(
    `Nothing was removed. ${enumerated(names.dialling)} ${stay}, and still ${dial} ${enumerated(names.dialled)}. ` +
      `To leave ${them} so → ${choicesForPeers(context).leave}`,
  );
  const able = leavers.map(({ target }) => target.client.context);
  throw notBegun(context, unable, able);
}
