import { meshctlCommand } from '../command-line.ts';
import { counted } from '../counted.ts';
import {
  type CiliumVersion,
  compareMinors,
  compareVersions,
  formatVersion,
  minorOf,
  NEWEST_KNOWN,
  OLDEST_SUPPORTED,
  parseVersion,
  supportedRange,
} from './versions.ts';

/** A program's version, as far as it can be told, and what it was started from. */
export interface ProgramVersion {
  /** `1.20.0`; absent where neither the image's tag nor the program tells it. */
  version?: string | undefined;
  image: string;
}

/** With how many pods have it. */
export interface RunningVersion extends ProgramVersion {
  pods: number;
}

/** That of most pods that run; of none, or where they may not be read (`pods` is absent), the one that the Deployment has. */
export interface ApiserverVersion extends ProgramVersion {
  pods?: number | undefined;
  /** What else runs. */
  others?: readonly RunningVersion[] | undefined;
  /** What the Deployment has, where a pod of another version runs. */
  wanted?: ProgramVersion | undefined;
}

/** The versions that run in one cluster. */
export interface ClusterVersions {
  context: string;
  /** Its name in the mesh; absent without Cilium. */
  cluster?: string | undefined;
  /** Of the API server, e.g. `v1.36.1`. */
  kubernetes: string;
  /** Those that run now, most pods first; absent where pods may not be read. */
  agents?: readonly RunningVersion[] | undefined;
  /** Agents that do not run, of versions that none has which does; absent where there is none. */
  waiting?: readonly RunningVersion[] | undefined;
  /** Absent where there is none. */
  apiserver?: ApiserverVersion | undefined;
  /** The one in the clustermesh-apiserver's pods. */
  etcd?: ProgramVersion | undefined;
  /** Absent without a clustermesh-apiserver. */
  kvstoremesh?: boolean | undefined;
  /** What else may not be read, e.g. `Deployment kube-system/clustermesh-apiserver`; absent where all was. */
  unread?: readonly string[] | undefined;
}

/** Versions that do not go together, or of which nobody says that they do. */
export interface SkewFinding {
  id:
    | 'agents-none'
    | 'agents-skew'
    | 'agents-waiting'
    | 'apiserver-none'
    | 'apiserver-skew'
    | 'apiserver-rollout'
    | 'version-skew'
    | 'cilium-range'
    | 'kubernetes-tested'
    | 'version-unknown';
  /** fail: not supported. warn: on its way from one version to the next, or not tested. */
  severity: 'fail' | 'warn';
  contexts: readonly string[];
  message: string;
  hint?: string;
}

/** Whether two minors are the same or consecutive: Cilium is tested between such only (its upgrade guide). */
export function atMostOneMinorApart(a: CiliumVersion, b: CiliumVersion): boolean {
  return a.major === b.major && Math.abs(a.minor - b.minor) <= 1;
}

/**
 * The Kubernetes minors with which the releases of a Cilium minor are tested end to end, oldest and newest
 * (Documentation/network/kubernetes/compatibility.rst of each release branch). Others may well work: Cilium leaves them to
 * Kubernetes' own compatibility.
 */
const TESTED_KUBERNETES: Readonly<Record<string, readonly [oldest: number, newest: number]>> = {
  '1.16': [27, 30],
  '1.17': [29, 32],
  '1.18': [30, 33],
  '1.19': [31, 34],
  '1.20': [33, 36],
};

/** Judges the versions of clusters of one mesh; empty where all go together. */
export function judgeVersions(clusters: readonly ClusterVersions[]): SkewFinding[] {
  return [...clusters.flatMap(judgeCluster), ...judgeMesh(clusters)];
}

/**
 * Whether the versions of clusters go together.
 * @param findings of {@link judgeVersions}
 * @returns undefined where not all of them are known
 */
export function areSupported(
  clusters: readonly ClusterVersions[],
  findings: readonly SkewFinding[],
): boolean | undefined {
  if (findings.some(({ severity }) => severity === 'fail')) return false;
  const withCilium = clusters.filter(({ agents, cluster }) => cluster !== undefined || agents?.length !== 0);
  const known = withCilium.every(
    ({ agents = [], apiserver, unread = [] }) =>
      unread.length === 0 &&
      agents.length > 0 &&
      [...agents, ...runningOf(apiserver)].every(({ version }) => version !== undefined),
  );
  return withCilium.length > 0 && known ? true : undefined;
}

/** What runs of a clustermesh-apiserver, as far as that is known. */
function runningOf(apiserver: ApiserverVersion | undefined): ProgramVersion[] {
  return apiserver ? [apiserver, ...(apiserver.others ?? [])] : [];
}

function judgeCluster(cluster: ClusterVersions): SkewFinding[] {
  const { context, agents = [], apiserver, kubernetes } = cluster;
  const contexts = [context];
  if (cluster.cluster !== undefined && cluster.agents?.length === 0) {
    const message = `context "${context}": no Cilium agent runs, so its version is not known`;
    const hint = lookAt(context, 'config');
    return [{ id: 'agents-none', severity: 'warn', contexts, message, hint }];
  }
  const place = `context "${context}": `;
  const versions = agentVersions(cluster);
  const [oldest, newest] = [versions[0], versions.at(-1)];
  const programs = [
    ...agents.map((agent) => ({ ...agent, whose: "Cilium's version cannot be told from the agents' image" })),
    ...runningOf(apiserver).map((program) => ({
      ...program,
      whose: "the clustermesh-apiserver's version cannot be told from its image",
    })),
  ];
  const findings: SkewFinding[] = programs
    .filter(({ version }) => version === undefined)
    .map(({ image, whose }) => ({
      id: 'version-unknown',
      severity: 'warn',
      contexts,
      message: `${place}${whose} ${image}`,
    }));
  if (apiserver?.pods === 0) {
    const message = `${place}no pod of the clustermesh-apiserver runs: the version is the one that its Deployment has`;
    const hint = lookAt(context, 'apiserver');
    findings.push({ id: 'apiserver-none', severity: 'warn', contexts, message, hint });
  }
  findings.push(...unfinished(cluster));
  if (!oldest || !newest) return findings;
  if (compareMinors(oldest, newest) !== 0) {
    const upgrade = atMostOneMinorApart(oldest, newest);
    findings.push({
      id: 'agents-skew',
      severity: upgrade ? 'warn' : 'fail',
      contexts,
      message: upgrade
        ? `${place}agents of ${minorOf(oldest)} and ${minorOf(newest)} run side by side: an upgrade is under way`
        : `${place}agents of ${minorOf(oldest)} and ${minorOf(newest)} run side by side, more than one minor apart`,
      hint: 'Bring all agents of the cluster to one version, one minor at a time.',
    });
  }
  const served = runningOf(apiserver).flatMap(({ version = '' }) => parseVersion(version) ?? []);
  const apart = served.filter((own) => versions.every((version) => compareMinors(version, own) !== 0));
  // What is to run goes with the agents already: only the rollout has to get on.
  const wanted = parseVersion(apiserver?.wanted?.version ?? '');
  const isOnItsWay = wanted !== undefined && versions.some((version) => compareMinors(version, wanted) === 0);
  if (apart.length > 0) {
    findings.push({
      id: 'apiserver-skew',
      severity: 'fail',
      contexts,
      message: `${place}the clustermesh-apiserver is ${apart.map(formatVersion).join(' and ')}, the agents are ${[...new Set(versions.map(minorOf))].join(' and ')}: both have to be of the same version`,
      hint: isOnItsWay ? lookAt(context, 'apiserver') : followAgentsHint(context),
    });
  }
  const outside = versions.find((version) => compareVersions(version, OLDEST_SUPPORTED) < 0);
  if (outside) {
    findings.push({
      id: 'cilium-range',
      severity: 'fail',
      contexts,
      message: `${place}Cilium ${formatVersion(outside)} is older than meshctl supports (${supportedRange()})`,
      hint: `Upgrade Cilium to ${minorOf(OLDEST_SUPPORTED)} or later.`,
    });
  } else if (compareMinors(newest, NEWEST_KNOWN) > 0) {
    findings.push({
      id: 'cilium-range',
      severity: 'warn',
      contexts,
      message: `${place}Cilium ${formatVersion(newest)} is newer than this meshctl knows (${supportedRange()})`,
      hint: 'Check for a newer meshctl.',
    });
  }
  const tested = testedKubernetes(newest);
  const minor = kubernetesMinor(kubernetes);
  if (tested && minor !== undefined && (minor < tested[0] || minor > tested[1])) {
    findings.push({
      id: 'kubernetes-tested',
      severity: 'warn',
      contexts,
      message: `${place}Cilium ${minorOf(newest)} is not tested with Kubernetes ${kubernetes}, but with 1.${tested[0]} to 1.${tested[1]}`,
    });
  }
  return findings;
}

/** What a rollout waits for, the checks of a category tell. */
function lookAt(context: string, category: string): string {
  return meshctlCommand('clustermesh check', { context }, ['--category', category]);
}

/** What is to run and does not: what runs is what counts, and it may have to go on for long. */
function unfinished({ context, waiting = [], apiserver }: ClusterVersions): SkewFinding[] {
  const contexts = [context];
  const place = `context "${context}": `;
  const going = 'an upgrade is under way, or does not get on';
  const textOf = ({ version, image }: ProgramVersion) => version ?? image;
  const { wanted, pods = 0 } = apiserver ?? {};
  const other = runningOf(apiserver).filter(({ version }) => version !== wanted?.version);
  const findings = waiting.map((agents): SkewFinding => {
    const which = `${counted(agents.pods, 'agent')} of ${textOf(agents)} ${agents.pods === 1 ? 'does' : 'do'} not run`;
    const message = `${place}${which}: ${going}`;
    return { id: 'agents-waiting', severity: 'warn', contexts, message, hint: lookAt(context, 'config') };
  });
  if (wanted && pods > 0) {
    const message = `${place}the Deployment clustermesh-apiserver has ${textOf(wanted)}, and ${other.map(textOf).join(' and ')} runs: ${going}`;
    const hint = lookAt(context, 'apiserver');
    findings.push({ id: 'apiserver-rollout', severity: 'warn', contexts, message, hint });
  }
  return findings;
}

/** How a clustermesh-apiserver gets the agents' version, which enable asks them for where their image does not tell it. */
export function followAgentsHint(context: string): string {
  return `Where meshctl made it, this brings it to the agents' version: ${meshctlCommand('clustermesh enable', { context })}`;
}

/** What mends versions that are too far apart. */
export const UPGRADE_OLDER = 'Cilium supports a mesh of consecutive minor versions: upgrade the older ones first.';

function judgeMesh(clusters: readonly ClusterVersions[]): SkewFinding[] {
  const known = clusters
    .flatMap((cluster) => agentVersions(cluster).map((version) => ({ context: cluster.context, version })))
    .toSorted((a, b) => compareVersions(a.version, b.version));
  const [oldest, newest] = [known[0], known.at(-1)];
  if (!oldest || !newest || oldest.context === newest.context) return [];
  if (atMostOneMinorApart(oldest.version, newest.version)) return [];
  const ends = [oldest, newest].map(({ context, version }) => `${context}: ${formatVersion(version)}`);
  return [
    {
      id: 'version-skew',
      severity: 'fail',
      contexts: [oldest.context, newest.context],
      message: `Cilium versions are more than one minor apart (${ends.join('; ')})`,
      hint: UPGRADE_OLDER,
    },
  ];
}

/** Of the agents that run, oldest first. */
function agentVersions({ agents = [] }: ClusterVersions): CiliumVersion[] {
  return agents.flatMap(({ version }) => parseVersion(version ?? '') ?? []).toSorted(compareVersions);
}

function testedKubernetes(version: CiliumVersion): readonly [number, number] | undefined {
  return TESTED_KUBERNETES[minorOf(version)];
}

/** 36 of `v1.36.1-gke.100`. */
function kubernetesMinor(version: string): number | undefined {
  const [, minor] = /^v?1\.(\d{1,4})\b/.exec(version) ?? [];
  return minor === undefined ? undefined : Number(minor);
}
