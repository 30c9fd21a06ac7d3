import type { ClusterClient } from '../../kube/client.ts';
import { waitForList } from '../../kube/wait.ts';
import { PROBE_CONTAINER, type ProbeObjects, podCommand, RUN_LABEL } from '../../manifests/probe.ts';
import { familyOf } from '../../mesh/cilium/cidr.ts';
import { kubectlCommand } from '../../mesh/command-line.ts';
import type { Leftover } from '../../mesh/connectivity/connectivity.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { type KubeObject, refOf } from '../../mesh/objects/kube-object.ts';
import { isMadeBy } from '../../mesh/objects/ownership.ts';
import { isPodOver, isPodRunning, podAddresses } from '../../mesh/objects/pods.ts';
import { podStatus } from '../../mesh/objects/workload.ts';
import { isWithoutImage, workloadTroubles } from '../../mesh/objects/workload-trouble.ts';
import type { ProbePlace } from '../../mesh/probe/places.ts';
import type { Flow } from '../flow.ts';
import { othersInNamespace, whyNamespaceStays } from '../others-in-namespace.ts';
import { type LackedRole, makeNamespace, removalHint } from '../own-namespace.ts';
import { type ProbeRun, type ProbeSite, type ProbeVerb, runIn, type Stations } from './station.ts';

/** For removing everything, also after Ctrl-C and while an API server is away. */
const CLEAN_UP_MS = 60_000;
const CLEAN_UP_PAUSE_MS = 1000;

/** A pod that is to be made. */
interface Planned {
  object: KubeObject;
  node: string;
  kind: ProbePlace['kind'];
  /** Undefined for an ordinary pod, which gets its own. */
  addresses?: readonly string[];
}

/** What of a run is in a cluster, or may be: pods, and the namespace where the run has made it; or nothing but that namespace. */
export type Remains = { objects: ProbeObjects; made?: KubeObject } | { namespace: KubeObject };

/**
 * A pod on each node, in its network, and one ordinary pod, where the first of them is.
 * @param waitMs for pods to run; those that do not are told in `failed`
 * @param onMade told the namespace that the run has made
 * @param onNoPods told what remains where surely no pod was made; undefined: nothing
 * @throws MeshctlError what the API server refuses, and that no pod runs at all
 */
export async function podStations(
  flow: Flow,
  site: ProbeSite,
  objects: ProbeObjects,
  {
    waitMs,
    nextToken,
    rights,
    onMade,
    onNoPods,
  }: {
    waitMs: number;
    /** What grants pods of the probe to whoever may not make them. */
    rights: LackedRole;
    onMade: (namespace: KubeObject) => void;
    onNoPods: (remains: Remains | undefined) => void;
  } & Pick<ProbeRun, 'nextToken'>,
): Promise<Stations> {
  const { client, nodes } = site;
  const [first] = nodes;
  const planned: Planned[] = [
    ...nodes.map(({ node, addresses }, index) => ({
      ...{ object: objects.pod(node.name, 'node', index), node: node.name, kind: 'node' as const, addresses },
    })),
    ...(first
      ? [{ object: objects.pod(first.node.name, 'pod', nodes.length), node: first.node.name, kind: 'pod' as const }]
      : []),
  ];
  const namespace = await makeNamespace(flow, client, objects.namespace, { waitMs, rights }).catch((error) => {
    if (isForbidden(error)) onNoPods(undefined);
    throw error;
  });
  if (namespace) onMade(namespace);
  // Whatever was begun is let end, so that what was made is known when it is removed.
  const made = await Promise.allSettled(planned.map(({ object }) => client.create(object)));
  const refused = made.find((result) => result.status === 'rejected');
  // Who may make none may mostly not look for them either, and would be told that they are left.
  if (made.every((result) => result.status === 'rejected' && isForbidden(result.reason))) {
    onNoPods(namespace && { namespace });
  }
  if (refused) throw withHint(refused.reason);
  const pods = await awaitPods(flow, site, planned, waitMs);
  return stationsOf(flow, site, { planned, pods, nextToken });
}

function isForbidden(error: unknown): boolean {
  return error instanceof MeshctlError && error.code === 'Forbidden';
}

/** What refuses pods says why, and not what may be done; of a right that is missing it does. */
function withHint(error: unknown): unknown {
  if (!(error instanceof MeshctlError) || error.hint !== undefined || error.code === 'Interrupted') return error;
  const { code, message, details } = error;
  return new MeshctlError(code, message, {
    hint: "Its pods are in their node's network and have NET_RAW. Without -n they get a namespace whose Pod Security allows that; --via agents creates no pods.",
    cause: error,
    details,
  });
}

/** The pods as they are once all run, or will not in the given time. */
async function awaitPods(flow: Flow, { client }: ProbeSite, planned: readonly Planned[], waitMs: number) {
  const [first] = planned;
  const { metadata } = (first as Planned).object;
  const selection = {
    ...{ apiVersion: 'v1', kind: 'Pod', namespace: metadata.namespace },
    labelSelector: `${RUN_LABEL}=${metadata.labels?.[RUN_LABEL]}`,
  };
  let last: readonly KubeObject[] = [];
  const isSettled = (pod: KubeObject) =>
    isPodRunning(pod) || isPodOver(pod) || workloadTroubles(undefined, [pod]).some(isWithoutImage);
  const look = (pods: readonly KubeObject[]) => {
    last = pods;
    return pods.length >= planned.length && pods.every(isSettled) ? true : undefined;
  };
  try {
    await waitForList(client, selection, look, {
      timeoutMs: waitMs,
      signal: flow.signal,
      waitingFor: 'the probe to run',
    });
  } catch (error) {
    if (!(error instanceof MeshctlError) || error.code !== 'Timeout') throw error;
  }
  return new Map(last.map((pod) => [pod.metadata.name, pod]));
}

function stationsOf(
  flow: Flow,
  { client, name, families }: ProbeSite,
  {
    planned,
    pods,
    nextToken,
  }: { planned: readonly Planned[]; pods: ReadonlyMap<string, KubeObject>; nextToken: ProbeRun['nextToken'] },
): Stations {
  const found: Stations = { via: 'pods', stations: [], failed: [] };
  const troubles: string[] = [];
  for (const { object, node, kind, addresses: known } of planned) {
    const { namespace = '' } = object.metadata;
    const pod = pods.get(object.metadata.name);
    const own = pod ? podAddresses(pod) : [];
    const ofFamily = (family: 4 | 6) => own.find((ip) => familyOf(ip) === family) ?? [];
    const addresses = known ?? families.flatMap(ofFamily);
    const place = { cluster: name, node, kind, addresses };
    if (pod && isPodRunning(pod) && addresses.length > 0) {
      const command = (_verb: ProbeVerb, words: readonly string[]) => podCommand(words);
      const where = { namespace, pod: pod.metadata.name, container: PROBE_CONTAINER, command };
      found.stations.push({ place, run: runIn(client, where, nextToken(), flow.signal) });
      continue;
    }
    const says = pod ? whyNot(pod, node) : `pod ${object.metadata.name} is gone`;
    troubles.push(says);
    found.failed.push({ ...place, failed: says });
  }
  if (!found.stations.some(({ place }) => place.kind === 'node')) {
    throw new MeshctlError('Timeout', `context "${client.context}": no pod of the probe runs: ${troubles[0]}`, {
      hint: 'Without --image it runs in the image of Cilium that the nodes have; one that is given has to have Perl. --via agents creates no pods.',
      details: { context: client.context },
    });
  }
  return found;
}

function whyNot(pod: KubeObject, node: string): string {
  const { name } = pod.metadata;
  const { reason = 'it has ended', message = '' } = podStatus(pod);
  if (isPodOver(pod)) return `pod ${name} does not run on node ${node}: ${reason}${message && `: ${message}`}`;
  return workloadTroubles(undefined, [pod])[0]?.says ?? `pod ${name} does not run yet on node ${node}`;
}

/**
 * Removes the pods of a run, and the namespace where it was made by a run and nobody else's pod is in it. Goes on after
 * Ctrl-C, and while the API server is away; what cannot be removed is warned of, and that the namespace takes long.
 * @returns what is left where not all can be removed
 */
export async function removeRemains(
  flow: Flow,
  client: ClusterClient,
  remains: Remains,
  { token, rights }: { token: string; rights: LackedRole },
): Promise<Leftover | undefined> {
  const signal = AbortSignal.timeout(CLEAN_UP_MS);
  const { context } = client;
  const { name } = namespaceOf(remains).metadata;
  let isGoing = false;
  for (;;) {
    try {
      isGoing ||= await removeOnce(flow, client, remains, { token, signal });
      if (isGoing) await awaitGone(client, name, signal);
      return undefined;
    } catch (error) {
      const mayPass =
        error instanceof MeshctlError && (error.code === 'ClusterUnreachable' || error.code === 'ApiFailure');
      if (mayPass && !signal.aborted) {
        await flow.clock.sleep(CLEAN_UP_PAUSE_MS, signal).catch(() => undefined);
        continue;
      }
      if (isGoing) {
        // Its conditions say what holds it up; pods are on their way out with it.
        const look = kubectlCommand({ context }, ['get', 'namespace', name, '-o', 'yaml']);
        flow.progress.warn(`${context}: namespace ${name} is told to go, and not gone yet → ${look}`);
        return undefined;
      }
      // With pods never the namespace itself, which may have been there before, and have what is others' in it.
      const [what, lacked, removal] =
        'namespace' in remains
          ? [
              `namespace ${name}, which the probe made`,
              undefined,
              kubectlCommand({ context }, ['delete', 'namespace', name]),
            ]
          : [
              `the probe's pods from namespace ${name}`,
              rights,
              kubectlCommand({ context, namespace: name }, ['delete', 'pods', '-l', `${RUN_LABEL}=${token}`]),
            ];
      const hint = removalHint(lacked, error, removal);
      const message = `could not remove ${what}: ${error instanceof Error ? error.message : error}`;
      flow.progress.warn(`${context}: ${message} → ${hint}`);
      return { context, message, hint };
    }
  }
}

function namespaceOf(remains: Remains): KubeObject {
  return 'namespace' in remains ? remains.namespace : remains.objects.namespace;
}

/** @returns whether the namespace has been told to go */
async function removeOnce(
  { progress }: Pick<Flow, 'progress'>,
  client: ClusterClient,
  remains: Remains,
  { token, signal }: { token: string; signal: AbortSignal },
): Promise<boolean> {
  const ref = refOf(namespaceOf(remains));
  // The very one that was made a moment ago, and no other that has come in its place: to look into it may be forbidden, too.
  if ('namespace' in remains) {
    return client.delete(ref, { signal, uid: remains.namespace.metadata.uid }).catch((error: unknown) => {
      if (error instanceof MeshctlError && error.code === 'Conflict') return false;
      throw error;
    });
  }
  const { name: namespace } = ref;
  const live = await client.get(ref, { signal });
  if (!live) return false;
  const pods = await client.listAll({ apiVersion: 'v1', kind: 'Pod', namespace }, { signal });
  const isOfRun = (pod: KubeObject) => pod.metadata.labels?.[RUN_LABEL] === token;
  // A run that was killed leaves pods that have ended by their own deadline.
  const isLeft = (pod: KubeObject) => pod.metadata.labels?.[RUN_LABEL] !== undefined && isPodOver(pod);
  await Promise.all(
    pods.filter((pod) => isOfRun(pod) || isLeft(pod)).map((pod) => client.delete(refOf(pod), { signal })),
  );
  const others = pods.filter((pod) => !isOfRun(pod) && !isLeft(pod));
  if (!isMadeBy('probe', live) || live.metadata.deletionTimestamp) return false;
  const isOfProbe = (one: KubeObject) => one.metadata.labels?.[RUN_LABEL] !== undefined;
  // Another probe is at work there, or its pods end by their own deadline.
  if (others.length > 0 && others.every(isOfProbe)) return false;
  const isOwn = (one: KubeObject) => isOfProbe(one) || isMadeBy('probe', one);
  // Somebody may have put something else there that is no pod: to look for that may be forbidden, and this run has made it a moment ago.
  const isLookedInto = others.length === 0 && live.metadata.uid !== remains.made?.metadata.uid;
  const found = isLookedInto
    ? await othersInNamespace(client, namespace, isOwn, signal)
    : { others: others.filter((pod) => !isOfProbe(pod)), unseen: [] };
  const why = whyNamespaceStays(found);
  if (why !== undefined) {
    progress.warn(`context "${client.context}": namespace ${namespace} stays, since ${why}; the probe's pods are gone`);
    return false;
  }
  await client.delete(ref, { signal, uid: live.metadata.uid });
  return true;
}

async function awaitGone(client: ClusterClient, namespace: string, signal: AbortSignal): Promise<void> {
  await waitForList(
    client,
    { apiVersion: 'v1', kind: 'Namespace', fieldSelector: `metadata.name=${namespace}` },
    (left) => (left.length === 0 ? true : undefined),
    { timeoutMs: CLEAN_UP_MS, signal, waitingFor: `Namespace ${namespace} to be gone` },
  );
}
