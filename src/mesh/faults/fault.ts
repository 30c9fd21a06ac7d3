import type { MisfitId } from '../apiserver/misfits.ts';
import type { AgentIdentity } from '../cilium/agent-identity.ts';
import type { KvstoreRefusal } from '../cilium/kvstore.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { UnfinishedDisable } from '../enable/unfinished-disable.ts';

/**
 * What is configured but broken. Agents, KVStoreMesh and etcd keep the connections that they have, and etcd what it has mounted, so
 * a mesh can be green and one restart, or one look of a kubelet, away from an outage: nothing that runs tells, only the objects do.
 */
export type FaultId =
  | DialFaultId
  | ServeFaultId
  | 'agents-missing'
  | 'agents-outdated'
  | 'identity-mode-unknown'
  | StartFaultId
  | 'cilium-endpoints'
  | 'cluster-name-unique';

/** About settings with which agents that are restarted do not start, by the checks that look for them. */
type StartFaultId = 'ztunnel' | 'cluster-id-of-eni';

/** About how a cluster dials a peer. */
export type DialFaultId =
  | 'peering-secret-missing'
  | 'peering-file-missing'
  | 'peering-file-unreadable'
  | 'peering-file-no-cache'
  | 'peer-certificate-missing'
  | 'peer-certificate-unreadable'
  | 'peer-certificate-key'
  | 'peer-certificate-expired'
  | 'peer-certificate-issuer'
  | 'peer-certificate-foreign'
  | 'peer-ca'
  | 'peer-unconfigured'
  | 'peer-renamed'
  | 'choice-half-recorded'
  | 'peering-lost'
  | 'peers-mutual'
  | 'max-connected-clusters-equal'
  | AddressFaultId;

/** About which of the peer's addresses is dialled; where it can be reached, only that it is none of them. */
export type AddressFaultId =
  | 'peer-address-gone'
  | 'peer-address-chosen'
  | 'peer-address-doubtful'
  | 'peer-address-family';

/** About what a cluster serves its peers and agents with. */
export type ServeFaultId =
  | 'certificate-missing'
  | 'certificate-unreadable'
  | 'certificate-key'
  | 'certificate-expired'
  | 'certificate-usage'
  | 'certificate-issuer'
  | 'ca-missing'
  | 'ca-unreadable'
  | 'ca-key'
  | 'ca-foreign'
  | 'users-missing'
  | 'users-unreadable'
  | 'peer-user-missing'
  | 'mesh-disabled'
  | 'apiserver-missing'
  | 'service-missing'
  | 'apiserver-scaled-down'
  | 'apiserver-not-ready'
  | 'apiserver-rollout'
  | 'access-missing'
  | 'identity-outdated'
  | 'max-connected-clusters-running'
  | MisfitId;

export interface Fault {
  id: FaultId;
  /** The kubeconfig context of the cluster that has it. */
  context: string;
  /** Cilium's namespace there. */
  namespace: string;
  /** The other cluster, by name, where it is about one. */
  peer?: string | undefined;
  /** The other clusters, where it is about all that are dialled, or that dial it. */
  peers?: readonly string[] | undefined;
  /** Who would not come back: those that dial, or those that serve. */
  component: 'agent' | 'kvstoremesh' | 'apiserver';
  /** Kind and name, e.g. `Secret cilium-kvstoremesh`. */
  object: string;
  /** The key in it. */
  key?: string | undefined;
  /** The cluster that has it needs a certificate that no CA there can issue, so that `enable` alone is refused. */
  unsigned?: boolean | undefined;
  /** The cluster that has it needs a certificate, and its CA has expired, or is not valid yet: `enable` alone is refused for that, too. */
  caExpired?: boolean | undefined;
  /** What the programs of the cluster that has it go by instead of the CAs beside their certificates. */
  caBundle?: { object: string } | undefined;
  /** It cannot be a member at all, for where Cilium keeps its state. */
  kvstore?: KvstoreRefusal | undefined;
  /** It has no server since a disable, which is not finished. */
  unfinished?: UnfinishedDisable | undefined;
  /** Something would not come back after a restart; else only something cannot be renewed. */
  outage: boolean;
  /** The next step; set once the contexts of all clusters are known, or at once where it is about this cluster alone. */
  hint?: string | undefined;
  /** In words: one clause without a final stop and without a byte of what is secret. */
  says: string;
}

export interface FaultsInput {
  now: Date;
  /** The other clusters that were read: what they would accept is judged too. */
  others?: readonly ClusterSnapshot[] | undefined;
  /** What agents of the cluster said that were asked who they are. */
  agents?: readonly AgentIdentity[] | undefined;
}

/** A fault with where it is: `the peering file cannot be read: it is not valid YAML (Secret cilium-kvstoremesh, key mesh-2)`. */
export function describeFault({ says, object, key }: Pick<Fault, 'says' | 'object' | 'key'>): string {
  return `${says} (${key === undefined ? object : `${object}, key ${key}`})`;
}

/** What pods follow without a restart: which peers there are, and how each is dialled. */
const FOLLOWED: readonly FaultId[] = [
  'peering-secret-missing',
  'peering-file-missing',
  'peering-file-unreadable',
  'peering-file-no-cache',
  'peer-unconfigured',
];

/**
 * Whether what a fault is about ends without any restart, once kubelets have refreshed what pods mount. Cilium's chart mounts the
 * Secrets with peering files into agents, KVStoreMesh and the operator as optional sources without items (cilium-agent/daemonset.yaml,
 * clustermesh-apiserver/deployment.yaml, cilium-operator/deployment.yaml): of one that is gone, kubelets take the files away, and of a
 * key that is gone, its file (Kubernetes, pkg/volume/projected). Cilium watches the folder, parts with a peer whose file goes, and
 * dials again by one that changes (pkg/clustermesh/common/config.go). The certificates beside them are read for new connections only;
 * those of etcd and its list of users are no optional sources, so that their files stay where the object goes.
 */
export function endsByRefresh({ id }: Pick<Fault, 'id'>): boolean {
  return FOLLOWED.includes(id);
}
