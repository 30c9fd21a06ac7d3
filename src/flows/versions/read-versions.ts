import { readOr, unlessForbidden } from '../../kube/unless-refused.ts';
import { containerOf, runsKvstoremesh } from '../../mesh/apiserver/deployment.ts';
import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import type { ApiserverVersion, ClusterVersions, ProgramVersion, RunningVersion } from '../../mesh/cilium/skew.ts';
import { formatVersion, parseVersion, versionOfImage } from '../../mesh/cilium/versions.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef, type KubeObject } from '../../mesh/objects/kube-object.ts';
import {
  AGENT_CONTAINER,
  AGENT_SELECTOR,
  APISERVER_SELECTOR,
  apiserverDeploymentRef,
  CILIUM_CONFIG,
  configMapRef,
} from '../../mesh/objects/names.ts';
import { isPodRunning } from '../../mesh/objects/pods.ts';
import { dataOf } from '../../mesh/objects/secret-data.ts';
import { podSpec } from '../../mesh/objects/workload.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { DAEMON, LONGEST_ANSWER_MS } from '../../snapshot/agent-version.ts';
import type { Target } from '../flow.ts';

/**
 * The versions that run in a cluster. Images tell those of Cilium's programs; where a tag says nothing, and for etcd, which
 * shares an image with the clustermesh-apiserver, the program in one pod is asked.
 * @throws MeshctlError what keeps the cluster from being asked
 */
export async function readVersions({ client, namespace }: Target): Promise<ClusterVersions> {
  const own = apiserverDeploymentRef(namespace);
  const [kubernetes, config, found, agents] = await Promise.all([
    client.version(),
    unlessForbidden(client.get(configMapRef(namespace, CILIUM_CONFIG))),
    readOr(client.get(own), { absent: undefined, forbidden: 'forbidden' as const }),
    unlessForbidden(agentVersions({ client, namespace })),
  ]);
  const cluster = config && clusterNameOf({ ciliumConfig: dataOf(config) });
  const known = { context: client.context, cluster, kubernetes, ...agents };
  if (found === 'forbidden') return { ...known, unread: [describeRef(own)] };
  return found ? { ...known, ...(await apiserverVersions({ client, namespace }, found)) } : known;
}

type ApiserverVersions = Pick<ClusterVersions, 'apiserver' | 'etcd' | 'kvstoremesh'>;

const APISERVER_CONTAINER = 'apiserver';

async function apiserverVersions(target: Target, deployment: KubeObject): Promise<ApiserverVersions> {
  const { client, namespace } = target;
  const selection = { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: APISERVER_SELECTOR };
  const pods = (await unlessForbidden(client.listAll(selection)))?.filter(isPodRunning);
  const runs = (pods ?? []).flatMap((pod) => {
    const image = imageIn(pod, APISERVER_CONTAINER);
    return image === undefined ? [] : [{ image, version: versionIn(image), pod }];
  });
  const [first, ...others] = byVersion(runs);
  const etcdPod = runs.find(({ image }) => image === first?.image)?.pod ?? pods?.[0];
  return {
    apiserver: apiserverVersion(containerOf(deployment, APISERVER_CONTAINER)?.image, first, others, pods?.length),
    etcd: await etcdVersion(target, containerOf(deployment, 'etcd'), etcdPod?.metadata.name),
    kvstoremesh: runsKvstoremesh(deployment),
  };
}

/** @param image that of the Deployment, which counts only where no pod tells what runs */
function apiserverVersion(
  image: string | undefined,
  first: RunningVersion | undefined,
  others: readonly RunningVersion[],
  pods: number | undefined,
): ApiserverVersion | undefined {
  if (image === undefined) return undefined;
  const wanted = { image, version: versionIn(image) };
  if (!first) return { ...wanted, pods };
  // A mirror may have it by another name: a version that is not known is no other one.
  const isOther = ({ version }: ProgramVersion) =>
    version !== undefined && wanted.version !== undefined && version !== wanted.version;
  return {
    ...first,
    ...(others.length > 0 ? { others } : {}),
    ...([first, ...others].some(isOther) ? { wanted } : {}),
  };
}

interface Ran {
  image: string;
  version: string | undefined;
}

/** Each version, or image where that does not tell it, once with its pods: most first. */
function byVersion(runs: readonly Ran[]): RunningVersion[] {
  return [...groupBy(runs, ({ version, image }) => version ?? image).values()]
    .flatMap(([first, ...more]) =>
      first ? [{ image: first.image, version: first.version, pods: more.length + 1 }] : [],
    )
    .toSorted((a, b) => b.pods - a.pods);
}

async function agentVersions(target: Target): Promise<Pick<ClusterVersions, 'agents' | 'waiting'>> {
  const found = await listedAgents(target);
  const running = found.filter(({ isRunning }) => isRunning);
  const byImage = new Map(running.map(({ image, pod }) => [image, pod]));
  const versions = await Promise.all(
    [...byImage].map(async ([image, pod]) => {
      const pods = running.filter((one) => one.image === image).length;
      return { image, pods, version: versionIn(image) ?? (await askAgent(target, pod)) };
    }),
  );
  const isOther = ({ version }: Ran) => version !== undefined && versions.every((one) => one.version !== version);
  const idle = found.filter(({ isRunning }) => !isRunning).map(({ image }) => ({ image, version: versionIn(image) }));
  const waiting = versions.length > 0 ? byVersion(idle.filter(isOther)) : [];
  return { agents: versions.toSorted((a, b) => b.pods - a.pods), ...(waiting.length > 0 ? { waiting } : {}) };
}

/** The pods of agents, without those that are ending. */
function listedAgents({ client, namespace }: Target): Promise<{ image: string; pod: string; isRunning: boolean }[]> {
  return client.collect({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: AGENT_SELECTOR }, (pod) => {
    const image = imageIn(pod, AGENT_CONTAINER);
    const { name, deletionTimestamp } = pod.metadata;
    return image === undefined || deletionTimestamp ? [] : [{ image, pod: name, isRunning: isPodRunning(pod) }];
  });
}

function imageIn(pod: KubeObject, container: string): string | undefined {
  return podSpec(pod).containers?.find(({ name }) => name === container)?.image;
}

async function askAgent(target: Target, pod: string): Promise<string | undefined> {
  return versionIn((await answerOf(target, pod, AGENT_CONTAINER, ['cilium-dbg', 'version'])) ?? '', DAEMON);
}

/** `etcd Version: 3.6.4` of `etcd --version`. */
const ETCD = /^etcd Version: (\S+)/m;

async function etcdVersion(
  target: Target,
  container: ReturnType<typeof containerOf>,
  pod: string | undefined,
): Promise<ProgramVersion | undefined> {
  const { image, command: [program] = [] } = container ?? {};
  if (image === undefined) return undefined;
  const said =
    pod === undefined || program === undefined ? '' : await answerOf(target, pod, 'etcd', [program, '--version']);
  return { image, version: ETCD.exec(said ?? '')?.[1] };
}

function versionIn(text: string, pattern?: RegExp): string | undefined {
  const version = pattern ? parseVersion(pattern.exec(text)?.[1] ?? '') : versionOfImage(text);
  return version && formatVersion(version);
}

/** What a program says; undefined where it cannot be asked. */
async function answerOf(
  { client, namespace }: Target,
  pod: string,
  container: string,
  command: readonly string[],
): Promise<string | undefined> {
  try {
    return (await client.exec({ namespace, pod, container, command, timeoutMs: LONGEST_ANSWER_MS })).stdout;
  } catch (error) {
    if (error instanceof MeshctlError && error.code !== 'Interrupted') return undefined;
    throw error;
  }
}
