import { containerOf } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { atMostOneMinorApart, followAgentsHint, UPGRADE_OLDER } from '../cilium/skew.ts';
import {
  type CiliumVersion,
  compareMinors,
  formatVersion,
  versionOfAgents,
  versionOfImage,
} from '../cilium/versions.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
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
      const otherwise = `the version of the clustermesh-apiserver cannot be determined from its image ${image}`;
      return { things: versionOfImage(image) ? [image] : [], otherwise };
    },
    run: ({ clusters }) =>
      clusters.flatMap((cluster): Finding[] => {
        const [agent, own] = [versionOfAgents(cluster.agent), versionOfImage(apiserverImage(cluster) ?? '')];
        if (!agent || !own || compareMinors(agent, own) === 0) return [];
        const { context } = cluster;
        const args = { context, apiserver: formatVersion(own), agents: formatVersion(agent) };
        const hint = followAgentsHint(context);
        return [{ id: 'apiserver-version', severity: 'fail', cluster: context, args, hint }];
      }),
    says: ({ args }) =>
      `context "${args.context}": the clustermesh-apiserver is ${args.apiserver}, the agents are ${args.agents}: both have to be of the same version`,
  },
];

function apiserverImage(cluster: ClusterSnapshot): string | undefined {
  return containerOf(apiserverDeployment(cluster), 'apiserver')?.image;
}

/** Cilium versions within one mesh. */
export const VERSION_CHECKS: readonly Check[] = [
  {
    id: 'version-skew',
    category: 'versions',
    title: 'Cilium versions are at most one minor apart',
    subject: besideOthers(versionOf),
    run: versionSkew,
    says: ({ args }) => `Cilium versions are more than one minor apart (${listed(args.versions, '; ')})`,
  },
];

function versionOf({ agent }: ClusterSnapshot): Subject {
  if (!agent) return { things: [], otherwise: 'there is no DaemonSet cilium' };
  const version = versionOfAgents(agent);
  return {
    things: version ? [formatVersion(version)] : [],
    otherwise: `Cilium's version cannot be determined from the agent's image ${agent.image}, and no agent told it`,
  };
}

function versionSkew({ clusters }: CheckInput): Finding[] {
  const known = clusters.flatMap(({ context, agent }): { context: string; version: CiliumVersion }[] => {
    const version = versionOfAgents(agent);
    return version ? [{ context, version }] : [];
  });
  const ordered = known.toSorted((a, b) => compareMinors(a.version, b.version));
  const [oldest, newest] = [ordered[0], ordered.at(-1)];
  if (!oldest || !newest || atMostOneMinorApart(oldest.version, newest.version)) return [];
  return [
    {
      id: 'version-skew',
      severity: 'fail',
      args: { versions: [oldest, newest].map(({ context, version }) => `${context}: ${formatVersion(version)}`) },
      hint: UPGRADE_OLDER,
    },
  ];
}
