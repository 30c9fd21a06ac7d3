import { familyOf } from '../mesh/cilium/cidr.ts';
import { createAuthority } from '../pki/authority.ts';
import { generateEcKey } from '../pki/certificate.ts';
import { issueCertificate } from '../pki/issue.ts';
import type { ApiServer, PodRuntime, RequestHandlers } from './apiserver/api.ts';
import { MASTERS } from './apiserver/auth/authentication.ts';
import { ApiError } from './apiserver/errors.ts';
import { startApiServer } from './apiserver/server.ts';
import type { Store, StoreEvent } from './apiserver/storage/object-store.ts';
import { ciliumConfigOf } from './cilium/cilium-config.ts';
import { isPublished } from './cilium/cluster-state.ts';
import type { Datapath } from './cilium/datapath.ts';
import { allowsOutside } from './cilium/outside-policy.ts';
import type { OwnCluster } from './cilium/peers.ts';
import { allowsIngress } from './cilium/policy.ts';
import type { Controller, ControllerWorld } from './controllers/controller.ts';
import { createDaemonSetController } from './controllers/daemon-set.ts';
import { createDeploymentController } from './controllers/deployment.ts';
import { createEndpointSliceController } from './controllers/endpoint-slice.ts';
import { createKubelet, type Kubelet } from './controllers/kubelet.ts';
import { createLoadBalancerController, type LoadBalancers } from './controllers/load-balancer.ts';
import { createNamespaceController } from './controllers/namespace.ts';
import { createNetworkRuleController } from './controllers/network-rule.ts';
import { createReplicaSetController } from './controllers/replica-set.ts';
import { createScheduler } from './controllers/scheduler.ts';
import { createWorkQueue } from './controllers/work-queue.ts';
import { loadBalancerAddress } from './fixtures/addresses.ts';
import { type CaPem, ciliumObjects } from './fixtures/cilium-install.ts';
import { pullTrouble } from './fixtures/images.ts';
import { kubernetesService, serviceRange } from './fixtures/kubernetes.ts';
import { nodeObjects } from './fixtures/nodes.ts';
import { providerProfile } from './fixtures/providers.ts';
import { type Pod, podIps, type Service, typeOf } from './objects.ts';
import type { ClusterProfile, SandboxOptions, SandboxTimings } from './options.ts';
import type { VirtualNetwork } from './pods/network.ts';
import { createPodRuntime } from './pods/pod-runtime.ts';
import type { ContainerContext, ContainerProcess } from './pods/process.ts';
import type { Routers } from './pods/routers.ts';
import { runAgent } from './programs/agent.ts';
import { isApiserverProcess, runApiserver } from './programs/apiserver.ts';
import { type HealthServer, startHealthServer } from './programs/cilium-health.ts';
import { runEtcd } from './programs/etcd.ts';
import { runKvstoremesh } from './programs/kvstoremesh.ts';
import { runWorkload } from './programs/workload.ts';
import { untilSettled } from './settled.ts';

const KUBERNETES_VERSION = 'v1.36.1';

/** A running cluster of a sandbox, with what tests and demonstrations may break. */
export interface SandboxCluster {
  /** Cilium's cluster-name. */
  name: string;
  id: number;
  /** The kubeconfig context. */
  context: string;
  /** Cilium's. */
  namespace: string;
  /** The API server's address. */
  url: string;
  /** What the API server answers with, for clients of the same process. */
  handlers: RequestHandlers;
  store: Store;
  /** What runs in its pods, without the API server before it. */
  runtime: PodRuntime;
  /** The CA in Secret cilium-ca as the sandbox made it; for tests that issue certificates of their own. */
  ca: CaPem | undefined;
  /** For the kubeconfig: the administrator's credentials. None are needed through a proxy. */
  access: { ca: string; certificate: string; privateKey: string } | undefined;
  /** While set, LoadBalancer Services without an address stay so. */
  setLoadBalancersPending(pending: boolean): void;
  /** Ends a pod's programs and keeps them down, as if they hung: the pod stays, not ready. */
  stopPod(namespace: string, name: string): void;
  startPod(namespace: string, name: string): void;
  /** Resolves when all Deployments and DaemonSets are fully ready. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface ClusterOptions {
  profile: ClusterProfile;
  /** What Secret cilium-ca holds; undefined for no Secret. */
  ca: CaPem | undefined;
  network: VirtualNetwork;
  routers: Routers;
  timings: SandboxTimings;
  now(): Date;
  onError(error: unknown): void;
  intercept?: SandboxOptions['intercept'];
  proxied?: SandboxOptions['proxied'];
}

const ADMINISTRATOR = { user: 'sandbox-admin', groups: [MASTERS] };

/** Starts a cluster and installs Cilium in it; resolves when all its pods are ready. */
export async function startCluster(options: ClusterOptions): Promise<SandboxCluster> {
  const { profile, network, timings, now, onError, intercept, proxied } = options;
  const provider = providerProfile(profile.provider);
  const kubernetesVersion = `${KUBERNETES_VERSION}${provider.versionSuffix}`;
  const { authority, serving, admin } = await kubernetesCertificates(profile.context);
  let runtime: PodRuntime | undefined;
  const running = () => {
    if (!runtime) throw new ApiError(503, 'ServiceUnavailable', 'the sandbox is still starting');
    return runtime;
  };
  const server = await startApiServer({
    name: profile.context,
    ...serving,
    clientCa: authority.certificate,
    kubernetesVersion,
    runtime: {
      exec: async (request) => running().exec(request),
      portForward: async (...pod) => running().portForward(...pod),
      logs: (...container) => running().logs(...container),
    },
    proxiedAs: proxied ? ADMINISTRATOR : undefined,
    ...(intercept ? { intercept: (request) => intercept(profile.context, request) } : {}),
  });
  const { store } = server;
  const world: ControllerWorld = { store, now, queue: createWorkQueue(onError) };
  const loadBalancers = loadBalancersOf(profile);
  const balancer = createLoadBalancerController(world, loadBalancers);
  const datapaths = new Map<string, Datapath>();
  network.attach({
    name: profile.site,
    store,
    loadBalancerAddresses: balancer.addresses,
    admits(source, address) {
      const target = (store.list(typeOf('Pod')) as Pod[]).find((pod) => hasAddress(pod, address));
      return target === undefined || allowsIngress(store, profile.name, target, source);
    },
    admitsOutside(address, port) {
      const target = (store.list(typeOf('Pod')) as Pod[]).find((pod) => hasAddress(pod, address));
      return target === undefined || allowsOutside(store, target, port, familyOf(address));
    },
    findsWayTo: (address, node) => datapaths.get(node)?.findsWayTo(address) ?? false,
  });
  options.routers.attach({ name: profile.site, store, subnet: profile.subnet });
  const health = startHealthServer();
  const kubelet = createKubelet(world, timings, {
    pullTrouble: (image) => pullTrouble(image, profile.ciliumVersion),
    start: (context) => startProgram(context, options, { store, datapaths, health }),
  });
  runtime = createPodRuntime(kubelet, timings.execDelayMs);
  const unsubscribe = startControllers(world, [
    createDeploymentController(world),
    createReplicaSetController(world),
    createDaemonSetController(world),
    createScheduler(world),
    kubelet.controller,
    balancer.controller,
    createEndpointSliceController(world),
    createNamespaceController({ ...world, store }, authority.certificate),
    createPublisher(world, kubelet),
    createNetworkRuleController(network),
  ]);
  for (const object of [
    serviceRange(profile),
    ...kubernetesService(server.url, profile.ipFamilies),
    ...nodeObjects(profile, kubernetesVersion, now()),
    ...ciliumObjects(profile, options.ca),
  ]) {
    store.create(object, 'helm');
  }
  const settled = () => untilSettled(store);
  await settled();
  return {
    name: profile.name,
    id: profile.id,
    context: profile.context,
    namespace: profile.namespace,
    url: server.url,
    handlers: server.handlers,
    store,
    runtime,
    ca: options.ca,
    access: proxied ? undefined : { ca: authority.certificate, ...admin },
    setLoadBalancersPending(pending) {
      loadBalancers.pending = pending;
      balancer.resync();
    },
    stopPod: kubelet.stop,
    startPod: kubelet.start,
    settled,
    async close() {
      health.close();
      await stop(server, world, kubelet, unsubscribe);
    },
  };
}

/** For the API server and its administrator. They follow the machine's clock, for the clients are real. */
async function kubernetesCertificates(context: string) {
  const authority = await createAuthority({ commonName: `${context} sandbox`, key: generateEcKey() });
  const serving = await issueCertificate(
    authority,
    {
      commonName: 'kube-apiserver',
      usages: ['server'],
      dnsNames: ['localhost', 'kubernetes.default.svc'],
      ipAddresses: ['127.0.0.1'],
    },
    { key: generateEcKey() },
  );
  const admin = await issueCertificate(
    authority,
    {
      commonName: ADMINISTRATOR.user,
      organization: MASTERS,
      usages: ['client'],
      dnsNames: [],
      ipAddresses: [],
    },
    { key: generateEcKey() },
  );
  return { authority, serving, admin };
}

async function stop(server: ApiServer, world: ControllerWorld, kubelet: Kubelet, unsubscribe: () => void) {
  unsubscribe();
  world.queue.close();
  kubelet.close();
  await server.close();
}

function startControllers({ store }: ControllerWorld, controllers: readonly Controller[]): () => void {
  return store.subscribe((event) => {
    for (const controller of controllers) controller(event);
  });
}

/** Lets the running clustermesh-apiservers publish the cluster's state after it has changed. */
function createPublisher(world: ControllerWorld, kubelet: Kubelet): Controller {
  return ({ object }: StoreEvent) => {
    if (!isPublished(object)) return;
    world.queue.add('Publisher', () => {
      for (const process of kubelet.processes()) {
        if (isApiserverProcess(process)) process.publish();
      }
    });
  };
}

function loadBalancersOf(profile: ClusterProfile): LoadBalancers {
  const { loadBalancer, region } = providerProfile(profile.provider);
  return {
    pending: false,
    kind: loadBalancer,
    address: (index, isPublic, family) => loadBalancerAddress(profile.subnet, index, isPublic, family),
    hostname: ({ metadata }: Service) =>
      `internal-${metadata.uid?.replaceAll('-', '')}-sandbox.${region}.elb.amazonaws.com`,
  };
}

/** Chooses the stand-in for a container by the program that it runs. */
function startProgram(
  context: ContainerContext,
  options: ClusterOptions,
  { store, datapaths, health }: { store: Store; datapaths: Map<string, Datapath>; health: HealthServer },
): ContainerProcess {
  const { profile, network, routers, timings, now } = options;
  const [program = '', command] = context.argv;
  const file = program.split('/').pop();
  const own = ownCluster(context, profile);
  const { deviceMtu } = providerProfile(profile.provider);
  const mesh = { own, network, timings, now, honoursAliases: atLeast(imageVersion(context), 1, 20) };
  if (file === 'cilium-agent') {
    const version = imageVersion(context);
    return runAgent(context, { ...mesh, version, store, datapaths, routers, health, deviceMtu });
  }
  if (file === 'etcd')
    return runEtcd(context, {
      site: profile.site,
      clusterName: ciliumConfigOf(store)['cluster-name'] ?? profile.name,
      network,
      now,
    });
  if (file === 'clustermesh-apiserver' && command === 'clustermesh')
    return runApiserver(context, { own, store, network, now });
  if (file === 'clustermesh-apiserver' && command === 'kvstoremesh') return runKvstoremesh(context, mesh);
  return runWorkload(context, { clusterName: profile.site, network, datapaths, deviceMtu, now });
}

/** Whether it is a pod's own address; a pod that uses its node's network has none, and policies do not select it. */
function hasAddress(pod: Pod, address: string): boolean {
  return podIps(pod).includes(address) && !pod.spec.hostNetwork;
}

/** What a program takes its cluster for, as it was told when it started: by its flags, an agent by its ConfigMap. */
function ownCluster({ argv, files }: ContainerContext, profile: ClusterProfile): OwnCluster {
  const flag = (name: string) => argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
  const told = (name: string) => flag(name) ?? files().get(`/tmp/cilium/config-map/${name}`)?.toString();
  return {
    site: profile.site,
    name: told('cluster-name') ?? profile.name,
    id: Number(told('cluster-id') ?? profile.id),
    maxConnectedClusters: Number(told('max-connected-clusters') ?? profile.maxConnectedClusters),
  };
}

function imageVersion({ container }: ContainerContext): string {
  return /:v?(\d+\.\d+\.\d+[^@]*)/.exec(container.image)?.[1] ?? '0.0.0';
}

function atLeast(version: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a > major || (a === major && b >= minor);
}
