import { applySteps } from '../kube/apply.ts';
import { readSnapshot } from '../kube/snapshot.ts';
import { waitForObject } from '../kube/wait.ts';
import { loadTemplates, type Templates } from '../manifests/load.ts';
import { renderClusterMesh } from '../manifests/render.ts';
import { isRolledOut } from '../mesh/apiserver-deployment.ts';
import { readCiliumInstall } from '../mesh/cilium-install.ts';
import { certificateSpecs } from '../mesh/cluster-certificates.ts';
import { awaitsAddress, type EnableChoices, type EnableSettings, planEnable, settleEnable } from '../mesh/enable.ts';
import { hostPort, loadBalancerHosts, serviceEndpoints } from '../mesh/endpoints.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { requireIdentity } from '../mesh/identity.ts';
import { type KubeObject, refOf } from '../mesh/kube-object.ts';
import {
  APISERVER,
  APISERVER_SELECTOR,
  apiserverDeploymentRef,
  apiserverServiceRef,
  CA_SECRET,
} from '../mesh/names.ts';
import type { Plan, Step } from '../mesh/plan.ts';
import type { ClusterSnapshot } from '../mesh/snapshot.ts';
import { type CiliumVersion, formatVersion, supportedRange } from '../mesh/versions.ts';
import { during, type Flow, type Target } from './flow.ts';
import { type Authorities, materialise, readAuthorities } from './materialise.ts';

export interface EnableOptions extends EnableChoices {
  ciliumVersion?: CiliumVersion | undefined;
  image?: string | undefined;
  /** For the load balancer's address and for the pods, each. */
  waitMs: number;
}

/** What became of one cluster. */
export interface EnableOutcome {
  context: string;
  cluster: { name: string; id: number };
  ciliumVersion: string;
  service: { type: string; evidence: readonly string[]; endpoints: readonly string[] };
  kvstoremesh: boolean;
  /** In the order in which they were done, `keep` included. */
  steps: readonly Step[];
}

interface Draft {
  snapshot: ClusterSnapshot;
  cluster: { name: string; id: number };
  version: CiliumVersion;
  settings: EnableSettings;
  plan: Plan;
}

/**
 * Enables Cluster Mesh in one cluster: first the CA and the Service, whose address the server certificate must cover, then
 * everything else, then waits for the pods. Nothing is put back on failure: the next run goes on where this one stopped.
 */
export async function enableCluster(flow: Flow, target: Target, options: EnableOptions): Promise<EnableOutcome> {
  const { context } = target.client;
  const templates = await loadTemplates(flow.packageRoot);
  const draft = await during(flow, `${context}: reading the cluster`, () => prepare(flow, target, templates, options));
  if (draft.settings.exposure.warning) {
    flow.progress.warn(`${context}: Service type ${draft.settings.exposure.type}: ${draft.settings.exposure.warning}`);
  }

  const foundation = draft.plan.steps.filter(isFoundation);
  await applyAll(flow, target, foundation, new Map());
  if (awaitsAddress(draft.snapshot)) await awaitAddress(flow, target, draft, options.waitMs);

  const changed = foundation.some(({ action }) => action !== 'keep');
  const final = changed || awaitsAddress(draft.snapshot) ? await prepare(flow, target, templates, options) : draft;
  const rest = final.plan.steps.filter((step) => !isFoundation(step));
  await applyAll(flow, target, rest, await readAuthorities([target], rest));
  await awaitRollout(flow, target, options.waitMs);

  const endpoints = serviceEndpoints(final.snapshot);
  // The first look says why: by the second one, the Service is there because of it.
  const { type, evidence } = draft.settings.exposure;
  return {
    context,
    cluster: final.cluster,
    ciliumVersion: formatVersion(final.version),
    service: {
      type,
      evidence,
      endpoints: endpoints ? endpoints.hosts.map((host) => hostPort(host, endpoints.port)) : [],
    },
    kvstoremesh: final.settings.kvstoremesh,
    steps: [...foundation, ...rest],
  };
}

/** What enable would do in one cluster, as far as can be told before the Service has its address. */
export interface EnablePlan {
  steps: readonly Step[];
  /** How the plan came about, for people. */
  notes: readonly string[];
}

/** Plans, and changes nothing. */
export async function planEnableCluster(flow: Flow, target: Target, options: EnableOptions): Promise<EnablePlan> {
  const templates = await loadTemplates(flow.packageRoot);
  const { context } = target.client;
  const { plan, settings, version } = await during(flow, `${context}: reading the cluster`, () =>
    prepare(flow, target, templates, options),
  );
  const { type, evidence, warning } = settings.exposure;
  return {
    steps: plan.steps,
    notes: [
      `Cilium ${formatVersion(version)}`,
      `Service type ${type}: ${evidence.join('; ')}${warning ? ` (${warning})` : ''}`,
    ],
  };
}

/** Reads the cluster and plans; the plan is a function of what was read. */
async function prepare(flow: Flow, target: Target, templates: Templates, options: EnableOptions): Promise<Draft> {
  const { client, namespace } = target;
  const refs = Object.values(templates).map((template) => {
    const ref = refOf(template);
    return ref.namespace === undefined ? ref : { ...ref, namespace };
  });
  const snapshot = await readSnapshot(client, { namespace, purpose: 'enable', refs });
  const identity = requireIdentity(snapshot);
  const overrides = { version: options.ciliumVersion, apiserverImage: options.image };
  const install = readCiliumInstall(snapshot, overrides);
  if (install.untested) {
    const range = supportedRange();
    flow.progress.warn(
      `${client.context}: Cilium ${formatVersion(install.version)} is newer than this meshctl knows (${range}); the newest objects are used`,
    );
  }
  const settings = settleEnable(snapshot, identity, options);
  const { exposure, nodePort, replicas, kvstoremesh } = settings;
  const objects = renderClusterMesh(templates, {
    ciliumVersion: install.version,
    image: install.apiserverImage,
    namespace,
    clusterName: identity.name,
    maxConnectedClusters: identity.maxConnectedClusters,
    settings: install.settings,
    serviceType: exposure.type,
    serviceAnnotations: exposure.annotations,
    nodePort,
    replicas,
    kvstoremesh,
  });
  const certificates = certificateSpecs({
    clusterName: identity.name,
    namespace,
    serviceAddresses: serviceEndpoints(snapshot)?.hosts ?? [],
    kvstoremesh,
  });
  const plan = planEnable({ snapshot, objects, certificates, now: flow.now() });
  return { snapshot, cluster: { name: identity.name, id: identity.id }, version: install.version, settings, plan };
}

/** The steps after which the Service gets its address. */
function isFoundation({ object }: Step): boolean {
  return object.name === CA_SECRET || (object.kind === 'Service' && object.name === APISERVER);
}

async function applyAll(
  flow: Flow,
  { client }: Target,
  steps: readonly Step[],
  authorities: Authorities,
): Promise<void> {
  const writes = steps.filter(({ action }) => action !== 'keep');
  if (writes.length === 0) return;
  await during(flow, `${client.context}: applying ${writes.length} objects`, async (task) => {
    const { error } = await applySteps(client, steps, {
      materialise: (step) => materialise(step, authorities, flow.now()),
      onStep: ({ object }) => task.update(`${client.context}: applying ${object.kind} ${object.name}`),
      signal: flow.signal,
    });
    if (error) throw error;
    task.update(`${client.context}: applied ${writes.length} objects`);
  });
}

async function awaitAddress(flow: Flow, { client, namespace }: Target, draft: Draft, waitMs: number): Promise<void> {
  const { type } = draft.settings.exposure;
  if (type !== 'LoadBalancer') return;
  const ref = apiserverServiceRef(namespace);
  const hosts = (service: KubeObject | undefined): string[] | undefined => {
    const found = service ? loadBalancerHosts(service) : [];
    return found.length > 0 ? found : undefined;
  };
  try {
    await during(
      flow,
      `${client.context}: waiting for the address of the load balancer`,
      () =>
        waitForObject(client, ref, hosts, {
          timeoutMs: waitMs,
          signal: flow.signal,
          waitingFor: `Service ${namespace}/${APISERVER} to get an address`,
        }),
      (found) => `${client.context}: load balancer at ${found.join(', ')}`,
    );
  } catch (error) {
    if (!(error instanceof MeshctlError) || error.code !== 'Timeout') throw error;
    throw new MeshctlError(
      'Timeout',
      `context "${client.context}": the load balancer of Service ${namespace}/${APISERVER} has no address after ${waitMs / 1000} s`,
      {
        hint:
          `See the Service's events: kubectl --context ${client.context} -n ${namespace} describe service ${APISERVER}. ` +
          'Without a load balancer use --service-type NodePort. Run the same command again to go on.',
        details: { context: client.context, object: `Service ${namespace}/${APISERVER}` },
        cause: error,
      },
    );
  }
}

async function awaitRollout(flow: Flow, { client, namespace }: Target, waitMs: number): Promise<void> {
  const ref = apiserverDeploymentRef(namespace);
  const ready = (deployment: KubeObject | undefined): true | undefined =>
    deployment && isRolledOut(deployment) ? true : undefined;
  try {
    await during(
      flow,
      `${client.context}: waiting for the clustermesh-apiserver`,
      () =>
        waitForObject(client, ref, ready, {
          timeoutMs: waitMs,
          signal: flow.signal,
          waitingFor: `Deployment ${namespace}/${APISERVER} to become ready`,
        }),
      () => `${client.context}: clustermesh-apiserver is ready`,
    );
  } catch (error) {
    if (!(error instanceof MeshctlError) || error.code !== 'Timeout') throw error;
    throw new MeshctlError(
      'Timeout',
      `context "${client.context}": Deployment ${namespace}/${APISERVER} is not ready after ${waitMs / 1000} s`,
      {
        hint:
          `See why: kubectl --context ${client.context} -n ${namespace} describe pods -l ${APISERVER_SELECTOR}. ` +
          'Run the same command again to go on.',
        details: { context: client.context, object: `Deployment ${namespace}/${APISERVER}` },
        cause: error,
      },
    );
  }
}
