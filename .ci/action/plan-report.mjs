import { objectName, pairWords, rowOf, warningsIn } from './findings.mjs';
import { shortfallsIn } from './shortfalls.mjs';

/**
 * A plan: why it is refused, what it takes from whom, and what it writes.
 * @returns {import('./report.mjs').Report}
 */
export function ofPlan(plan) {
  const { summary, clusters, unconnected = [], refused, failures = [], warnings = [] } = plan;
  const errors = [
    // Of enable a failure says it too.
    ...(refused && failures.length === 0
      ? [{ level: 'error', where: refused.code, says: refused.message, hint: refused.hint }]
      : []),
    ...clusters.flatMap(({ context, steps }) => steps.flatMap((step) => verdictIn(context, step))),
    ...shortfallsIn({ ...plan, kind: 'Plan', clusters: [] }),
  ];
  const concerns = [
    ...clusters.flatMap(({ context, peers = [], hazards = [] }) => [
      ...peers.filter(({ becomes }) => ['cut', 'lost', 'unknown'].includes(becomes)).map((one) => peerIn(context, one)),
      ...hazards.map((says) => ({ level: 'warning', where: context, says })),
    ]),
    ...warningsIn(warnings),
  ];
  const counts = Object.entries(summary).flatMap(([action, count]) => (count > 0 ? [`${count} to ${action}`] : []));
  return {
    headline: `Plan: ${counts.join(', ')}${errors.length > 0 ? '; a run is refused, or fails' : ''}`,
    head: ['', 'where', ''],
    rows: [
      ...[...errors, ...concerns].map(rowOf),
      ...clusters.flatMap(({ context, steps }) =>
        steps
          .filter(({ action }) => action !== 'keep')
          .map(({ action, object, why }) => ['', context, `${action} ${objectName(object)}: ${why}`]),
      ),
      ...unconnected.map((pair) => ['', 'then', `connect ${pairWords(pair)}`]),
    ],
    findings: [...errors, ...concerns],
  };
}

/** What the API server says against a step (`--dry-run=server`). */
function verdictIn(context, { object, server }) {
  if (server?.accepted !== false) return [];
  const { message, hint } = server;
  return [{ level: 'error', where: `${context}, ${objectName(object)}`, says: message, hint }];
}

function peerIn(context, { peer, becomes, why, mend }) {
  return { level: 'warning', where: context, says: `peer ${peer}: ${becomes}${why ? `, ${why}` : ''}`, hint: mend };
}
