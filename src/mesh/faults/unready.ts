import { awaitsEndpoints } from '../apiserver/endpoints.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { lackOfServer } from '../connect/direction.ts';
import { SERVER_CERT_SECRET } from '../objects/names.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { rememberedOf } from '../remembered.ts';
import type { Fault, FaultId } from './fault.ts';
import { serveFaults } from './serve-faults.ts';

/** What keeps everybody from being connected to a cluster that has it: it is not enabled, or not wholly. */
const HALF_ENABLED: readonly FaultId[] = [
  'apiserver-missing',
  'mesh-disabled',
  'service-missing',
  'service-type',
  'users-missing',
  'users-unreadable',
];
const OF_SERVER: readonly FaultId[] = ['certificate-missing', 'certificate-unreadable', 'certificate-key'];

/** Whether `connect` refuses the cluster that has a fault for it. */
export function isRefusedByConnect({ id, object }: Pick<Fault, 'id' | 'object'>): boolean {
  return HALF_ENABLED.includes(id) || (OF_SERVER.includes(id) && object === `Secret ${SERVER_CERT_SECRET}`);
}

/** None of these faults comes with time. */
const AT_ANY_TIME = { now: new Date(0) };

/** Whether a cluster is not enabled, or not wholly, so that `connect` refuses it. */
export const isHalfEnabled = rememberedOf(
  (snapshot: ClusterSnapshot) =>
    lackOfServer(snapshot) !== undefined ||
    serveFaults(snapshot, AT_ANY_TIME).some((fault) => isRefusedByConnect(fault)),
);

/** The clusters that are not enabled, or not wholly, by the name that each has now, as in a file. */
export function halfEnabledAmong(snapshots: readonly ClusterSnapshot[]): Set<string> {
  return new Set(snapshots.filter(isHalfEnabled).map(clusterNameOf));
}

/**
 * The clusters to which nobody can be connected as they are, by the name that their peers know: `connect` would refuse them. At an address that is given,
 * it would not where only the Service has none yet.
 */
export function unreadyAmong(snapshots: readonly ClusterSnapshot[]): Set<string> {
  const unready = snapshots.filter((snapshot) => isHalfEnabled(snapshot) || awaitsEndpoints(snapshot));
  return new Set(unready.map(knownAs));
}

/** The same of clusters of which only the faults are at hand. */
export function unreadyIn(
  clusters: readonly {
    cluster: { name: string };
    runsAs?: string | undefined;
    enabled: boolean;
    unaddressed?: boolean | undefined;
    faults: readonly Fault[];
  }[],
): Set<string> {
  const unready = clusters.filter(
    ({ enabled, unaddressed, faults }) => !enabled || unaddressed || faults.some(isRefusedByConnect),
  );
  return new Set(unready.map(({ cluster, runsAs = cluster.name }) => runsAs));
}

/**
 * A line that connects clusters, after one that waits for the addresses that some of them have not got yet.
 * @param among the contexts that it names
 */
export function onceAddressed(
  connect: string,
  among: readonly string[],
  clusters: readonly { context: string; unaddressed?: boolean | undefined }[],
): string {
  const waiting = clusters.filter(({ context, unaddressed }) => unaddressed && among.includes(context));
  if (waiting.length === 0) return connect;
  return `${meshctlCommand('clustermesh enable', { context: waiting.map(({ context }) => context) })} && ${connect}`;
}
