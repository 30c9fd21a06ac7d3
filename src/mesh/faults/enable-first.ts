import type { EnableObstacles } from '../certificates/authority.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { COMMAND_LINES, contextsIn, contextsNamedBy, meshctlCommand } from '../command-line.ts';
import type { Fault } from './fault.ts';
import { enableObstacles } from './serve-faults.ts';
import { isHalfEnabled, isRefusedByConnect } from './unready.ts';

/**
 * The clusters that `connect` refuses as they are, by context, with what keeps `enable` from its work there: it is not enabled,
 * or not wholly. One whose Service has but no address yet is another matter (`onceAddressed`).
 */
export type NotReady = ReadonlyMap<string, EnableObstacles>;

export function notReadyAmong(snapshots: readonly ClusterSnapshot[], now: Date): NotReady {
  const unready = snapshots.filter((snapshot) => isHalfEnabled(snapshot));
  return new Map(unready.map((snapshot) => [snapshot.context, enableObstacles(snapshot, now)]));
}

/** The same of clusters of which only the faults are at hand. */
export function notReadyIn(
  clusters: readonly (EnableObstacles & {
    context: string;
    enabled: boolean;
    faults: readonly Fault[];
  })[],
): NotReady {
  const unready = clusters.filter(({ enabled, faults }) => !enabled || faults.some(isRefusedByConnect));
  return new Map(unready.map((cluster) => [cluster.context, cluster]));
}

/** What is refused in a cluster that is not enabled. */
const NEEDS_ENABLED = ['clustermesh connect', 'clustermesh invite'].map((path) => meshctlCommand(path));
const ENABLE = meshctlCommand('clustermesh enable');
/** What one way of several ends with. */
const NEXT_WAY = /; /;

/**
 * A next step in which each `connect` and `invite` comes after the `enable` of the clusters that it names and that would refuse it as they are,
 * in one line; where `enable` alone is refused, too, the hint says that it comes first, and another one how.
 */
export function enabledFirst(hint: string, notReady: NotReady): string {
  if (notReady.size === 0) return hint;
  const obstructed = new Set<string>();
  const whole = hint.replaceAll(COMMAND_LINES, (line, offset: number) => {
    if (!NEEDS_ENABLED.some((path) => line.startsWith(path))) return line;
    const before = hint.slice(0, offset).split(NEXT_WAY).at(-1)?.match(COMMAND_LINES) ?? [];
    const enabled = before.filter((one) => one.startsWith(ENABLE)).flatMap((one) => contextsNamedBy('context', one));
    const lacking = [...new Set(contextsIn(line))].filter(
      (context) => notReady.has(context) && !enabled.includes(context),
    );
    const isObstructed = (context: string) => {
      const { unsigned, caExpired, kvstore } = notReady.get(context) ?? {};
      return unsigned === true || caExpired === true || kvstore !== undefined;
    };
    for (const context of lacking.filter(isObstructed)) obstructed.add(context);
    const first = lacking.filter((context) => !isObstructed(context));
    if (first.length === 0) return line;
    const waits = first.flatMap((context) => notReady.get(context)?.unfinished?.wait ?? []);
    return [...waits, meshctlCommand('clustermesh enable', { context: first }), line].join(' && ');
  });
  if (obstructed.size === 0) return whole;
  const contexts = [...obstructed].map((context) => `"${context}"`).join(', ');
  const lead = `once ${obstructed.size === 1 ? 'context' : 'contexts'} ${contexts} can be enabled: `;
  return hint.startsWith(lead) ? whole : `${lead}${whole}`;
}
