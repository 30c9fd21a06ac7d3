/** One test at a time in a namespace: two would scale each other's servers, and both would find a mesh that fails. */
import { MeshctlError } from '../../mesh/errors.ts';
import { type Hold, holdAnnotations, holdOf, noHold, otherRun, withHold } from '../../mesh/hold.ts';
import { describeRef, type KubeObject, refOf } from '../../mesh/objects/kube-object.ts';
import { isMadeBy } from '../../mesh/objects/ownership.ts';
import { heedsNamespaces, isNamespaceGlobal, makeNamespaceGlobal } from '../../mesh/services/annotations.ts';
import type { Flow } from '../flow.ts';
import { asLackOf, makeNamespace } from '../own-namespace.ts';
import { hasEnded } from '../own-process.ts';
import { markAnew, markedBy, type RunMark, whileOthersWrite } from '../run-mark.ts';
import { clientDeployment, objectsOfTest, TEST, type TestCluster } from './connectivity-clusters.ts';

const TEST_RUN = 'connectivity-test';

/**
 * Sees that no other run is at work in the namespaces of a test, that nobody else has objects of its names there, which would
 * be taken over, and removed at the end, and that they take part in the mesh: a namespace may be somebody's.
 * @throws MeshctlError `Rejected`, which names the first, or all that are not global
 */
export async function requireFree(clusters: readonly TestCluster[]): Promise<void> {
  const found = await Promise.all(
    clusters.map(async (cluster) => {
      const namespace = await namespaceOf(cluster);
      return { cluster, namespace, objects: namespace ? await objectsIn(cluster) : [] };
    }),
  );
  requireNoOther(found.flatMap(({ cluster, objects }) => objects.map((live) => ({ cluster, live }))));
  for (const { cluster, objects } of found) requireOwn(cluster, objects);
  requireGlobal(found);
}

/** The namespace of the test where there is one; one that is on its way out is waited for. */
async function namespaceOf({ member: { client }, objects }: TestCluster): Promise<KubeObject | undefined> {
  const namespace = await client.get(refOf(objects.namespace));
  return namespace?.metadata.deletionTimestamp ? undefined : namespace;
}

/** What is there under the names of the test. */
async function objectsIn(cluster: TestCluster): Promise<KubeObject[]> {
  const { client } = cluster.member;
  const refs = objectsOfTest(cluster).map(refOf);
  const found = await Promise.all(refs.map((ref) => client.get(ref))).catch((error: unknown) => {
    throw asLackOf(cluster.rights, error);
  });
  return found.flatMap((live) => live ?? []);
}

function requireOwn({ member: { client }, namespace }: TestCluster, objects: readonly KubeObject[]): void {
  const taken = objects.find((live) => !isMadeBy(TEST, live));
  if (!taken) return;
  throw new MeshctlError(
    'Rejected',
    `context "${client.context}": ${describeRef(refOf(taken))} is there already, and no connectivity test has made it`,
    {
      hint: `Give another namespace with -n: in ${namespace} the test would take it over.`,
      details: { context: client.context, object: describeRef(refOf(taken)) },
    },
  );
}

/** A namespace that is made for the test is global; of one that was there, Cilium shares no Service else. */
function requireGlobal(found: readonly { cluster: TestCluster; namespace: KubeObject | undefined }[]): void {
  const apart = found.flatMap(({ cluster: { member }, namespace }) =>
    namespace &&
    heedsNamespaces(member.image) &&
    !isNamespaceGlobal(namespace.metadata.annotations, member.globalByDefault)
      ? [{ context: member.client.context, name: namespace.metadata.name }]
      : [],
  );
  const [first] = apart;
  if (!first) return;
  const contexts = apart.map(({ context }) => context);
  throw new MeshctlError(
    'Rejected',
    `namespace ${first.name} is not global in ${contexts.join(', ')}: the other clusters get no backends from there`,
    {
      hint: apart.map(({ context, name }) => makeNamespaceGlobal(context, name)).join(' && '),
      details: { contexts, namespace: first.name },
    },
  );
}

/**
 * Takes a cluster's namespace, which is made where there is none, for a run: by its client, which only one run can create, or
 * mark. What a run that has died left there is taken over.
 * @param onMade told the namespace that it has made, also where it then comes no further
 * @throws MeshctlError `Rejected` where another run is at work
 */
export async function takeNamespace(
  flow: Flow,
  cluster: TestCluster,
  mark: RunMark,
  { waitMs, onMade }: { waitMs: number; onMade: (namespace: KubeObject) => void },
): Promise<void> {
  const { client } = cluster.member;
  await whileOthersWrite(async () => {
    const made = await makeNamespace(flow, client, cluster.objects.namespace, { waitMs, rights: cluster.rights });
    if (made) onMade(made);
    try {
      const live = await client.get(refOf(clientDeployment(cluster)));
      requireNoOther([{ cluster, live }], mark.run);
      if (live) await writeMark(cluster, live, mark);
      else await client.create(withHold(TEST_RUN, clientDeployment(cluster), markedBy(mark, cluster.member)));
    } catch (error) {
      throw asLackOf(cluster.rights, error);
    }
  });
}

/**
 * Sees that a run still has its namespaces, and says anew that it is at work there.
 * @throws MeshctlError `Rejected` where another has taken one meanwhile, as after this machine has slept; `NotFound` where
 * somebody has removed the client
 */
export async function keepNamespaces(clusters: readonly TestCluster[], mark: RunMark): Promise<void> {
  await Promise.all(clusters.map((cluster) => renewMark(cluster, mark)));
}

/**
 * From now on says ever anew that a run is at work in a cluster. Where that fails, {@link keepNamespaces} tells.
 * @param everyMs as of {@link markAnew}
 * @returns what ends it
 */
export function stayInNamespace(cluster: TestCluster, mark: RunMark, everyMs?: number): () => Promise<void> {
  return markAnew((signal) => renewMark(cluster, mark, signal), everyMs);
}

async function renewMark(cluster: TestCluster, mark: RunMark, signal?: AbortSignal): Promise<void> {
  const { client } = cluster.member;
  const ref = refOf(clientDeployment(cluster));
  await whileOthersWrite(async () => {
    const live = await client.get(ref, { signal });
    const holder = holdOf(TEST_RUN, live);
    if (holder && holder.run !== mark.run) throw atWork(cluster, holder);
    if (live) return writeMark(cluster, live, mark, signal);
    throw new MeshctlError(
      'NotFound',
      `context "${client.context}": ${describeRef(ref)} was removed while the test was at work`,
      {
        hint: 'Find out who removes it, then run the same command again.',
        details: { context: client.context, object: describeRef(ref) },
      },
    );
  });
}

/** Whether anything of the test is in a cluster, and no other run is at work there; what cannot be seen is taken to be. */
export async function isInNamespace(cluster: TestCluster, { run }: RunMark): Promise<boolean> {
  const { client } = cluster.member;
  try {
    const namespace = await namespaceOf(cluster);
    if (!namespace) return false;
    const objects = await objectsIn(cluster);
    if (objects.some((live) => otherRun(TEST_RUN, live, run, client.now(), hasEnded))) return false;
    return [namespace, ...objects].some((live) => isMadeBy(TEST, live));
  } catch {
    return true;
  }
}

/** Only what was looked at is marked: another run may take it at the same time. */
async function writeMark(cluster: TestCluster, live: KubeObject, mark: RunMark, signal?: AbortSignal): Promise<void> {
  const annotations = holdAnnotations(TEST_RUN, markedBy(mark, cluster.member));
  const { resourceVersion } = live.metadata;
  await cluster.member.client.patch(refOf(live), { metadata: { annotations } }, { resourceVersion, signal });
}

/** Takes the mark of a run away, which leaves its objects for the next. Goes on after Ctrl-C. */
export async function leaveNamespace(cluster: TestCluster, { run }: RunMark, signal: AbortSignal): Promise<void> {
  const { client } = cluster.member;
  const ref = refOf(clientDeployment(cluster));
  if (holdOf(TEST_RUN, await client.get(ref, { signal }))?.run !== run) return;
  await client.patch(ref, { metadata: { annotations: noHold(TEST_RUN) } }, { signal });
}

/** @throws MeshctlError `Rejected` where another run is at work in one of the clusters, by the objects that are there */
function requireNoOther(found: readonly { cluster: TestCluster; live: KubeObject | undefined }[], run = ''): void {
  for (const { cluster, live } of found) {
    const other = otherRun(TEST_RUN, live, run, cluster.member.client.now(), hasEnded);
    if (other) throw atWork(cluster, other);
  }
}

function atWork({ member: { client }, namespace }: TestCluster, { host, since, until }: Hold): MeshctlError {
  const { context } = client;
  return new MeshctlError(
    'Rejected',
    `context "${context}": another connectivity test, on ${host}, is at work in namespace ${namespace} since ${since.toISOString()}`,
    {
      hint: 'Give another namespace with -n, or wait until it has ended; one that was killed is taken over after a minute.',
      details: { context, namespace, host, since: since.toISOString(), until: until.toISOString() },
    },
  );
}
