/** The article's workload, for the demo: rebel-base answers, x-wing asks. */
import type { ClusterClient } from '../../kube/client.ts';
import { readTemplate } from '../../manifests/load.ts';
import { isRolledOut } from '../../mesh/apiserver/deployment.ts';
import { type Sample, tally } from '../../mesh/connectivity/connectivity.ts';
import { type Requests, readSamples, requestCommand } from '../../mesh/connectivity/connectivity-requests.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { type KubeObject, type ObjectRef, refOf } from '../../mesh/objects/kube-object.ts';
import { isPodReady, livingPods } from '../../mesh/objects/pods.ts';
import { workloadStatus } from '../../mesh/objects/workload.ts';
import { waitForWorkload } from '../await-workload.ts';
import type { Flow } from '../flow.ts';

/** Service and Deployment rebel-base, and Deployment x-wing, in the package. */
export const DEMO_FILES = ['service', 'rebel-base', 'x-wing'].map((name) => `templates/demo/${name}.yaml`);

const NAMESPACE = 'default';
const ROLLOUT_MS = 30_000;
const SETTLE_MS = 10_000;
const LOOK = 4;
const LOOK_INTERVAL_MS = 100;
const TIMEOUT_MS = 1000;
const DEPLOYMENT: ObjectRef = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: NAMESPACE, name: 'rebel-base' };

/** Deploys Service and Deployment rebel-base and Deployment x-wing; resolves when the pods are ready. @returns what was made */
export async function deployRebelBase(flow: Flow, client: ClusterClient): Promise<ObjectRef[]> {
  const objects = await Promise.all(DEMO_FILES.map((file) => readTemplate(flow.installation, file)));
  for (const object of objects) await client.apply(object);
  for (const object of objects) {
    if (object.kind === 'Deployment') await awaitRollout(flow, client, refOf(object));
  }
  return objects.map(refOf);
}

/** Scales rebel-base; resolves when its pods are ready or gone. */
export async function scaleRebelBase(flow: Flow, client: ClusterClient, replicas: number): Promise<void> {
  await client.patch(DEPLOYMENT, { spec: { replicas } });
  await awaitRollout(flow, client, DEPLOYMENT, replicas === 0 ? hasNoPods : isRolledOut);
}

/** A Deployment that was scaled to none is never rolled out: it serves nobody. */
function hasNoPods(deployment: KubeObject): boolean {
  const { observedGeneration = 0, replicas = 0 } = workloadStatus(deployment);
  return observedGeneration >= (deployment.metadata.generation ?? 0) && replicas === 0;
}

/** @throws MeshctlError `Timeout`, with what the pods say, also at once when they cannot come up */
async function awaitRollout(
  { signal }: Flow,
  client: ClusterClient,
  ref: ObjectRef,
  isDone: (live: KubeObject) => boolean = isRolledOut,
): Promise<void> {
  let said: string | undefined;
  const waiting = waitForWorkload(client, ref, (live) => (live && isDone(live) ? true : undefined), {
    selector: `name=${ref.name}`,
    timeoutMs: ROLLOUT_MS,
    signal,
    waitingFor: `${ref.kind} ${ref.name} to be ready`,
    say: (trouble) => {
      said = trouble;
    },
  });
  await waiting.catch((error: unknown) => {
    if (said === undefined || !(error instanceof MeshctlError) || error.code !== 'Timeout') throw error;
    throw new MeshctlError('Timeout', `${error.message}: ${said}`, { cause: error, details: error.details });
  });
}

/** Requests from x-wing to rebel-base. */
export async function askRebelBase(
  client: ClusterClient,
  requests: Pick<Requests, 'count' | 'perSecond'>,
): Promise<Sample[]> {
  const labelSelector = 'name=x-wing';
  const pods = await client.listAll(livingPods(NAMESPACE, labelSelector));
  const pod = pods.find(isPodReady);
  if (!pod) throw new MeshctlError('SandboxFailed', `context "${client.context}": x-wing does not run`);
  const command = requestCommand({ host: 'rebel-base', port: 80, path: '/', timeoutMs: TIMEOUT_MS, ...requests });
  const where = { namespace: NAMESPACE, pod: pod.metadata.name, container: 'x-wing' };
  const { stdout } = await client.exec({ ...where, command, timeoutMs: requests.count * TIMEOUT_MS });
  return readSamples(stdout, { answererOf, perSecond: requests.perSecond });
}

/** Asks a little until these clusters answer and no other does, or it takes too long, then asks so many times. */
export async function askUntil(
  flow: Flow,
  client: ClusterClient,
  count: number,
  clusters: readonly string[],
): Promise<Sample[]> {
  const deadline = flow.clock.ms() + SETTLE_MS;
  for (;;) {
    const look = tally(await askRebelBase(client, { count: LOOK }));
    const isSo = look.answered === LOOK && Object.keys(look.answeredBy).sort().join() === [...clusters].sort().join();
    if (isSo || flow.clock.ms() > deadline) return askRebelBase(client, { count });
    await flow.clock.sleep(LOOK_INTERVAL_MS, flow.signal);
  }
}

/** rebel-base says its cluster. */
function answererOf(body: string): string | undefined {
  return /"Cluster":"([^"]+)"/.exec(body)?.[1];
}
