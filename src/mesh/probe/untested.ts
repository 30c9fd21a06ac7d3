import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { uncapital } from '../counted.ts';
import { unknownNeeds } from '../network/needs.ts';
import { groupBy } from '../pairs.ts';
import { isUntriedByPods, type PathCell, type ProbedPath, unprovedCells, variantWords } from './paths.ts';
import { isSameFamily, type ProbeKind } from './tests.ts';
import { isNeeded, type TestResult } from './verdict.ts';

/** What no test was made of; from where to where, if it is of two clusters. */
export interface Untested {
  why: string;
  from?: string;
  to?: string;
  /** It was to be sent by a pod. */
  sender?: 'pod';
  /** Where both are sent between the two. */
  family?: 4 | 6;
  /** Empty for all. */
  kinds: ProbeKind[];
}

/** What was not tested and why, as a sentence without a stop. */
export function notTested({ why, from, to, sender, family, kinds }: Untested): string {
  const words = kinds.map((kind) => `${kind}${variantWords({ kind, sender, family })}`);
  const where = from === undefined ? '' : ` from ${from} to ${to}`;
  return `not tested${where}: ${kinds.length > 0 ? words.join(', ') : 'anything'}: ${why}`;
}

/** What keeps a path from being proved: `tunnel, apiserver (pod), mtu from mesh-1 to mesh-2`. */
export function unprovedWords(path: ProbedPath): string {
  const kinds = unprovedCells(path).map((cell) => `${cell.kind}${variantWords(cell)}`);
  return `${[...new Set(kinds)].join(', ')} from ${path.from} to ${path.to}`;
}

/**
 * The probe that tries what was not tested, or shows why it cannot: where only pods could send it and agents were asked, by pods,
 * once whoever runs it may make them.
 * @param clusters how each was probed
 * @param lead what the command is for, as the beginning of a sentence; empty: it needs none
 */
export function tryAll(
  { paths, clusters }: { paths: readonly ProbedPath[]; clusters: readonly ProbedVia[] },
  { context, lead = '', flags = [] }: { context: readonly string[]; lead?: string; flags?: readonly string[] },
): string {
  const lacksPods = paths.some(({ cells }) => cells.some(isUntriedByPods));
  const byAgents = lacksPods ? clusters.filter(({ via }) => via === 'agents') : [];
  const viaPods = byAgents.length > 0 ? ['--via', 'pods'] : [];
  const command = meshctlCommand('connectivity probe', { context }, [...viaPods, ...flags]);
  const grants = [...new Set(byAgents.flatMap(({ grant }) => grant ?? []))];
  if (grants.length > 0) {
    const first = 'Have a cluster administrator grant it first';
    return `${lead === '' ? first : `${lead}, and ${uncapital(first)}`}: ${[...grants, command].join(' && ')}`;
  }
  return lead === '' ? command : `${lead}: ${command}`;
}

interface ProbedVia {
  via: 'pods' | 'agents';
  grant?: string | undefined;
}

/** Whether this is what was not tested of a cell. */
export function isUntestedIn({ sender, family, kinds }: Untested, cell: PathCell): boolean {
  const { kind } = cell;
  return kinds.includes(kind) && family === cell.family && (kind !== 'apiserver' || sender === cell.sender);
}

/** Whether this is why a path is not proved. */
export function isWhyUnproved(one: Untested, path: ProbedPath): boolean {
  return one.from === path.from && one.to === path.to && unprovedCells(path).some((cell) => isUntestedIn(one, cell));
}

/**
 * What no packet was sent for, and what came of packets that nobody could watch; not what another failure explains.
 * @param snapshots of clusters of which some may not tell yet what they need; none where it was given
 */
export function untestedOf(snapshots: readonly ClusterSnapshot[], results: readonly TestResult[]): Untested[] {
  const unknown: Untested[] = snapshots.flatMap((client) =>
    snapshots
      .filter((server) => server !== client)
      .flatMap((server) =>
        unknownNeeds(client, server).map(({ context, kind, why }) => ({
          why: `context "${context}": ${why}`,
          kinds: kind === 'all' ? [] : [kind],
        })),
      ),
  );
  const isExplained = ({ test, verdict }: TestResult) =>
    test.kind === 'mtu' &&
    verdict === 'not-tested' &&
    results.some(
      (other) =>
        isNeeded(other) &&
        other.test.from === test.from &&
        other.test.to === test.to &&
        isSameFamily(other.test, test) &&
        other.verdict === 'path-blocked',
    );
  const silent: Untested[] = results
    .filter((result) => result.verdict === 'not-tested' && !isExplained(result))
    .map(({ test, why = '' }) => ({
      ...{ from: test.from.cluster, to: test.toCluster, why, kinds: [test.kind] },
      ...(test.from.kind === 'pod' ? { sender: 'pod' } : {}),
      ...(test.family === undefined ? {} : { family: test.family }),
    }));
  const alike = groupBy([...unknown, ...silent], ({ why, from, to, sender, family }) =>
    JSON.stringify([why, from, to, sender, family]),
  );
  return [...alike.values()].map((group) => ({
    ...(group[0] as Untested),
    kinds: [...new Set(group.flatMap(({ kinds }) => kinds))],
  }));
}
