import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { lackOfServer } from '../connect/direction.ts';
import { SERVER_CERT_SECRET } from '../objects/names.ts';
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

const isUnready = rememberedOf(
  (snapshot: ClusterSnapshot) =>
    lackOfServer(snapshot) !== undefined ||
    serveFaults(snapshot, AT_ANY_TIME).some((fault) => isRefusedByConnect(fault)),
);

/** The clusters to which nobody can be connected as they are, by name: `connect` would refuse them. */
export function unreadyAmong(snapshots: readonly ClusterSnapshot[]): Set<string> {
  return new Set(snapshots.filter(isUnready).map(clusterNameOf));
}

/** The same of clusters of which only the faults are at hand. */
export function unreadyIn(
  clusters: readonly { cluster: { name: string }; enabled: boolean; faults: readonly Fault[] }[],
): Set<string> {
  const unready = clusters.filter(({ enabled, faults }) => !enabled || faults.some(isRefusedByConnect));
  return new Set(unready.map(({ cluster }) => cluster.name));
}
