import { containerOf } from '../../apiserver/deployment.ts';
import { apiserverDeployment } from '../../apiserver/live.ts';
import type { AgentFacts, ClusterSnapshot } from '../../cluster-snapshot.ts';
import { groupBy } from '../../pairs.ts';
import { clusterNameOf } from '../identity.ts';
import type { ApiserverVersion, ClusterVersions } from './cluster-versions.ts';
import {
  compareVersions,
  formatVersion,
  type ProgramVersion,
  type RunningVersion,
  versionOfAgents,
  versionOfImage,
  withKnownVersion,
} from './versions.ts';

/** What a pod of a program was started from, or is to be. */
export interface ProgramPod {
  image: string;
  isRunning: boolean;
  /** Its name, and its node. */
  place: string;
}

/** Of so many pods of a version it is told where they are. */
export const MOST_PLACES = 3;

/** `1.20.0` by an image's tag; undefined where that tells none. */
export function versionIn(image: string): string | undefined {
  const version = versionOfImage(image);
  return version && formatVersion(version);
}

/**
 * The versions of agents that run, and of those that do not where none that runs has it: most pods first.
 * @param told versions that programs say themselves, by images that do not tell them
 */
export function versionsOfPods(
  pods: readonly ProgramPod[],
  told: ReadonlyMap<string, string | undefined>,
): { running: readonly RunningVersion[]; waiting: readonly RunningVersion[] } {
  const groups = groupBy(
    pods.filter(({ isRunning }) => isRunning),
    ({ image }) => image,
  );
  const running = [...groups]
    .map(([image, own]) => ({
      ...{ image, pods: own.length, version: versionIn(image) ?? told.get(image) },
      on: own.slice(0, MOST_PLACES).map(({ place }) => place),
    }))
    .toSorted((a, b) => b.pods - a.pods);
  const isOther = ({ version }: ProgramVersion) =>
    version !== undefined && running.every((one) => one.version !== version);
  const idle = pods.filter(({ isRunning }) => !isRunning).map(({ image }) => image);
  const waiting = running.length > 0 ? byVersion(idle).filter(isOther) : [];
  return { running, waiting };
}

/** Each version, or image where that does not tell it, once with its pods: most first. */
function byVersion(images: readonly string[]): RunningVersion[] {
  return [...groupBy(images, (image) => versionIn(image) ?? image).values()]
    .flatMap(([image, ...more]) =>
      image === undefined ? [] : [{ image, version: versionIn(image), pods: more.length + 1 }],
    )
    .toSorted((a, b) => b.pods - a.pods);
}

/** The facts of a DaemonSet with what of it runs: what goes by its image goes by the oldest agents. */
export function withRunning(
  { running: _running, waiting: _waiting, ...facts }: AgentFacts,
  { running, waiting }: ReturnType<typeof versionsOfPods>,
): AgentFacts {
  const seen = { ...facts, running, ...(waiting.length > 0 ? { waiting } : {}) };
  const [oldest] = withKnownVersion(running).toSorted((a, b) => compareVersions(a.version, b.version));
  if (!oldest) return seen;
  const own = versionOfImage(facts.image);
  // A mirror may have it by another name: that of the DaemonSet is the one which was chosen.
  if (own && compareVersions(own, oldest.version) === 0) return seen;
  const told = versionOfImage(oldest.image) ? {} : { version: oldest.version };
  if (oldest.image === facts.image) return { ...seen, ...told };
  return { ...seen, image: oldest.image, startsWith: facts.image, ...told };
}

/**
 * What a DaemonSet has that no agent came to have: it is on `OnDelete`, or its rollout has not begun.
 * @param image the DaemonSet's
 */
export function heldVersion(
  image: string,
  {
    running,
    waiting = [],
  }: { running?: readonly RunningVersion[] | undefined; waiting?: readonly RunningVersion[] | undefined },
): ProgramVersion | undefined {
  const version = versionIn(image);
  const others = [...(running ?? []), ...waiting];
  // An image that tells no version may be of that one.
  const isHeld = others.length > 0 && others.every((one) => one.version !== undefined && one.version !== version);
  return version !== undefined && isHeld ? { image, version } : undefined;
}

/**
 * The version of a clustermesh-apiserver.
 * @param image that of the Deployment, which counts only where no pod tells what runs
 * @param runs the images of pods that run; absent where they may not be listed
 */
export function apiserverVersion(
  image: string | undefined,
  runs: readonly string[] | undefined,
): ApiserverVersion | undefined {
  if (image === undefined) return undefined;
  const wanted = { image, version: versionIn(image) };
  const [first, ...others] = byVersion(runs ?? []);
  if (!first) return { ...wanted, pods: runs?.length };
  // A mirror may have it by another name: a version that is not known is no other one.
  const isOther = ({ version }: ProgramVersion) =>
    version !== undefined && wanted.version !== undefined && version !== wanted.version;
  return {
    ...first,
    ...(others.length > 0 ? { others } : {}),
    ...([first, ...others].some(isOther) ? { wanted } : {}),
  };
}

/** The versions of a cluster as they are judged: those of its pods, or of the DaemonSet and the Deployment where pods tell none. */
export function clusterVersionsOf(snapshot: ClusterSnapshot): ClusterVersions {
  const { context, agent, apiserverPods, kubernetesVersion: kubernetes = '' } = snapshot;
  const version = versionOfAgents(agent);
  const set =
    agent && version ? [{ image: agent.image, version: formatVersion(version), pods: agent.desired }] : undefined;
  const agents = agent?.running?.some((one) => one.version !== undefined) ? agent.running : set;
  const image = containerOf(apiserverDeployment(snapshot), 'apiserver')?.image;
  const runs = apiserverPods?.flatMap((pod) => pod.runs ?? []);
  return {
    context,
    cluster: clusterNameOf(snapshot),
    kubernetes,
    agents,
    waiting: agent?.waiting,
    held: agent && heldVersion(agent.startsWith ?? agent.image, agent),
    apiserver: apiserverVersion(image, runs),
  };
}
