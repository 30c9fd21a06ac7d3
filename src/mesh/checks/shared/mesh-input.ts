import type { NodeRoute } from '../../cilium/routes.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import type { PodsLeft } from '../../enable/remaining-pods.ts';
import type { KubeObject } from '../../objects/kube-object.ts';
import type { Check, CheckInput, Finding, Observed, Severity } from './check.ts';

/** A path between two nodes as cilium-health probed it. */
export interface NodeHealth {
  /** `<cluster>/<node>`. */
  node: string;
  /** Whether any probe of it has come back or been given up of late: one that an agent has just learnt of waits for its turn. */
  probed: boolean;
  /** Those of its addresses, and of its health endpoint's, of which none has come back of late. */
  unprobed: readonly string[];
  /** The probes that did not go through. */
  problems: readonly HealthProblem[];
}

/** A probe of cilium-health that failed. */
export interface HealthProblem {
  /** What was asked: the node itself, or, the way that packets of pods take, its health endpoint. */
  of: 'node' | 'endpoint';
  /** Empty where that is not told. */
  address: string;
  probe: 'icmp' | 'http';
  says: string;
  /** When it was given up, by the clock of the node that sent it; undefined where that is not told. */
  at?: Date | undefined;
  /** How long before it was told that was, in seconds. */
  ageS?: number | undefined;
}

export interface BgpSession {
  /** The neighbour's address. */
  peer: string;
  /** `established` when it works. */
  state: string;
}

/** What one agent said beyond its status. Each part is undefined where it could not be asked. */
export interface NodeObservation {
  node: string;
  /** The agent's. */
  pod?: string | undefined;
  /** The name that the agent has for its cluster. */
  cluster?: string | undefined;
  /** The id that the agent was started with. */
  clusterId?: number | undefined;
  /** The max-connected-clusters that it was started with. */
  maxConnectedClusters?: number | undefined;
  /** What of {@link CheckInput}'s settings it was started with, by key; what was not set is absent. */
  startedWith?: Readonly<Record<string, string>> | undefined;
  /** When the agent was started. */
  startedAt?: Date | undefined;
  health?: readonly NodeHealth[] | undefined;
  bgpSessions?: readonly BgpSession[] | undefined;
  /** Prefixes that it tells its BGP peers. */
  bgpAdvertised?: ByFamily<string> | undefined;
  routes?: ByFamily<NodeRoute> | undefined;
}

/** What was told of each family of addresses; absent for one that nobody asked for, or was told of. */
export type ByFamily<T> = { readonly [Family in 4 | 6]?: readonly T[] | undefined };

/** A container of a clustermesh-apiserver pod. */
export interface ContainerFacts {
  pod: string;
  container: string;
  ready: boolean;
  restarts: number;
  /** It has never run: what its pod waits for, empty where that is only time. */
  waitsFor?: string | undefined;
}

/** What a cluster showed beyond its snapshot. */
export interface ClusterObservation extends Observed {
  /** What a Helm release makes of the objects that hold peers, by their keys; absent where none does, or it may not be read. */
  rendered?: ReadonlyMap<string, KubeObject> | undefined;
  containers: readonly ContainerFacts[];
  /** Pods of a former clustermesh-apiserver that still serve; absent where there are none, or nobody looked. */
  left?: PodsLeft | undefined;
  /** Peers that it is connected to at another address than theirs, and with their own etcd; absent where there is none. */
  byEtcd?: readonly string[] | undefined;
  /** What agents said, each its part; of a node whose agent does not run its name alone. Some of them in a large cluster. */
  nodes: readonly NodeObservation[];
  /** How many of the agents that run were asked; absent where all were. */
  asked?: { agents: number; of: number } | undefined;
  /** When the programs of Cilium's operator that run were started; undefined where they were not looked at. */
  operators?: readonly Date[] | undefined;
  /** Ids by name under which the clustermesh-apiserver describes the cluster in etcd; undefined where it was not asked. */
  published?: ReadonlyMap<string, number> | undefined;
  /** The clustermesh-apiserver's etcd does not know the cluster by its name in cilium-config. */
  isOfAnother?: boolean | undefined;
  /** The users that etcd has, by pod; undefined where they were not asked for. */
  etcdUsers?: ReadonlyMap<string, readonly string[]> | undefined;
  /** Ready pods whose etcd did not tell its users. */
  etcdsUnasked?: readonly string[] | undefined;
  /** Clusters of other owners that an invitation has let in, and that are yet to be dialled; undefined where that is not known. */
  invited?: readonly string[] | undefined;
  /** NetworkPolicies and Cilium's policies that can select pods of Cilium's namespace; undefined where they may not be listed. */
  policies?: readonly KubeObject[] | undefined;
  /** What an enable would change, one clause each; undefined where that cannot be planned, for the reason in `driftUnknown`. */
  drift?: readonly string[] | undefined;
  driftUnknown?: string | undefined;
  /** What of this was asked for in vain, as the user may not ask or nothing has answered; absent where there is no such thing. */
  untold?: ReadonlySet<'etcd' | 'plan' | 'invitations'> | undefined;
  /** Fields that enable would change and others have set, one clause for each object. */
  contested?: readonly string[] | undefined;
  /** Of those, an enable takes some over only with --force-conflicts; else they are meshctl's to fill, and it does so unasked. */
  isContestedByForce?: boolean | undefined;
  /** Where tools have those from, as a clause. */
  contestedIn?: string | undefined;
}

/** What the checks of a mesh that is up look at. */
export interface MeshCheckInput extends CheckInput {
  /** By context. */
  observed: ReadonlyMap<string, ClusterObservation>;
  /** Clusters that are not in question, where the next step of one that is hangs on what they say. */
  others?: readonly ClusterSnapshot[] | undefined;
  /** The contexts that the only cluster in question can be connected to, where it is connected to none. */
  joinable?: readonly string[] | undefined;
}

export type MeshCheck = Check<MeshCheckInput>;

/** A finding about one cluster. */
export function findingOf(
  id: string,
  severity: Severity,
  cluster: string,
  args: Finding['args'],
  hint?: string,
): Finding {
  return { id, severity, cluster, args: { context: cluster, ...args }, ...(hint ? { hint } : {}) };
}
