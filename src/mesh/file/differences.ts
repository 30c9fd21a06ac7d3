import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { groupBy } from '../pairs.ts';
import { expectedPeers } from '../peers/peers.ts';
import type { Step } from '../plan/plan.ts';
import type { ExtraDial, ExtraPeers } from './extra.ts';
import type { UnservedCluster } from './made-elsewhere.ts';
import type { FileServicesPlan } from './services.ts';
import { dialKey, type NamedDial } from './topology.ts';

/** What is otherwise in clusters than in their files. */
export interface MeshDifferences {
  /** Objects that are to be written, in the order of the clusters; none that is kept. */
  steps: readonly Step[];
  /** Pairs that are not connected, and are to be once their clusters are as the files say. */
  unconnected: readonly Pair[];
  /** Services that the files name and clusters lack. */
  missingServices: FileServicesPlan['missing'];
  /** Clusters that the files leave to something else, which has not made them, or has scaled them to 0. */
  unserved: readonly UnservedCluster[];
  /** What is in the clusters and in no file. */
  extra: {
    pairs: readonly Pair[];
    /** Dials of which only a user is left, or was read. */
    letIn: readonly ExtraDial[];
    strangers: ExtraPeers['strangers'];
    services: FileServicesPlan['extra'];
    /** Clusters that an `apply --prune` has disconnected, and perhaps not disabled: it did not come to its end. */
    halfLeft: readonly string[];
  };
}

/** Two clusters; one-way where only the first dials. */
export interface Pair {
  clusters: readonly [string, string];
  oneWay: boolean;
}

/** Dials as pairs, those of which both ways are there once. */
export function pairsOfDials(dials: readonly NamedDial[]): Pair[] {
  const groups = groupBy(dials, ({ from, to }) => [from, to].sort().join(' '));
  return [...groups.values()].flatMap((ways): Pair[] => {
    const [first] = ways;
    return first ? [{ clusters: [first.from, first.to], oneWay: ways.length === 1 }] : [];
  });
}

/**
 * What the end of dials leaves of each pair.
 * @param ended dials that end
 * @param stays who dials whom by the file
 */
export function afterParting(
  ended: readonly NamedDial[],
  stays: readonly NamedDial[],
): { apart: Pair[]; oneWay: NamedDial[] } {
  const staying = new Map(stays.map((dial) => [dialKey(dial.from, dial.to), dial]));
  const reverseOf = ({ from, to }: NamedDial) => staying.get(dialKey(to, from));
  return {
    apart: pairsOfDials(ended.filter((dial) => !reverseOf(dial))),
    oneWay: ended.flatMap((dial) => reverseOf(dial) ?? []),
  };
}

/** Of dials that cannot be planned before their clusters are mended, those that are not there: the others are only looked at again. */
export function missingDials(later: readonly NamedDial[], snapshots: readonly ClusterSnapshot[]): NamedDial[] {
  const dialled = new Map(snapshots.map((snapshot) => [clusterNameOf(snapshot), expectedPeers(snapshot)]));
  return later.filter(({ from, to }) => !dialled.get(from)?.includes(to));
}

/** How many things differ; what is in no file counts apart. */
export function countDifferences({ steps, unconnected, missingServices, unserved, extra }: MeshDifferences): {
  differences: number;
  notInFile: number;
} {
  return {
    differences: steps.length + unconnected.length + missingServices.length + unserved.length,
    notInFile:
      extra.pairs.length + extra.letIn.length + extra.strangers.length + extra.services.length + extra.halfLeft.length,
  };
}
