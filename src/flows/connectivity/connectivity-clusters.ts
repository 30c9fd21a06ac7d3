import {
  CLIENT_DEPLOYMENT,
  type ConnectivityObjects,
  echoDeploymentName,
  renderConnectivity,
} from '../../manifests/connectivity.ts';
import { isRolledOut } from '../../mesh/apiserver/deployment.ts';
import { familyOf, IP_FAMILIES } from '../../mesh/cilium/cidr.ts';
import type { Clock } from '../../mesh/clock.ts';
import { kubectlCommand } from '../../mesh/command-line.ts';
import type { Leftover, Sample } from '../../mesh/connectivity/connectivity.ts';
import {
  echoPodsOf,
  endedAt,
  type Requests,
  readSamples,
  requestCommand,
} from '../../mesh/connectivity/connectivity-requests.ts';
import type { TestedAddresses } from '../../mesh/connectivity/tested-families.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { otherRun } from '../../mesh/hold.ts';
import { describeRef, type KubeObject, refOf } from '../../mesh/objects/kube-object.ts';
import { COMPONENT, isMadeBy } from '../../mesh/objects/ownership.ts';
import { CONNECTIVITY_TESTER } from '../../mesh/objects/package-roles.ts';
import { isPodReady, livingPods, podAddresses } from '../../mesh/objects/pods.ts';
import { clusterAddresses } from '../../mesh/objects/service.ts';
import { workloadSpec } from '../../mesh/objects/workload.ts';
import { isWithoutImage } from '../../mesh/objects/workload-trouble.ts';
import { waitForWorkload } from '../await-workload.ts';
import { firstLine } from '../first-line.ts';
import type { Flow } from '../flow.ts';
import { othersInNamespace, whyNamespaceStays } from '../others-in-namespace.ts';
import { asLackOf, type LackedRole, removalHint } from '../own-namespace.ts';
import type { ServiceCluster } from '../services/read-service-clusters.ts';

export const ECHO_SERVICE = 'echo';
/** Of the Service and of the echo pods. */
export const SERVICE_PORT = 80;
export const ECHO_PORT = 8080;

const APP_LABEL = 'app.kubernetes.io/name';
/** Of everything that the test makes. */
export const TEST = 'connectivity-test';
const OF_TEST = `${COMPONENT}=${TEST}`;
const CLIENT_CONTAINER = 'client';
/** For removing everything, also after Ctrl-C. */
const CLEAN_UP_MS = 60_000;
/** For an exec beyond what its requests take. */
const EXEC_SLACK_MS = 15_000;

/** One cluster that takes part in the test, with what the test put into it. */
export interface TestCluster {
  /** In the mesh. */
  name: string;
  member: ServiceCluster;
  namespace: string;
  objects: ConnectivityObjects;
  /** What grants the rights of whoever deploys it, for a hint. */
  rights: LackedRole;
}

/** The clusters with what would be deployed; nothing is written yet. */
export function prepareClusters(
  flow: Flow,
  members: readonly ServiceCluster[],
  { namespace, image }: { namespace: string; image: string },
): Promise<TestCluster[]> {
  return Promise.all(
    members.map(async (member) => {
      const name = member.cluster;
      const objects = await renderConnectivity(flow.installation, { namespace, cluster: name, image });
      const place = { context: member.client.context, namespace, ciliumNamespace: member.namespace };
      const rights = { role: CONNECTIVITY_TESTER, installation: flow.installation, ...place };
      return { name, member, namespace, objects, rights };
    }),
  );
}

/** What the test puts into its namespace, in the order in which it is removed. */
export function objectsOfTest({
  name,
  objects: { policy, workload },
}: Pick<TestCluster, 'name' | 'objects'>): KubeObject[] {
  return [policy(name), ...workload.toReversed()];
}

/**
 * Deploys the echo server and the client to the namespace that is made for them, and waits until they run: one that somebody has
 * removed meanwhile is not made again, since it would be nobody's at the end.
 * @throws MeshctlError `Timeout` when pods do not become ready, and what the API server refuses
 */
export async function deploy(flow: Flow, cluster: TestCluster, waitMs: number): Promise<void> {
  const { client } = cluster.member;
  const { workload } = cluster.objects;
  try {
    // An interrupted run may have left one.
    await client.delete(refOf(cluster.objects.policy(cluster.name)));
    for (const object of workload) await client.apply(object, { force: true });
  } catch (error) {
    throw asLackOf(cluster.rights, error);
  }
  for (const object of workload) {
    if (object.kind === 'Deployment') await awaitRollout(flow, cluster, object, waitMs);
  }
}

const IMAGE_HINT =
  'Give an image that the nodes can pull with --image: it answers HTTP on port 8080 at /hostname, and has curl and sleep. ' +
  'The default is agnhost, which Kubernetes tests itself with.';

async function awaitRollout(flow: Flow, cluster: TestCluster, deployment: KubeObject, waitMs: number): Promise<void> {
  const { client } = cluster.member;
  const ref = refOf(deployment);
  const selector = `${APP_LABEL}=${workloadSpec(deployment).selector?.matchLabels?.[APP_LABEL]},${OF_TEST}`;
  let said: string | undefined;
  try {
    await waitForWorkload(client, ref, (live) => (live && isRolledOut(live) ? true : undefined), {
      selector,
      timeoutMs: waitMs,
      signal: flow.signal,
      waitingFor: `${describeRef(ref)} to be ready`,
      say: (trouble) => {
        said = trouble;
      },
    });
  } catch (error) {
    if (!(error instanceof MeshctlError) || error.code !== 'Timeout') throw error;
    // The test takes its pods away again, so what they say now is all that there will be to see.
    throw new MeshctlError('Timeout', said === undefined ? error.message : `${error.message}: ${said}`, {
      hint:
        said !== undefined && isWithoutImage({ says: said })
          ? IMAGE_HINT
          : 'To look at the pods, run it again with --keep, and then ' +
            kubectlCommand({ context: client.context, namespace: cluster.namespace }, ['get', 'pods', '-o', 'wide']),
      cause: error,
      details: { ...error.details, reasons: said === undefined ? [] : [said] },
    });
  }
}

/** Sets the affinity of a cluster's echo Service. */
export async function setAffinity({ member, objects }: TestCluster, affinity: 'none' | 'local' | 'remote') {
  const service = objects.workload.find(({ kind }) => kind === 'Service');
  if (!service) throw new MeshctlError('Bug', 'the connectivity test has no Service');
  await member.client.patch(refOf(service), { metadata: { annotations: { 'service.cilium.io/affinity': affinity } } });
}

/** The Deployment of a cluster's echo pods. */
function echoDeployment(cluster: TestCluster): KubeObject {
  return deploymentOf(cluster, echoDeploymentName(cluster.name));
}

/** The Deployment of a cluster's client. */
export function clientDeployment(cluster: TestCluster): KubeObject {
  return deploymentOf(cluster, CLIENT_DEPLOYMENT);
}

function deploymentOf({ objects }: TestCluster, name: string): KubeObject {
  const deployment = objects.workload.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === name);
  if (!deployment) throw new MeshctlError('Bug', `the connectivity test has no Deployment ${name}`);
  return deployment;
}

/** Scales the echo pods, and for more than none waits until they are ready. */
export async function scaleEcho(flow: Flow, cluster: TestCluster, replicas: number, waitMs: number): Promise<void> {
  const deployment = echoDeployment(cluster);
  await cluster.member.client.patch(refOf(deployment), { spec: { replicas } });
  if (replicas > 0) await awaitRollout(flow, cluster, deployment, waitMs);
}

/** How many pods the echo server of a cluster has, as it was deployed. */
export function replicasOfEcho(cluster: TestCluster): number {
  return (echoDeployment(cluster).spec as { replicas: number }).replicas;
}

/** The addresses of a cluster's ready echo pods: of each its primary one, or that of a family where it has one. */
export async function echoAddresses(cluster: TestCluster, family?: 4 | 6): Promise<string[]> {
  const pods = await podsOf(cluster, ECHO_SERVICE);
  const isMeant = (address: string) => family === undefined || familyOf(address) === family;
  return pods.flatMap((pod) => podAddresses(pod).find(isMeant) ?? []);
}

/** The addresses of what was deployed to a cluster. */
export async function testedAddressesOf(cluster: TestCluster): Promise<TestedAddresses> {
  const { name, member, objects } = cluster;
  const service = objects.workload.find(({ kind }) => kind === 'Service');
  const [live, ...pods] = await Promise.all([
    service && member.client.get(refOf(service)),
    podsOf(cluster, ECHO_SERVICE),
    podsOf(cluster, CLIENT_CONTAINER),
  ]);
  const addresses = pods.flat().map((pod) => podAddresses(pod).map(familyOf));
  const hasAll = (family: 4 | 6) => addresses.length > 0 && addresses.every((families) => families.includes(family));
  return { name, service: clusterAddresses(live), pods: IP_FAMILIES.filter(hasAll) };
}

async function podsOf({ member, namespace }: TestCluster, app: string): Promise<KubeObject[]> {
  const labelSelector = `${APP_LABEL}=${app},${OF_TEST}`;
  const pods = await member.client.listAll(livingPods(namespace, labelSelector));
  return pods.filter(isPodReady);
}

/**
 * Requests from a cluster's client.
 * @param clusters that may answer
 * @returns the samples, on that clock: how long an outage lasts must not hang on whoever sets this machine's meanwhile
 * @throws MeshctlError `ExecFailed` where curl cannot run as it should
 */
export async function ask(
  clock: Pick<Clock, 'ms'>,
  cluster: TestCluster,
  requests: Requests,
  clusters: readonly string[],
): Promise<Sample[]> {
  const { client } = cluster.member;
  const [pod] = await podsOf(cluster, CLIENT_CONTAINER);
  if (!pod) {
    throw new MeshctlError('NotFound', `context "${client.context}": no client pod is ready in ${cluster.namespace}`, {
      hint: 'It was running when the test began: see what happened to its node.',
      details: { context: client.context },
    });
  }
  const command = requestCommand(requests);
  const { stdout, stderr, exitCode } = await client.exec({
    namespace: cluster.namespace,
    pod: pod.metadata.name,
    container: CLIENT_CONTAINER,
    command,
    timeoutMs: requests.count * Math.max(requests.timeoutMs, 1000 / (requests.perSecond ?? 1000)) + EXEC_SLACK_MS,
  });
  const endMs = clock.ms();
  const samples = readSamples(stdout, { answererOf: echoPodsOf(clusters), perSecond: requests.perSecond });
  if (samples.length === 0) {
    throw new MeshctlError(
      'ExecFailed',
      `context "${client.context}": curl in Pod ${cluster.namespace}/${pod.metadata.name} ended with ${exitCode} and no result`,
      {
        hint: `The image must have curl 7.84 or newer (--image). It said: ${firstLine(stderr) || 'nothing'}`,
        details: { context: client.context },
      },
    );
  }
  return endedAt(samples, endMs);
}

/** What was removed: the namespace, what the test put into somebody's namespace, or nothing, for nothing of the test was there. */
export type Removed = 'namespace' | 'objects' | 'nothing';

/**
 * Removes what the test made. Goes on after Ctrl-C.
 * @param run whose place it is: where another has taken it, everything there is the other's
 * @param made the namespace where this run has made it: that very one goes without a look, which may be forbidden
 * @returns what is left where not all can be removed, of which it warns
 */
export async function cleanUp(
  flow: Flow,
  cluster: TestCluster,
  run: string,
  made?: KubeObject,
): Promise<Removed | Leftover> {
  const { client } = cluster.member;
  const { namespace } = cluster.objects;
  const signal = AbortSignal.timeout(CLEAN_UP_MS);
  try {
    const live = await client.get(refOf(namespace), { signal });
    if (!live) return 'nothing';
    const marked = await client.get(refOf(clientDeployment(cluster)), { signal });
    if (otherRun('connectivity-test', marked, run, client.now())) return 'nothing';
    if (isMadeBy(TEST, live)) {
      // One that an earlier run left (--keep) may have what is others' by now.
      const look = () => othersInNamespace(client, namespace.metadata.name, (one) => isMadeBy(TEST, one), signal);
      const why = live.metadata.uid === made?.metadata.uid ? undefined : whyNamespaceStays(await look());
      if (why === undefined) {
        await client.delete(refOf(live), { signal, uid: live.metadata.uid });
        return 'namespace';
      }
      const context = `context "${client.context}"`;
      flow.progress.warn(
        `${context}: namespace ${namespace.metadata.name} stays, since ${why}; what the test made there goes`,
      );
    }
    let removed: Removed = 'nothing';
    for (const ref of objectsOfTest(cluster).map(refOf)) {
      const object = await client.get(ref, { signal });
      if (!object || !isMadeBy(TEST, object)) continue;
      await client.delete(ref, { signal, uid: object.metadata.uid });
      removed = 'objects';
    }
    return removed;
  } catch (error) {
    // Never the namespace itself, which may have been there before, and have what is others' in it.
    const place = { context: client.context, namespace: cluster.namespace };
    const kinds = 'ciliumnetworkpolicies,deployments,services';
    const hint = removalHint(cluster.rights, error, kubectlCommand(place, ['delete', kinds, '-l', OF_TEST]));
    const message = `could not remove what the test put into namespace ${cluster.namespace}: ${error instanceof Error ? error.message : error}`;
    flow.progress.warn(`${client.context}: ${message} → ${hint}`);
    return { context: client.context, message, hint };
  }
}
