import { waitForObject } from '../../kube/wait.ts';
import { annotationsOf, CONNECTED_NOTE, DEMO_LABELS, type DemoRecord, enabledNote } from '../../mesh/demo/record.ts';
import { type KubeObject, type ObjectRef, refOf } from '../../mesh/objects/kube-object.ts';
import { apiserverDeploymentRef, apiserverServiceRef, CA_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { DEMONSTRATOR } from '../../mesh/objects/package-roles.ts';
import { prepareClusters, type TestCluster } from '../connectivity/connectivity-clusters.ts';
import type { Flow } from '../flow.ts';
import { asLackOf } from '../own-namespace.ts';
import type { ServiceCluster } from '../services/read-service-clusters.ts';

/** For a namespace with a few pods to go. */
const REMOVAL_MS = 120_000;

/**
 * The workload of the connectivity test in a namespace of the demo; nothing is written yet. The Service is not global: the
 * story makes it so.
 * @param recordFor what is written down at the namespace of each cluster, by name
 */
export async function prepareDemo(
  flow: Flow,
  members: readonly ServiceCluster[],
  place: { namespace: string; image: string },
  recordFor: (cluster: string) => DemoRecord,
): Promise<TestCluster[]> {
  const clusters = await prepareClusters(flow, members, place);
  return clusters.map(({ objects, ...cluster }) => ({
    ...cluster,
    rights: { ...cluster.rights, role: DEMONSTRATOR },
    objects: {
      ...objects,
      namespace: asDemo(objects.namespace, recordFor(cluster.name)),
      workload: objects.workload.map((object) => (object.kind === 'Service' ? notGlobal(object) : object)),
    },
  }));
}

function asDemo(namespace: KubeObject, record: DemoRecord): KubeObject {
  const { labels, annotations } = namespace.metadata;
  return {
    ...namespace,
    metadata: {
      ...namespace.metadata,
      labels: { ...labels, ...DEMO_LABELS },
      annotations: { ...annotations, ...annotationsOf(record) },
    },
  };
}

function notGlobal(service: KubeObject): KubeObject {
  const { annotations: _global, ...metadata } = service.metadata;
  return { ...service, metadata };
}

/** To write down what was made, also after Ctrl-C. */
const NOTE_MS = 10_000;

/**
 * Writes down that the demo has enabled Cluster Mesh in a cluster, be it in part: where there is no Deployment yet, by what
 * enable makes before it, the Service, whose load balancer it may wait for, and the CA.
 */
export async function noteEnabled(cluster: TestCluster): Promise<void> {
  const { client, namespace } = cluster.member;
  const signal = AbortSignal.timeout(NOTE_MS);
  const refs = [apiserverDeploymentRef(namespace), apiserverServiceRef(namespace), secretRef(namespace, CA_SECRET)];
  for (const ref of refs) {
    const uid = (await client.get(ref, { signal }))?.metadata.uid;
    if (uid !== undefined) return note(cluster, enabledNote(uid), signal);
  }
}

/** Writes down that the demo has connected a cluster with the other one. */
export function noteConnected(cluster: TestCluster): Promise<void> {
  return note(cluster, CONNECTED_NOTE, AbortSignal.timeout(NOTE_MS));
}

async function note(
  { member: { client }, objects, rights }: TestCluster,
  annotations: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.patch(refOf(objects.namespace), { metadata: { annotations } }, { signal });
  } catch (error) {
    throw asLackOf(rights, error);
  }
}

/** Removes the demo's workload; the namespace stays, and with it what is written down there. */
export async function removeWorkload({ member, objects }: TestCluster): Promise<void> {
  for (const object of objects.workload.toReversed()) await member.client.delete(refOf(object));
}

/** Removes the demo's namespace and waits until it is gone. @throws MeshctlError `Timeout` */
export async function removeNamespace(flow: Flow, { member, namespace }: TestCluster): Promise<void> {
  const ref: ObjectRef = { apiVersion: 'v1', kind: 'Namespace', name: namespace };
  await member.client.delete(ref);
  await waitForObject(member.client, ref, (live) => (live ? undefined : true), {
    timeoutMs: REMOVAL_MS,
    signal: flow.signal,
    waitingFor: `Namespace ${namespace} to be gone`,
  });
}
