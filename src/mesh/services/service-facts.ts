import type { KubeProxyClient } from '../cilium/datapath.ts';
import type { BrokenLink } from '../status/broken-link.ts';
import type { Sharing } from './annotations.ts';
import type { Backend, IpFamily, NamedPort } from './backends.ts';

export interface ServicePort extends NamedPort {
  port: number;
}

export interface ServiceBackend extends Backend {
  address: string;
  /** As its EndpointSlices have them. */
  ports?: readonly ServicePort[] | undefined;
  zone?: string | undefined;
  pod?: string | undefined;
}

/** A Service of one cluster, as far as the mesh is concerned. */
export interface ServiceFacts {
  namespace: string;
  name: string;
  /** Of one that Cilium's operator derives: the name of what from. */
  serviceImport?: string | undefined;
  type: string;
  /** Only those that Cilium reads for the mesh. */
  annotations: Readonly<Record<string, string>>;
  headless: boolean;
  /** `internalTrafficPolicy: Local`, which agents heed; externalTrafficPolicy is about clients from outside the clusters. */
  nodeLocal?: true | undefined;
  /** It can be asked for from outside the clusters: by a NodePort, a load balancer or an external address. */
  fromOutside?: true | undefined;
  /** `trafficDistribution`. */
  distribution?: string | undefined;
  /** The annotation that asks for backends in the client's zone, as it is written. */
  zoneHints?: string | undefined;
  /**
   * Cilium is to write EndpointSlices of other clusters' backends for it, by which kube-proxy and DNS know them too: it has the
   * annotation, or is headless and says nothing of it (pkg/clustermesh/endpointslicesync/service_informer.go).
   */
  mirrored?: true | undefined;
  /** Of its addresses, the first one first; absent where the API server has set none. */
  families?: readonly IpFamily[] | undefined;
  ports: readonly ServicePort[];
  /** Empty: its backends are made by hand. */
  selector: Readonly<Record<string, string>>;
  backends: readonly ServiceBackend[];
}

/** What was read of one cluster's Services. */
export interface ClusterServices {
  context: string;
  /** The cluster's name in the mesh. */
  cluster: string;
  /** `clustermesh-default-global-namespace` of cilium-config. */
  globalByDefault: boolean;
  /** The clusters whose Services its agents read; undefined where that could not be seen: then all of them. */
  peers?: readonly string[] | undefined;
  /** Whether it has a clustermesh-apiserver, from which others read; undefined where that was not looked at, or may not be. */
  isServing?: boolean | undefined;
  /** Whom it lets in by a user of their own, as far as that was looked at. */
  lettingIn?: readonly string[] | undefined;
  /** Those of its connections that are broken, by the word of `status`; undefined where its agents could not be asked. */
  broken?: readonly BrokenLink[] | undefined;
  /** What of the cluster may not be read, in words: one of its connections may be at risk without a word of it. */
  unseen?: readonly string[] | undefined;
  /** By how many of its nodes its connections were seen; absent where that is all of them, or nobody was asked. */
  asked?: { nodes: number; of: number } | undefined;
  /** That any pod may be on; absent where none of its Services keeps to nodes, or they may not be listed. */
  nodes?: readonly string[] | undefined;
  /** They may not be listed, and it hangs on them. */
  nodesUnseen?: true | undefined;
  /** The families of addresses that its pods have; absent where that was not looked at. */
  podFamilies?: readonly (4 | 6)[] | undefined;
  /** Whether Cilium wraps its packets to other nodes; absent where that was not looked at. */
  tunnels?: boolean | undefined;
  /** Whose requests kube-proxy serves there, of which Cilium knows nothing; absent where that was not looked at. */
  kubeProxyServes?: readonly KubeProxyClient[] | undefined;
  /** The values of `trafficDistribution` by which its agents go; none, or absent, where they pass over what a Service prefers. */
  heedsDistributions?: readonly string[] | undefined;
  /** Cilium's operator writes EndpointSlices of what other clusters have (`clustermesh-enable-endpoint-sync`). */
  mirrors?: true | undefined;
  /** The name with which it was started, and by which its peers know it, where cilium-config has another by now; where it was looked for. */
  runsAs?: string | undefined;
  /** For how long it keeps what a peer that fell silent has published, a Go duration; absent: for good. */
  keptFor?: string | undefined;
  /** Annotations by namespace; the namespaces that were not asked for are absent too. */
  namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** By {@link serviceKey}. */
  services: ReadonlyMap<string, ServiceFacts>;
}

/** How many of a cluster's backends new connections go to. */
export interface Use {
  cluster: string;
  backends: number;
  /** The connection to that cluster would not come back, what changes there is not noticed, or its answers may not arrive. */
  atRisk?: true | undefined;
  /** Nothing is heard of that cluster: agents use what they last heard of there, which may be others by now. The count is that of now. */
  lastHeard?: true | undefined;
}

/** A Service as one cluster has it. */
export interface ServiceDefinition extends Sharing {
  type: string;
  headless: boolean;
  /** Of a headless one: its DNS has backends of other clusters too. */
  mirrored?: true | undefined;
  /** `internalTrafficPolicy: Local`. */
  nodeLocal?: true | undefined;
  /** Of its addresses; absent where that is not known. */
  families?: readonly IpFamily[] | undefined;
  /** Whether the other clusters may use its backends: shared, and in a namespace that is global. */
  published: boolean;
  namespaceGlobal: boolean;
  /** Why its agents choose by zone or node before they look at the affinity; absent where they do not. */
  nearestFirst?: string | undefined;
  /** Whose requests go to its own backends only: kube-proxy serves them; absent where that is nobody's. */
  ownBackendsFor?: readonly KubeProxyClient[] | undefined;
  ports: readonly ServicePort[];
  selector: Readonly<Record<string, string>>;
  /** Ready backends. */
  ready: number;
  /** Of a dual-stack pod one: the first family's. */
  backends: readonly ServiceBackend[];
  /** What new connections from this cluster's pods go to, as far as clusters were read. */
  uses: readonly Use[];
  /** Ports for which none of these serves, as a {@link Survivor} has them; absent where there is none. */
  unserved?: readonly string[] | undefined;
  /** Clusters whose backends its agents would use, were they connected to them. */
  usesDisconnected: readonly string[];
  /** Those of them to which requests from some of its nodes go all the same; absent where there is none. */
  usesFromSome?: readonly string[] | undefined;
  /** Clusters without a backend to use by now, of which nothing is heard: what they last had may still be used; absent where there is none. */
  usesLastHeard?: readonly string[] | undefined;
  /** Clusters that were not read and whose backends its agents may use too: with affinity `remote` rather than these. */
  usesUnread: readonly string[];
}

export interface ServiceInCluster {
  cluster: string;
  context: string;
  namespaceExists: boolean;
  /** Absent where the cluster has no such Service. */
  definition?: ServiceDefinition | undefined;
}
