import type { CertificateFacts, TlsFiles, TlsSecretFacts, TrustBundle } from './certificates/certificate.ts';
import type { AddressPolicy } from './cilium/address-rules.ts';
import type { CiliumConfig } from './cilium/known-keys.ts';
import type { CiliumVersion, RunningVersion } from './cilium/versions/versions.ts';
import type { KubeObject, ObjectRef } from './objects/kube-object.ts';
import type { ClusterServices } from './services/service-facts.ts';

/** A node as far as Cluster Mesh needs it. */
export interface NodeFacts {
  name: string;
  ready: boolean;
  /** `spec.providerID`, e.g. `gce://project/zone/name`; absent on bare metal. */
  providerId?: string | undefined;
  labels: Readonly<Record<string, string>>;
  /** In the API server's order. */
  addresses: readonly { type: string; address: string }[];
  podCidrs: readonly string[];
  /** Cordoned. */
  unschedulable?: boolean | undefined;
  /** Absent when there are none. */
  taints?: readonly { key: string; value?: string; effect: string }[] | undefined;
}

/** A clustermesh-apiserver pod. */
export interface ApiserverPodFacts {
  name: string;
  /** Absent before it is scheduled. */
  node?: string | undefined;
  ready: boolean;
  /** Of its container `apiserver`, where that runs. */
  runs?: string | undefined;
}

/** A subnet of a cloud from which pods have their addresses. */
export interface PodSubnet {
  /** The network (VPC) that it is of, as far as it is named. */
  network?: string | undefined;
  cidr: string;
}

/** The cilium DaemonSet, and what of it runs: with `OnDelete`, or where a rollout is held up, that is something else for long. */
export interface AgentFacts {
  /**
   * That of the oldest agents which run, where their version is another one than the DaemonSet's: a feature is there only where they
   * have it, and nothing is to get ahead of them. Else the DaemonSet's, as written; so where their pods may not be listed.
   */
  image: string;
  /** The DaemonSet's, with which agents start from now on, where `image` is another one. */
  startsWith?: string | undefined;
  /** Versions of agents that run, most pods first; absent where pods were not, or may not be, listed. */
  running?: readonly RunningVersion[] | undefined;
  /** Versions of agents that do not run, or are not ready, and that none has which does; absent where there is none. */
  waiting?: readonly RunningVersion[] | undefined;
  /** As an agent tells it; asked only where the image does not. */
  version?: CiliumVersion | undefined;
  /** The Helm release that it is of. */
  release?: string | undefined;
  desired: number;
  ready: number;
}

/** An object that gives an account a part of its rights, and is not there, or gives nothing any more. */
export interface LostAccess extends ObjectRef {
  isEmptied?: true;
}

/** Everything read from one cluster in one pass. Plans and checks are pure functions of it. */
export interface ClusterSnapshot {
  /** The kubeconfig context it was read through. */
  context: string;
  /** The API server's URL. */
  server: string;
  /** Cilium's namespace. */
  namespace: string;
  /**
   * How far its API server's clock is ahead of the run's time, in milliseconds; behind is below zero, 0 what nobody minds. Absent where
   * no answer told. See `timeIn` (cluster-clocks.ts).
   */
  clockAheadMs?: number | undefined;
  /** Of the API server, e.g. `v1.36.1`. */
  kubernetesVersion?: string | undefined;
  /** `data` of ConfigMap cilium-config; undefined when there is none. */
  ciliumConfig?: CiliumConfig | undefined;
  /**
   * When `cluster-name` or `cluster-id` in it was last set at the latest, by its managedFields: the manager that set them
   * may have changed other keys since. Programs that started before may run with the former ones.
   */
  identitySetAt?: Date | undefined;
  /** The run that is at work at a rotation of its CA by now, with its machine; looked for only where a rotation has come into its middle. */
  rotatedBy?: { command: string; host: string; since: string } | undefined;
  /** The run that is at work at disabling it by now, with its machine; looked for by what enables or connects. */
  disabledBy?: { host: string; since: string } | undefined;
  /** Labels of Cilium's namespace; undefined when they were not read, or may not be. */
  namespaceLabels?: Readonly<Record<string, string>> | undefined;
  /** That namespace, where it is being deleted, with all that is in it and nothing more to come. */
  goingNamespace?: KubeObject | undefined;
  /** SHA-256 of the keys in Secret cilium-ipsec-keys, to compare; read where Cilium uses IPsec. */
  ipsecKeyDigest?: string | undefined;
  /** DaemonSet cilium; undefined when there is none. */
  agent?: AgentFacts | undefined;
  nodes: readonly NodeFacts[];
  /** Undefined when they were not read. */
  apiserverPods?: readonly ApiserverPodFacts[] | undefined;
  /**
   * What Cilium's IPAM gave to nodes, of all CiliumNodes: ranges, or with `ipam: crd` single addresses; undefined when
   * they were not read, or may not be.
   */
  ciliumPodCidrs?: readonly string[] | undefined;
  /** The subnets of the nodes' cloud interfaces, from the status of CiliumNodes; undefined as above. */
  podSubnets?: readonly PodSubnet[] | undefined;
  /** The primary ranges of the networks (VPCs) that they are in, of IPv4; undefined as above. */
  networkCidrs?: readonly string[] | undefined;
  /** The addresses of pods by CiliumEndpoints; read where nothing else tells them (`ipam: delegated-plugin`), undefined as above. */
  endpointAddresses?: readonly string[] | undefined;
  /** How to be let read those objects, where that was refused. */
  podRangesRefused?: string | undefined;
  /** The ranges of CiliumPodIPPools (`ipam: multi-pool`); undefined when they were not read, or may not be. */
  podPools?: readonly string[] | undefined;
  /**
   * From which Services have their addresses: the ranges of the ServiceCIDRs, which Kubernetes has from 1.33 on. Undefined
   * where it has none, and when they were not read, or may not be.
   */
  serviceCidrs?: readonly string[] | undefined;
  /** The Services that are global, and its namespaces; read for who connects it, undefined when they were not, or may not be. */
  globalServices?: Pick<ClusterServices, 'services' | 'namespaces'> | undefined;
  /** How to be let read those, where that was refused. */
  servicesRefused?: string | undefined;
  /**
   * The network policies with a selector that names no cluster, where that may mean pods of other clusters: `namespace/name`, in
   * order. Read as those are.
   */
  widePolicies?: readonly string[] | undefined;
  /** The network policies that say by address, or by entity, whom they mean, in order. Read as those are. */
  addressPolicies?: readonly AddressPolicy[] | undefined;
  /** How to be let read those, where that was refused. */
  policiesRefused?: string | undefined;
  /** Names of the API groups served, e.g. `metallb.io`. */
  apiGroups: readonly string[];
  /** Objects that tell what gives Services addresses, see load-balancer-capability.ts; read for enable only. */
  probed?: readonly KubeObject[] | undefined;
  /** Node ports of other Services than the clustermesh-apiserver's; read for enable only. */
  usedNodePorts?: readonly number[] | undefined;
  /** The live objects that meshctl may write, by {@link keyOf}; absent ones are absent. */
  objects: ReadonlyMap<string, KubeObject>;
  /** What the `*-cert` Secrets hold, by Secret name; absent when the Secret is missing or holds no readable certificate. */
  tlsSecrets: ReadonlyMap<string, TlsSecretFacts>;
  /** The CAs by which the clustermesh-apiserver verifies, or would, where they are not beside its certificates. */
  caBundle?: TrustBundle | undefined;
  /** Secret cilium-ca, where it is the CA of the mesh (`authorityOfMesh`). */
  ca?: CaFacts | undefined;
  /** The etcd users in ConfigMap clustermesh-remote-users (`users.yaml`); undefined when it, or that key of it, is not there. */
  remoteUsers?: readonly RemoteUser[] | undefined;
  /** Client certificates handed to this cluster for its peers, by peer name (from `<peer>.etcd-client.crt`). */
  peerCertificates: ReadonlyMap<string, TlsSecretFacts>;
  /**
   * TLS files with what is wrong with them, by the name of a `kubernetes.io/tls` Secret or by `<Secret>/<peer>` for the
   * files `<peer>.etcd-client…` in a Secret of peers. Only of Secrets that are there, and of peers with any such file.
   */
  tlsFiles?: ReadonlyMap<string, TlsFiles> | undefined;
  /** Of the clustermesh-apiserver's account and its rights what is not there; undefined where that is not known in full. */
  missingAccess?: readonly LostAccess[] | undefined;
  /** The id under which the clustermesh-apiserver describes the cluster in its etcd; asked only where its pods have no mark of it. */
  servedId?: number | undefined;
  /** The users of peers that etcd has; asked only where the list of users is lost or cannot be read. */
  servedUsers?: readonly string[] | undefined;
  /** The peers that agents have mounted, whatever is in the Secrets by now; asked only where etcd did not tell its users. */
  mountedPeers?: readonly string[] | undefined;
  /** What else may not be read; absent where nothing of it was refused. */
  refused?: ReadonlySet<Refused> | undefined;
  /** What was not read, or may not be, by {@link keyOf}: whether it is there is not known. */
  unread?: ReadonlySet<string> | undefined;
}

/** What is no object that is known by its name: the ranges of Services, the keys of IPsec, the labels of Cilium's namespace. */
export type Refused = 'service-cidrs' | 'ipsec-keys' | 'namespace';

/** Secret cilium-ca as facts. */
export interface CaFacts {
  certificate: CertificateFacts;
  /** Every certificate of the Secret's bundle, in its order; absent means that `certificate` is the only one. */
  bundle?: readonly CertificateFacts[] | undefined;
  /** PEM; not secret. */
  certificatePem: string;
  /** False for a CA whose key is kept elsewhere (cert-manager without `ca.key`). */
  hasKey: boolean;
  keyMatches: boolean;
  /** There is a field for it, with nothing in it. */
  keyIsEmpty?: true | undefined;
}

/** An etcd user that a peer may log in as. */
export interface RemoteUser {
  name: string;
  /** `remote` for peers. */
  role: string;
}
