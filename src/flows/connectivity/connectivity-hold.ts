/** One test at a time in a namespace: two would scale each other's servers, and both would find a mesh that fails. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { kubectlCommand } from '../../mesh/command-line.ts';
import { type Hold, holdAnnotations, holdOf, NO_HOLD, otherRun, withHold } from '../../mesh/connectivity/hold.ts';
import { alreadyExists, MeshctlError } from '../../mesh/errors.ts';
import { describeRef, type KubeObject, refOf } from '../../mesh/objects/kube-object.ts';
import { isMadeBy } from '../../mesh/objects/ownership.ts';
import type { Flow } from '../flow.ts';
import { asLackOf, makeNamespace } from '../own-namespace.ts';
import { clientDeployment, objectsOfTest, TEST, type TestCluster } from './connectivity-clusters.ts';

/** What is done between two marks takes no longer than what it waits for, and this. */
const SLACK_MS = 120_000;
/** Of taking over what changes just then. */
const TRIES = 5;

/**
 * Sees that no other run is at work in the namespaces of a test, and that nobody else has objects of its names there, which would
 * be taken over, and removed at the end: a namespace may be somebody's.
 * @throws MeshctlError `Rejected`, which names the first
 */
export async function requireFree(flow: Flow, clusters: readonly TestCluster[]): Promise<void> {
  const found = await Promise.all(clusters.map(async (cluster) => ({ cluster, objects: await objectsIn(cluster) })));
  requireNoOther(
    flow,
    found.flatMap(({ cluster, objects }) => objects.map((live) => ({ cluster, live }))),
  );
  for (const { cluster, objects } of found) requireOwn(cluster, objects);
}

/** What is there under the names of the test; a namespace that is on its way out is waited for. */
async function objectsIn(cluster: TestCluster): Promise<KubeObject[]> {
  const { client } = cluster.member;
  const namespace = await client.get(refOf(cluster.objects.namespace));
  if (!namespace || namespace.metadata.deletionTimestamp) return [];
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

/** What this run marks its namespaces by. */
export interface RunMark {
  run: string;
  host: string;
  since: Date;
}

/** The mark of a run that begins. */
export function beginRun(flow: Pick<Flow, 'now'>): RunMark {
  return { run: randomBytes(4).toString('hex'), host: hostname(), since: flow.now() };
}

/**
 * Takes a cluster's namespace, which is made where there is none, for a run: by its client, which only one run can create. What
 * a run that has died left there is taken over.
 * @throws MeshctlError `Rejected` where another run is at work
 */
export async function takeNamespace(flow: Flow, cluster: TestCluster, mark: RunMark, waitMs: number): Promise<void> {
  const { client } = cluster.member;
  await makeNamespace(flow, client, cluster.objects.namespace, { waitMs, rights: cluster.rights });
  const deployment = clientDeployment(cluster);
  const hold = heldFor(flow, mark, waitMs);
  try {
    await client.create(withHold(deployment, hold));
    return;
  } catch (error) {
    if (!alreadyExists(error)) throw error;
  }
  for (let triesLeft = TRIES; ; triesLeft -= 1) {
    const live = await client.get(refOf(deployment));
    requireNoOther(flow, [{ cluster, live }], mark.run);
    try {
      const { resourceVersion } = live?.metadata ?? {};
      await client.patch(refOf(deployment), { metadata: { annotations: holdAnnotations(hold) } }, { resourceVersion });
      return;
    } catch (error) {
      // Kubernetes writes its status, or another run has found it too.
      if (!(error instanceof MeshctlError) || error.code !== 'Conflict' || triesLeft === 0) throw error;
    }
  }
}

/**
 * Says anew that a run is at work.
 * @param forMs what it now waits for at most
 * @throws MeshctlError `Rejected` where another has taken the namespace meanwhile, as after this machine has slept
 */
export async function keepNamespace(
  flow: Flow,
  clusters: readonly TestCluster[],
  mark: RunMark,
  forMs: number,
): Promise<void> {
  const annotations = holdAnnotations(heldFor(flow, mark, forMs));
  const refs = clusters.map((cluster) => ({ cluster, ref: refOf(clientDeployment(cluster)) }));
  const found = await Promise.all(
    refs.map(async ({ cluster, ref }) => ({ cluster, live: await cluster.member.client.get(ref) })),
  );
  requireNoOther(flow, found, mark.run);
  await Promise.all(refs.map(({ cluster, ref }) => cluster.member.client.patch(ref, { metadata: { annotations } })));
}

/** Takes the mark of a run away, which leaves its objects for the next. Goes on after Ctrl-C. */
export async function leaveNamespace(cluster: TestCluster, { run }: RunMark, signal: AbortSignal): Promise<void> {
  const { client } = cluster.member;
  const ref = refOf(clientDeployment(cluster));
  if (holdOf(await client.get(ref, { signal }))?.run !== run) return;
  await client.patch(ref, { metadata: { annotations: NO_HOLD } }, { signal });
}

/** @throws MeshctlError `Rejected` where another run is at work in one of the clusters, by the objects that are there */
function requireNoOther(
  flow: Pick<Flow, 'now'>,
  found: readonly { cluster: TestCluster; live: KubeObject | undefined }[],
  run = '',
): void {
  const held = found.flatMap(({ cluster, live }) => {
    const other = otherRun(live, run, flow.now());
    return live && other
      ? [{ ...other, name: live.metadata.name, namespace: cluster.namespace, context: cluster.member.client.context }]
      : [];
  });
  const [first] = held;
  if (!first) return;
  const { context, namespace, host } = first;
  const [since, until] = [first.since.toISOString(), first.until.toISOString()];
  const remove = held.map((one) => kubectlCommand(one, ['delete', 'deployment', one.name]));
  throw new MeshctlError(
    'Rejected',
    `context "${context}": another connectivity test, on ${host}, is at work in namespace ${namespace} since ${since}`,
    {
      hint: `Give another namespace with -n, or wait until it has ended. One that was killed is taken over from ${until} on, or after: ${remove.join(' && ')}`,
      details: { context, namespace, host, since, until },
    },
  );
}

function heldFor({ now }: Pick<Flow, 'now'>, mark: RunMark, ms: number): Hold {
  return { ...mark, until: new Date(now().getTime() + ms + SLACK_MS) };
}
