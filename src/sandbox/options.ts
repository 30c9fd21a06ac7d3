import { MeshctlError } from '../mesh/errors.ts';
import type { ApiServerOptions, Fault } from './apiserver/api.ts';
import type { ConnectionTimings } from './cilium/remote-cluster.ts';
import { PROVIDERS, type Provider } from './fixtures/providers.ts';

/** What may differ between the clusters of a sandbox. */
export interface SandboxClusterOptions {
  /** Cilium's cluster-name; default `mesh-<n>`. */
  name?: string;
  /** Cilium's cluster-id; default n. */
  id?: number;
  /** The kubeconfig context; default the name, or `mesh-<n>` where the name says nothing (`default`). */
  context?: string;
  nodes?: number;
  /** Without a leading `v`. */
  ciliumVersion?: string;
  /** Where the nodes claim to run; default `gce`. */
  provider?: Provider;
  /** Cilium's max-connected-clusters; default 255. */
  maxConnectedClusters?: number;
  /** Cilium's; default `kube-system`. */
  namespace?: string;
  /** How packets get to pods on other nodes; default `tunnel`. */
  routing?: Routing;
  /** Families of the addresses of pods and Services, the first of which is that of a Service that names none. Default IPv4. */
  ipFamilies?: IpFamilies;
  /** Families of the addresses of nodes, in their order. Default those of pods. */
  nodeFamilies?: IpFamilies;
}

/** One family, or both, the primary one first. */
export type IpFamilies = readonly [4] | readonly [6] | readonly [4, 6] | readonly [6, 4];

/**
 * `native`: the network has fixed routes to all pods. `native-bgp`: each node's agent has a BGP session with the router of
 * every other such cluster, and the routes are what the routers learn.
 */
export type Routing = 'tunnel' | 'native' | 'native-bgp';

/** A request as an API server understands it: verb, resource, names. */
export type InterceptedRequest = Parameters<NonNullable<ApiServerOptions['intercept']>>[0];

export interface SandboxTimings extends ConnectionTimings {
  /** How long after a change a mounted Secret or ConfigMap reaches a pod; a kubelet takes up to a minute or two. */
  secretSyncMs: number;
  /** From a pod's binding to its containers' start. */
  podStartMs: number;
  /** How long a connection over a cut link hangs. */
  connectTimeoutMs: number;
  /** Added to each exec. */
  execDelayMs: number;
}

export interface SandboxOptions {
  /** How many clusters, or what each is like. Default 2. */
  clusters?: number | readonly SandboxClusterOptions[];
  /** Per cluster; default 2. */
  nodes?: number;
  /** Default 1.20.0. */
  ciliumVersion?: string;
  provider?: Provider;
  /** Time as certificates' validity is judged by. Default the machine's. */
  clock?: () => Date;
  /** The folder that the kubeconfig goes to; default a new temporary one, removed on close. */
  directory?: string;
  /** The very file for the kubeconfig, instead; it must not exist. Removed on close. */
  kubeconfigPath?: string;
  /** All clusters have the same cilium-ca. */
  sharedCa?: boolean;
  /** No cluster has a cilium-ca Secret, like a Cilium without Hubble and Cluster Mesh. */
  withoutCa?: boolean;
  /** The API servers are reached over HTTP and without a login, as through a `kubectl proxy` of the administrator. */
  proxied?: boolean;
  timings?: Partial<SandboxTimings>;
  /** Called before an API server of the sandbox serves a request, with its context: for faults, and for counting. */
  intercept?: (context: string, request: InterceptedRequest) => Promise<Fault | undefined>;
  /** Hears of errors in the sandbox's own workings; default a process warning. */
  onError?: (error: unknown) => void;
}

export const DEFAULT_TIMINGS: SandboxTimings = {
  secretSyncMs: 2_000,
  podStartMs: 50,
  connectTimeoutMs: 1_000,
  retryMs: 1_000,
  permissionDeniedRetryMs: 15_000,
  resyncMs: 5_000,
  drainMs: 5_000,
  execDelayMs: 0,
};

/** A cluster's options, all filled in. */
export interface ClusterProfile {
  name: string;
  id: number;
  context: string;
  /** In the network of the sandbox: the name, or where several clusters have that, the context. */
  site: string;
  nodes: number;
  ciliumVersion: string;
  provider: Provider;
  maxConnectedClusters: number;
  namespace: string;
  routing: Routing;
  ipFamilies: readonly (4 | 6)[];
  nodeFamilies: readonly (4 | 6)[];
  /** Third octet of the cluster's addresses; unique in the sandbox, the id where possible. */
  subnet: number;
}

const DEFAULT_CILIUM_VERSION = '1.20.0';
const MAX_SUBNET = 255;
const MAX_NODES = 300;

/** Fills in the defaults. Throws `Usage` for options that cannot be. */
export function resolveProfiles(options: SandboxOptions): ClusterProfile[] {
  const { clusters = 2 } = options;
  const given = typeof clusters === 'number' ? Array.from({ length: clusters }, () => ({})) : clusters;
  if (given.length < 1 || given.length > MAX_SUBNET) {
    throw new MeshctlError('Usage', `A sandbox has 1 to ${MAX_SUBNET} clusters, not ${given.length}`);
  }
  const taken = new Set<number>();
  const named = given.map((cluster: SandboxClusterOptions, index): Omit<ClusterProfile, 'site'> => {
    const name = cluster.name ?? `mesh-${index + 1}`;
    const id = cluster.id ?? index + 1;
    return {
      name,
      id,
      context: cluster.context ?? (name === 'default' ? `mesh-${index + 1}` : name),
      nodes: cluster.nodes ?? options.nodes ?? 2,
      ciliumVersion: (cluster.ciliumVersion ?? options.ciliumVersion ?? DEFAULT_CILIUM_VERSION).replace(/^v/, ''),
      provider: cluster.provider ?? options.provider ?? 'gce',
      maxConnectedClusters: cluster.maxConnectedClusters ?? 255,
      namespace: cluster.namespace ?? 'kube-system',
      routing: cluster.routing ?? 'tunnel',
      ipFamilies: cluster.ipFamilies ?? [4],
      nodeFamilies: cluster.nodeFamilies ?? cluster.ipFamilies ?? [4],
      subnet: chooseSubnet(id, taken),
    };
  });
  const isShared = (name: string) => named.filter((one) => one.name === name).length > 1;
  const profiles = named.map((one) => ({ ...one, site: isShared(one.name) ? one.context : one.name }));
  for (const profile of profiles) checkProfile(profile, profiles);
  return profiles;
}

function chooseSubnet(id: number, taken: Set<number>): number {
  let subnet = id >= 1 && id <= MAX_SUBNET ? id : MAX_SUBNET;
  while (taken.has(subnet)) subnet = subnet > 1 ? subnet - 1 : MAX_SUBNET;
  taken.add(subnet);
  return subnet;
}

function checkProfile(profile: ClusterProfile, profiles: readonly ClusterProfile[]) {
  const { context, nodes, provider, ciliumVersion } = profile;
  if (profiles.some((other) => other !== profile && other.context === context)) {
    throw new MeshctlError('Usage', `Two sandbox clusters have the context "${context}"`);
  }
  if (!Number.isInteger(nodes) || nodes < 0 || nodes > MAX_NODES) {
    throw new MeshctlError('Usage', `A sandbox cluster has 0 to ${MAX_NODES} nodes, not ${nodes}`);
  }
  if (!PROVIDERS.has(provider)) {
    throw new MeshctlError('Usage', `The sandbox knows no provider "${provider}"`, {
      hint: `Choose one of ${[...PROVIDERS.keys()].join(', ')}`,
    });
  }
  if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(ciliumVersion)) {
    throw new MeshctlError('Usage', `"${ciliumVersion}" is not a Cilium version`, { hint: 'Give one such as 1.20.0' });
  }
}
