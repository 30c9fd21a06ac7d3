/**
 * Which backends a Cilium agent sends a Service's new connections to, from what each cluster says about that Service.
 * The rules are those of Cilium 1.20: operator/watchers/service_sync.go (what a cluster publishes),
 * pkg/loadbalancer/reflectors/conversions.go (states), pkg/clustermesh/selectbackends.go (affinity) and
 * pkg/loadbalancer/reconciler/bpf_reconciler.go (what a connection can reach), pkg/loadbalancer/writer/writer.go (a frontend has
 * backends of its own family only, with internalTrafficPolicy Local also of its own node only, and affinity is judged by these; a
 * backend of which no node is known counts for each: what another cluster publishes never has one).
 */

import type { Affinity, Sharing } from './annotations.ts';

/** A family of addresses, as Kubernetes writes it. */
export type IpFamily = 'IPv4' | 'IPv6';

/** Whether a text is a family of addresses; of EndpointSlices there are others. */
export function isFamily(text: unknown): text is IpFamily {
  return text === 'IPv4' || text === 'IPv6';
}

/** A backend, as its EndpointSlice has it. */
export interface Backend {
  /** Of its address; absent: whatever is asked for. */
  family?: IpFamily | undefined;
  /** That it runs on; absent: none is known. */
  node?: string | undefined;
  /** That it listens at, by the names of its Service's; absent: whatever is asked for. */
  ports?: readonly NamedPort[] | undefined;
  ready: boolean;
  /** Ready, were it not terminating. */
  serving: boolean;
  terminating: boolean;
  /** The EndpointSlice has annotation `service.cilium.io/weight: "0"`: out of use in its own cluster. */
  maintenance?: boolean | undefined;
  /** The agent's own health check found it dead. Kubernetes' readiness is not this. */
  unhealthy?: boolean | undefined;
}

/** A port of a Service, as Cilium finds backends for it: by its name, not by its number. */
export interface NamedPort {
  name: string;
  protocol: string;
}

/** One cluster's Service. The same Service of several clusters has the same name and namespace. */
export interface ClusterService<B extends Backend = Backend> {
  cluster: string;
  sharing: Sharing;
  /** Without frontends: agents balance nothing. */
  headless: boolean;
  /**
   * Of a headless one: DNS gives the backends of other clusters too, as Cilium's operator writes EndpointSlices of them
   * (pkg/clustermesh/endpointslicesync); agents pass over these.
   */
  mirrored?: boolean | undefined;
  /** `internalTrafficPolicy: Local`: its cluster's pods use no backends of other nodes of their cluster. */
  nodeLocal?: boolean | undefined;
  /** Whether its namespace takes part in the mesh: see {@link isNamespaceGlobal}. Decides what is published only. */
  namespaceGlobal: boolean;
  /** Of its addresses, each a frontend of its own for each port; absent: as if there were one, for all backends. */
  families?: readonly IpFamily[] | undefined;
  /** Each is a frontend of its own; absent where backends are looked at without them. */
  ports?: readonly NamedPort[] | undefined;
  backends: readonly B[];
}

/** What a pod dials of a Service, and from where; what is absent narrows nothing. */
export interface Frontend {
  /** Of the local Service: only what serves it. */
  port?: NamedPort | undefined;
  /** Of the address that is dialled. */
  family?: IpFamily | undefined;
  /** That the pod is on: it counts where the Service is {@link ClusterService.nodeLocal}. */
  node?: string | undefined;
}

/** A backend and the cluster that it runs in. */
export interface SelectedBackend<B extends Backend = Backend> {
  cluster: string;
  backend: B;
}

/** Whether a cluster's etcd offers the Service's backends to the other clusters. */
export function isPublished({ sharing, namespaceGlobal }: ClusterService): boolean {
  return sharing.shared && namespaceGlobal;
}

/** The backends that a cluster offers to the others: the ready ones, and those that still serve while they terminate. */
export function publishedBackends<B extends Backend>(service: ClusterService<B>): readonly B[] {
  return isPublished(service) ? service.backends.filter(({ ready, serving }) => ready || serving) : [];
}

/**
 * The backends that new connections go to from a pod in `localCluster`.
 * @param services of the clusters that the local agents read, itself included; those without the Service are absent
 * @returns none where the local cluster has no such Service, or a headless one: its agents then have no frontend, and clients get all
 * that DNS gives them; that is told where it has backends of other clusters too ({@link ClusterService.mirrored})
 */
export function selectBackends<B extends Backend>(
  services: readonly ClusterService<B>[],
  localCluster: string,
  { port, family, node }: Frontend = {},
): SelectedBackend<B>[] {
  const local = services.find(({ cluster }) => cluster === localCluster);
  if (!local || (local.headless && !local.mirrored)) return [];
  const isNear = (backend: B) => !local.nodeLocal || node === undefined || (backend.node ?? node) === node;
  const own = local.backends.filter((backend) => isBehind(backend, { port, family }) && isNear(backend));
  const localActive = ofState(local, own, 'active');
  const localTerminating = ofState(local, own, 'terminating');
  // A published backend is active to the others, whatever it was called at home.
  const remote = local.sharing.global
    ? services
        .filter((service) => service !== local)
        .flatMap((service) => publishedBackends(service).map((backend) => ({ cluster: service.cluster, backend })))
        .filter(({ backend }) => !backend.unhealthy && isBehind(backend, { port, family }))
    : [];
  // What DNS gives has no order.
  const active = preferred(local.headless ? 'none' : local.sharing.affinity, localActive, remote);
  return active.length > 0 || local.headless ? active : localTerminating;
}

/**
 * Whether a backend listens at a port of a Service, of its own cluster or of another one: by name and protocol, as EndpointSlices have
 * them (pkg/loadbalancer/writer; agents from 1.18 on also take those of a port without a name, which older ones do not: nobody should
 * count on them). Kubernetes leaves out a port that none of a pod's containers has by the name which is the Service's targetPort.
 */
export function listensAt({ ports }: Backend, port: NamedPort): boolean {
  return ports?.some(({ name, protocol }) => name === port.name && protocol === port.protocol) ?? true;
}

/** Whether a frontend has this backend at all, be it ready or not. */
function isBehind(backend: Backend, { port, family }: Pick<Frontend, 'port' | 'family'>): boolean {
  return (family === undefined || (backend.family ?? family) === family) && (!port || listensAt(backend, port));
}

/** Whether a cluster's agents use what other clusters have of this Service, if they have any. */
export function usesOthers(service: ClusterService): boolean {
  const { sharing, headless, mirrored, nodeLocal, backends } = service;
  if (headless) return sharing.global && mirrored === true;
  const active = backends.filter((backend) => stateOf(service, backend) === 'active');
  const [families, ports] = [service.families ?? [undefined], service.ports ?? [undefined]];
  const isServed = (frontend: Frontend) => active.some((backend) => isBehind(backend, frontend));
  const isWhole = families.every((family) => ports.every((port) => isServed({ family, port })));
  // Where pods keep to their own node, one without a backend asks the others.
  const nearEnough = sharing.affinity === 'local' && !nodeLocal && active.length > 0 && isWhole;
  return sharing.global && !nearEnough;
}

function preferred<T>(affinity: Affinity, local: readonly T[], remote: readonly T[]): T[] {
  if (affinity === 'local' && local.length > 0) return [...local];
  if (affinity === 'remote' && remote.length > 0) return [...remote];
  return [...local, ...remote];
}

function ofState<B extends Backend>(
  service: ClusterService<B>,
  backends: readonly B[],
  state: 'active' | 'terminating',
): SelectedBackend<B>[] {
  const { cluster } = service;
  return backends.filter((backend) => stateOf(service, backend) === state).map((backend) => ({ cluster, backend }));
}

/** How many backends there are: one that has an address of each family counts once. */
export function countBackends(backends: readonly Backend[]): number {
  const ofFamily = (family: IpFamily) => backends.filter((one) => one.family === family).length;
  return backends.filter(({ family }) => family === undefined).length + Math.max(ofFamily('IPv4'), ofFamily('IPv6'));
}

/**
 * What an agent takes a backend of its own cluster for; one that listens at none of the Service's ports is none, but of a headless
 * Service, where DNS does not look at ports. Terminating ones that still serve are used when no other is left
 * (KEP-1669); a ready one is active even while it terminates, as kube-proxy has it.
 */
export function stateOf(
  { headless, ports }: Pick<ClusterService, 'headless' | 'ports'>,
  backend: Backend,
): 'active' | 'terminating' | 'unused' {
  if (backend.maintenance || backend.unhealthy) return 'unused';
  if (!headless && ports && !ports.some((port) => listensAt(backend, port))) return 'unused';
  if (backend.ready) return 'active';
  return backend.terminating && backend.serving ? 'terminating' : 'unused';
}
