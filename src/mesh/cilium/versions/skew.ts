import { meshctlCommand } from '../../command-line.ts';
import type { ClusterVersions } from './cluster-versions.ts';
import {
  type ApiserverApart,
  agentsApart,
  agentVersions,
  apiserverApart,
  apiserverUnfinished,
  endsInWords,
  meshApart,
  ONE_VERSION,
  runningOf,
  saysAgentsApart,
  saysApiserverApart,
  saysApiserverUnfinished,
  saysHeld,
  saysWaiting,
} from './version-gaps.ts';
import {
  type CiliumVersion,
  compareMinors,
  compareVersions,
  formatVersion,
  minorOf,
  NEWEST_KNOWN,
  OLDEST_SUPPORTED,
  supportedRange,
} from './versions.ts';

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
  const mixed = agentsApart(cluster);
  if (mixed) {
    const severity = mixed.isUpgrade ? 'warn' : 'fail';
    findings.push({
      ...{ id: 'agents-skew', severity, contexts },
      message: `${place}${saysAgentsApart(mixed)}`,
      hint: ONE_VERSION,
    });
  }
  const apart = apiserverApart(cluster);
  if (apart) {
    const message = `${place}${saysApiserverApart(apart)}`;
    findings.push({ id: 'apiserver-skew', severity: 'fail', contexts, message, hint: apartHint(context, apart) });
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

/** What a rollout waits for, the checks of a category tell. @returns the command line */
export function lookAt(context: string, category: string): string {
  return meshctlCommand('clustermesh check', { context }, ['--category', category]);
}

/** What is to run and does not: what runs is what counts, and it may have to go on for long. */
function unfinished(cluster: ClusterVersions): SkewFinding[] {
  const { context, waiting = [], held } = cluster;
  const contexts = [context];
  const place = `context "${context}": `;
  const findings = waiting.map((agents): SkewFinding => {
    const message = `${place}${saysWaiting(agents)}`;
    return { id: 'agents-waiting', severity: 'warn', contexts, message, hint: lookAt(context, 'config') };
  });
  if (held) {
    const message = `${place}${saysHeld(held)}`;
    findings.push({ id: 'agents-waiting', severity: 'warn', contexts, message, hint: lookAt(context, 'versions') });
  }
  const behind = apiserverUnfinished(cluster);
  if (behind) {
    const message = `${place}${saysApiserverUnfinished(behind)}`;
    const hint = lookAt(context, 'apiserver');
    findings.push({ id: 'apiserver-rollout', severity: 'warn', contexts, message, hint });
  }
  return findings;
}

/** What mends a clustermesh-apiserver of another version than the agents'. */
export function apartHint(context: string, { isOnItsWay }: ApiserverApart): string {
  return isOnItsWay ? lookAt(context, 'apiserver') : followAgentsHint(context);
}

/** How a clustermesh-apiserver gets the agents' version, which enable asks them for where their image does not tell it. */
function followAgentsHint(context: string): string {
  return `Where meshctl made it, this brings it to the agents' version: ${meshctlCommand('clustermesh enable', { context })}`;
}

/** What mends versions that are too far apart. */
export const UPGRADE_OLDER = 'Cilium supports a mesh of consecutive minor versions: upgrade the older ones first.';

function judgeMesh(clusters: readonly ClusterVersions[]): SkewFinding[] {
  const ends = meshApart(clusters);
  if (!ends) return [];
  const message = `Cilium versions are more than one minor apart (${endsInWords(ends).join('; ')})`;
  const contexts = ends.map(({ context }) => context);
  return [{ id: 'version-skew', severity: 'fail', contexts, message, hint: UPGRADE_OLDER }];
}

function testedKubernetes(version: CiliumVersion): readonly [number, number] | undefined {
  return TESTED_KUBERNETES[minorOf(version)];
}

/** 36 of `v1.36.1-gke.100`. */
function kubernetesMinor(version: string): number | undefined {
  const [, minor] = /^v?1\.(\d{1,4})\b/.exec(version) ?? [];
  return minor === undefined ? undefined : Number(minor);
}
