import type { ApiserverVersion, ClusterVersions } from './cluster-versions.ts';
import { MOST_PLACES } from './running-versions.ts';
import {
  atMostOneMinorApart,
  type CiliumVersion,
  compareMinors,
  compareVersions,
  formatVersion,
  minorOf,
  type ProgramVersion,
  parseVersion,
  type RunningVersion,
} from './versions.ts';

/** What runs of a clustermesh-apiserver, as far as that is known. */
export function runningOf(apiserver: ApiserverVersion | undefined): ProgramVersion[] {
  return apiserver ? [apiserver, ...(apiserver.others ?? [])] : [];
}

/** Of the agents that run, oldest first. */
export function agentVersions({ agents = [] }: Pick<ClusterVersions, 'agents'>): CiliumVersion[] {
  return agents.flatMap(({ version }) => parseVersion(version ?? '') ?? []).toSorted(compareVersions);
}

/** Agents of several minors that run side by side: which, and whether that is for the time of an upgrade. */
interface AgentsApart {
  oldest: string;
  newest: string;
  isUpgrade: boolean;
  /** The one of both that fewer agents have, how many, and where a few of them are, where that is known. */
  fewer?: string;
  fewerPods?: number;
  on?: readonly string[];
}

/** Undefined where all that run are of one minor. */
export function agentsApart(cluster: Pick<ClusterVersions, 'agents'>): AgentsApart | undefined {
  const versions = agentVersions(cluster);
  const [oldest, newest] = [versions[0], versions.at(-1)];
  if (!oldest || !newest || compareMinors(oldest, newest) === 0) return undefined;
  const apart = { oldest: minorOf(oldest), newest: minorOf(newest), isUpgrade: atMostOneMinorApart(oldest, newest) };
  const [few] = [oldest, newest]
    .map((end) => ({ fewer: minorOf(end), ...whereOf(cluster, end) }))
    .toSorted((a, b) => a.fewerPods - b.fewerPods);
  return few && few.on.length > 0 ? { ...apart, ...few } : apart;
}

function whereOf({ agents = [] }: Pick<ClusterVersions, 'agents'>, minor: CiliumVersion) {
  const own = agents.filter(({ version = '' }) => {
    const parsed = parseVersion(version);
    return parsed && compareMinors(parsed, minor) === 0;
  });
  const fewerPods = own.reduce((sum, { pods }) => sum + pods, 0);
  return { fewerPods, on: own.flatMap(({ on = [] }) => on).slice(0, MOST_PLACES) };
}

/** A clause about a cluster. */
export function saysAgentsApart({ oldest, newest, isUpgrade, fewer, fewerPods = 0, on = [] }: AgentsApart): string {
  const more = fewerPods > on.length ? [`${fewerPods - on.length} more`] : [];
  const places = fewer === undefined ? '' : ` (of ${fewer}: ${[...on, ...more].join(', ')})`;
  const both = `agents of ${oldest} and ${newest} run side by side${places}`;
  return isUpgrade ? `${both}: an upgrade is under way` : `${both}, more than one minor apart`;
}

/** What mends agents of several versions. */
export const ONE_VERSION = 'Bring all agents of the cluster to one version, one minor at a time.';

/** A clause about a cluster of whose agents these do not run, or are not ready. */
export function saysWaiting({ pods, version, image }: RunningVersion): string {
  const agents = pods === 1 ? 'agent of' : 'agents of';
  return `${pods} ${agents} ${version ?? image} ${pods === 1 ? 'is' : 'are'} not ready: ${UNFINISHED}`;
}

/** A clause about a cluster whose DaemonSet has a version that no agent has. */
export function saysHeld({ version, image }: ProgramVersion): string {
  return `the DaemonSet cilium has ${version ?? image}, which no agent runs: ${UNFINISHED}`;
}

const UNFINISHED = 'an upgrade is under way, or does not get on';

/** A clustermesh-apiserver of a version that no agent has. */
export interface ApiserverApart {
  apiserver: string;
  agents: string;
  /** What is to run goes with the agents already: only the rollout has to get on. */
  isOnItsWay: boolean;
}

/** Undefined where each pod of it that runs has the minor of some agent, or one of both is not known. */
export function apiserverApart(cluster: Pick<ClusterVersions, 'agents' | 'apiserver'>): ApiserverApart | undefined {
  const versions = agentVersions(cluster);
  const { apiserver } = cluster;
  if (versions.length === 0) return undefined;
  const served = runningOf(apiserver).flatMap(({ version = '' }) => parseVersion(version) ?? []);
  const apart = served.filter((own) => versions.every((version) => compareMinors(version, own) !== 0));
  if (apart.length === 0) return undefined;
  const wanted = parseVersion(apiserver?.wanted?.version ?? '');
  return {
    apiserver: apart.map(formatVersion).join(' and '),
    agents: [...new Set(versions.map(minorOf))].join(' and '),
    isOnItsWay: wanted !== undefined && versions.some((version) => compareMinors(version, wanted) === 0),
  };
}

/** A clause about a cluster. */
export function saysApiserverApart({ apiserver, agents }: Omit<ApiserverApart, 'isOnItsWay'>): string {
  return `the clustermesh-apiserver is ${apiserver}, the agents are ${agents}: both have to be of the same version`;
}

/** A Deployment whose version is not, or not alone, the one that runs. */
interface ApiserverUnfinished {
  wanted: string;
  runs: string;
}

/** Undefined where all that runs is of the Deployment's version, or no pod runs. */
export function apiserverUnfinished({
  apiserver,
}: Pick<ClusterVersions, 'apiserver'>): ApiserverUnfinished | undefined {
  const { wanted, pods = 0 } = apiserver ?? {};
  if (!wanted || pods === 0) return undefined;
  const other = runningOf(apiserver).filter(({ version }) => version !== wanted.version);
  const textOf = ({ version, image }: ProgramVersion) => version ?? image;
  return { wanted: textOf(wanted), runs: other.map(textOf).join(' and ') };
}

/** A clause about a cluster. */
export function saysApiserverUnfinished({ wanted, runs }: ApiserverUnfinished): string {
  return `the Deployment clustermesh-apiserver has ${wanted}, and ${runs} runs: ${UNFINISHED}`;
}

/** The oldest and the newest agents of clusters that are of one mesh, each with its context. */
type VersionEnds = readonly [{ context: string; version: CiliumVersion }, { context: string; version: CiliumVersion }];

/** Undefined where the clusters are at most one minor apart; what is so within one cluster, {@link agentsApart} tells. */
export function meshApart(clusters: readonly Pick<ClusterVersions, 'context' | 'agents'>[]): VersionEnds | undefined {
  const known = clusters
    .flatMap((cluster) => agentVersions(cluster).map((version) => ({ context: cluster.context, version })))
    .toSorted((a, b) => compareVersions(a.version, b.version));
  const [oldest, newest] = [known[0], known.at(-1)];
  if (!oldest || !newest || oldest.context === newest.context) return undefined;
  return atMostOneMinorApart(oldest.version, newest.version) ? undefined : [oldest, newest];
}

/** As `gke: 1.20.0`, of both ends. */
export function endsInWords(ends: VersionEnds): string[] {
  return ends.map(({ context, version }) => `${context}: ${formatVersion(version)}`);
}
