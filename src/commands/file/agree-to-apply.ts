import { concernsOf } from '../../flows/file/concerns.ts';
import type { PreparedMesh } from '../../flows/file/prepare-mesh.ts';
import { type PreparedPrune, pruneSteps } from '../../flows/file/prune.ts';
import { afterParting } from '../../mesh/file/differences.ts';
import { agreementClauses } from '../../mesh/plan/agreement.ts';
import { isChange } from '../../mesh/plan/plan.ts';
import type { PlanReport } from '../../views/plan/plan-view.ts';
import { printable } from '../../views/printable.ts';
import type { CommandContext } from '../command.ts';
import { type Agreement, confirmCuts, confirmPlan } from '../plan-result.ts';

/** Before a peer is cut, or may be, before a cluster is opened to others, and before anything is taken away. */
export async function agreeToApply(
  context: CommandContext,
  report: PlanReport,
  agreement: Agreement,
  prune: PreparedPrune,
  prepared: PreparedMesh,
): Promise<void> {
  const { hazards = [] } = report;
  const { doubtful } = concernsOf(prepared);
  const isPruned = pruneSteps(prepared, prune).some(isChange);
  if (isPruned) {
    const { parting, leaving } = prune;
    const { apart, oneWay } = afterParting(parting?.parted ?? [], prepared.spec.dials);
    const parted = apart.map(({ clusters }) => printable(clusters).join(' and '));
    const halved = printable(oneWay).map(({ from, to }) => `${to}'s way to ${from}`);
    const gone = printable(leaving.map(({ draft }) => draft.name));
    const taken = [...new Set(prepared.extraServices.map(({ object }) => `${object.namespace}/${object.name}`))];
    const clauses = [
      ...(parted.length > 0 ? [`disconnects ${parted.join(', ')}`] : []),
      ...(halved.length > 0 ? [`ends ${halved.join(', ')}`] : []),
      ...(taken.length > 0 ? [`takes ${taken.join(', ')} out of the mesh`] : []),
      ...(gone.length > 0 ? [`disables Cluster Mesh in ${gone.join(', ')}`] : []),
    ];
    // What is only written down of others, and says nothing any more, is nothing to ask about.
    if (clauses.length === 0) return confirmCuts(context, report, { ...agreement, doubtful });
    const besides = printable(agreementClauses({ hazards, doubtful }));
    const although = besides.length > 0 ? `, although ${besides.join(', and ')}` : '';
    const question = `Apply this, which ${clauses.join(' and ')}${although}?`;
    return confirmPlan(context, report, { ...agreement, question });
  }
  return confirmCuts(context, report, { ...agreement, doubtful });
}
