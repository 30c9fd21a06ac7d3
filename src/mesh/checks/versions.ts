import { containerOf } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { finishAgents, saysAtOnce } from '../cilium/restart-agents.ts';
import { clusterVersionsOf } from '../cilium/versions/running-versions.ts';
import { apartHint, lookAt, UPGRADE_OLDER } from '../cilium/versions/skew.ts';
import {
  agentsApart,
  apiserverApart,
  apiserverUnfinished,
  endsInWords,
  meshApart,
  ONE_VERSION,
  saysAgentsApart,
  saysApiserverApart,
  saysApiserverUnfinished,
  saysHeld,
  saysWaiting,
} from '../cilium/versions/version-gaps.ts';
import { formatVersion, versionOfAgents } from '../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { describeCommand } from '../command-line.ts';
import { AGENT_SELECTOR } from '../objects/names.ts';
import { besideOthers, type Check, type CheckInput, type Finding, listed, type Subject } from './shared/check.ts';

/** Versions within one cluster: only there once it has a clustermesh-apiserver. */
export const APISERVER_VERSION_CHECKS: readonly Check[] = [
  {
    id: 'apiserver-version',
    category: 'versions',
    title: "the clustermesh-apiserver has the agents' version",
    subject: (cluster) => {
      const own = versionOf(cluster);
      if (own.things.length === 0) return own;
      const image = apiserverImage(cluster);
      if (image === undefined) return { things: [], otherwise: 'there is no Deployment clustermesh-apiserver' };
      const { version, image: runs } = clusterVersionsOf(cluster).apiserver ?? { image };
      const otherwise = `the version of the clustermesh-apiserver cannot be determined from its image ${runs}`;
      return { things: version === undefined ? [] : [version], otherwise };
    },
    run: ({ clusters }) => clusters.flatMap(apiserverFindings),
    says: ({ args: { context, wanted, runs, apiserver, agents } }) =>
      wanted === undefined
        ? `context "${context}": ${saysApiserverApart({ apiserver: String(apiserver), agents: String(agents) })}`
        : `context "${context}": ${saysApiserverUnfinished({ wanted: String(wanted), runs: String(runs) })}`,
  },
];

function apiserverFindings(cluster: ClusterSnapshot): Finding[] {
  const { context } = cluster;
  const versions = clusterVersionsOf(cluster);
  const id = 'apiserver-version';
  const [apart, behind] = [apiserverApart(versions), apiserverUnfinished(versions)];
  const findings: Finding[] = [];
  if (apart) {
    const { apiserver, agents } = apart;
    const args = { context, apiserver, agents };
    findings.push({ id, severity: 'fail', cluster: context, args, hint: apartHint(context, apart) });
  }
  if (behind) {
    const args = { context, ...behind };
    findings.push({ id, severity: 'warn', cluster: context, args, hint: lookAt(context, 'apiserver') });
  }
  return findings;
}

function apiserverImage(cluster: ClusterSnapshot): string | undefined {
  return containerOf(apiserverDeployment(cluster), 'apiserver')?.image;
}

/** Cilium versions within one cluster, and within one mesh. */
export const VERSION_CHECKS: readonly Check[] = [
  {
    id: 'agents-version',
    category: 'versions',
    title: 'the agents of a cluster have one version',
    subject: versionOf,
    run: ({ clusters }) => clusters.flatMap(agentFindings),
    says: ({ args }) => `context "${args.context}": ${saysOfAgents(args)}`,
  },
  {
    id: 'version-skew',
    category: 'versions',
    title: 'Cilium versions are at most one minor apart',
    subject: besideOthers(versionOf),
    run: versionSkew,
    says: ({ args }) => `Cilium versions are more than one minor apart (${listed(args.versions, '; ')})`,
  },
];

function saysOfAgents({ held, pods, version, ...apart }: Finding['args']): string {
  if (held !== undefined) return saysHeld({ image: '', version: String(held) });
  if (pods !== undefined) return saysWaiting({ pods: Number(pods), image: '', version: String(version) });
  const { oldest, newest, isUpgrade, fewer, fewerPods, on } = apart;
  const where = Array.isArray(on) ? { fewer: String(fewer), fewerPods: Number(fewerPods), on } : {};
  return saysAgentsApart({ oldest: String(oldest), newest: String(newest), isUpgrade: isUpgrade === true, ...where });
}

function agentFindings(cluster: ClusterSnapshot): Finding[] {
  const { context } = cluster;
  const versions = clusterVersionsOf(cluster);
  const id = 'agents-version';
  const apart = agentsApart(versions);
  const mixed: Finding[] = apart
    ? [
        {
          ...{ id, severity: apart.isUpgrade ? 'warn' : 'fail', cluster: context },
          ...{ args: { context, ...apart }, hint: `${ONE_VERSION} ${finishHint(cluster)}` },
        },
      ]
    : [];
  const waiting = (versions.waiting ?? []).map(({ pods, version, image }): Finding => {
    const args = { context, pods, version: version ?? image };
    const hint = describeCommand(cluster, 'pods', { selector: AGENT_SELECTOR });
    return { id, severity: 'warn', cluster: context, args, hint };
  });
  const { held } = versions;
  const halted: Finding[] = held
    ? [
        {
          ...{ id, severity: 'warn', cluster: context },
          args: { context, held: held.version ?? held.image },
          hint: finishHint(cluster),
        },
      ]
    : [];
  return [...mixed, ...waiting, ...halted];
}

/** What brings all of them to the version that their DaemonSet has by now. */
function finishHint(cluster: ClusterSnapshot): string {
  return `To have all agents run what the DaemonSet has${saysAtOnce(cluster)}: ${finishAgents(cluster)}`;
}

function versionOf({ agent }: ClusterSnapshot): Subject {
  if (!agent) return { things: [], otherwise: 'there is no DaemonSet cilium' };
  const version = versionOfAgents(agent);
  return {
    things: version ? [formatVersion(version)] : [],
    otherwise: `Cilium's version cannot be determined from the agent's image ${agent.image}, and no agent told it`,
  };
}

function versionSkew({ clusters }: CheckInput): Finding[] {
  const ends = meshApart(clusters.map(clusterVersionsOf));
  if (!ends) return [];
  // An upgrade that was begun is finished, before anybody upgrades anything.
  const unfinished = clusters.filter(
    ({ context, agent }) => agent?.startsWith && ends.some((end) => end.context === context),
  );
  const hint = [UPGRADE_OLDER, ...unfinished.slice(0, 1).map(finishHint)].join(' ');
  return [{ id: 'version-skew', severity: 'fail', args: { versions: endsInWords(ends) }, hint }];
}
