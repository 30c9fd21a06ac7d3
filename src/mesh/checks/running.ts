import { apiserverDeployment } from '../apiserver/live.ts';
import { settleAgentSize } from '../apiserver/mesh-size.ts';
import { outdatedIdentity, settleIdentity } from '../apiserver/pod-marks.ts';
import { podIdentity } from '../apiserver/recorded-identity.ts';
import { identityOf, restartCommand } from '../cilium/identity.ts';
import { restartAgents, saysAtOnce } from '../cilium/restart-agents.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { firstOf } from '../counted.ts';
import { APISERVER, localUserName } from '../objects/names.ts';
import { restartWorkloads } from '../objects/restart.ts';
import { groupBy } from '../pairs.ts';
import { STARTED_SETTINGS } from './config.ts';
import { type Finding, listed, type Subject } from './shared/check.ts';
import { type ClusterObservation, findingOf, type MeshCheck, type MeshCheckInput } from './shared/mesh-input.ts';
import { NO_CONFIG, sampleOf, untoldByAgents } from './shared/subjects.ts';

/** Whether running pods use the name and id in cilium-config now: they read them when they start. */
export const RUNNING_CHECKS: readonly MeshCheck[] = [
  {
    id: 'identity-running',
    category: 'identity',
    title: 'running pods use the name and id in cilium-config',
    observes: true,
    needs: ['cluster-identity'],
    // What runs is right then, and cilium-config is not.
    saidBy: ['cluster-name-unique', 'cluster-id-unique'],
    subject: runningNames,
    run: ({ clusters, observed }, all) =>
      clusters.flatMap((cluster) => outdated(cluster, all, observed.get(cluster.context))),
    says: ({ args }) =>
      `context "${args.context}": cilium-config says ${args.wanted}, but ${listed(args.reasons, '; ')}`,
  },
  {
    id: 'operator-running',
    category: 'identity',
    title: "Cilium's operator was started after the cluster got its name and id",
    observes: true,
    needs: ['cluster-identity'],
    subject(cluster, { observed }) {
      const seen = observed.get(cluster.context);
      if (!seen?.operators?.length) return { things: [], otherwise: "no running pod of Cilium's operator was found" };
      return {
        things: judgeOperator(cluster, seen) === 'unknown' ? [] : ['operator'],
        otherwise: "it cannot be told whether the cluster got its name before or after Cilium's operator was started",
      };
    },
    run: ({ clusters, observed }) => clusters.flatMap((cluster) => oldOperator(cluster, observed.get(cluster.context))),
    says: ({ args }) =>
      `context "${args.context}": Cilium's operator was started at ${args.startedAt}, before cilium-config was written (${args.setAt}) and the agents were started that run as ${args.wanted}: it may have another name or id`,
  },
  {
    id: 'max-connected-clusters-agents',
    category: 'identity',
    title: 'agents run with the max-connected-clusters of cilium-config',
    observes: true,
    needs: ['cluster-identity'],
    // What runs is right then, and cilium-config is not.
    saidBy: ['max-connected-clusters-running'],
    subject(cluster, { observed }) {
      const seen = observed.get(cluster.context);
      const nodes = [...agentSizes(seen).values()].flat();
      return {
        things: nodes,
        otherwise: 'no agent reported the max-connected-clusters that it runs with',
        ...untoldByAgents(seen, nodes),
        sample: sampleOf(seen),
      };
    },
    run: ({ clusters, observed }) => clusters.flatMap((cluster) => oldSize(cluster, observed.get(cluster.context))),
    says: ({ args }) =>
      `context "${args.context}": cilium-config says max-connected-clusters ${args.wanted}, but agents run with ${args.runs} (${args.nodes})`,
  },
  {
    id: 'settings-running',
    category: 'config',
    title: 'agents run with the settings of cilium-config',
    observes: true,
    subject(cluster, { observed }) {
      const seen = observed.get(cluster.context);
      const nodes = (seen?.nodes ?? []).flatMap(({ node, startedWith }) => (startedWith ? [node] : []));
      return {
        things: cluster.ciliumConfig ? nodes : [],
        otherwise: cluster.ciliumConfig ? 'no agent reported the settings that it was started with' : NO_CONFIG,
        ...untoldByAgents(seen, nodes),
        sample: sampleOf(seen),
      };
    },
    run: ({ clusters, observed }) => clusters.flatMap((cluster) => oldSettings(cluster, observed.get(cluster.context))),
    says: ({ args }) =>
      `context "${args.context}": cilium-config has ${listed(args.wanted)}, and agents were started with ${listed(args.runs)} (${args.nodes})`,
  },
];

/** What of the settings agents have not got yet, of the first that lack any. */
function oldSettings(cluster: ClusterSnapshot, seen: ClusterObservation | undefined): Finding[] {
  const { context, ciliumConfig = {} } = cluster;
  const lacking = (seen?.nodes ?? []).flatMap(({ node, startedWith }) => {
    const keys = startedWith
      ? STARTED_SETTINGS.filter((key) => (startedWith[key] ?? '').trim() !== (ciliumConfig[key] ?? '').trim())
      : [];
    return startedWith && keys.length > 0 ? [{ node, startedWith, keys }] : [];
  });
  const [first] = lacking;
  if (!first) return [];
  const words = (settings: Readonly<Record<string, string>>) =>
    first.keys.map((key) => (settings[key] === undefined ? `no ${key}` : `${key} ${settings[key]}`));
  const args = {
    wanted: words(ciliumConfig),
    runs: words(first.startedWith),
    nodes: firstOf(lacking.map(({ node }) => node)),
  };
  const hint = `Restart what was started before${saysAtOnce(cluster)}: ${restartCommand(cluster)}`;
  return [findingOf('settings-running', 'warn', context, args, hint)];
}

/** API servers tell times in seconds, and programs of one installation start one after the other. */
const AT_ONCE_MS = 60_000;

/**
 * The operator tells no one under which name it runs; it reads it when it starts, as the agents do. It is right where the
 * cluster had its name and id by then: its ConfigMap has not been written since by whoever set them, or an agent that runs
 * under them is as old. It is in doubt where that was written between its start and that of the agents. That agents are
 * younger alone says nothing: they may have been restarted for any reason.
 */
function judgeOperator(
  { ciliumConfig = {}, identitySetAt }: ClusterSnapshot,
  { nodes, operators = [] }: ClusterObservation,
): 'right' | 'doubtful' | 'unknown' {
  const { name, id } = identityOf(ciliumConfig);
  const agents = nodes.flatMap(({ cluster, clusterId = id, startedAt }) =>
    cluster === name && clusterId === id && startedAt ? [startedAt.getTime()] : [],
  );
  const setAt = identitySetAt?.getTime() ?? Number.POSITIVE_INFINITY;
  const oldestAgent = Math.min(...agents);
  if (oldestOf(operators) + AT_ONCE_MS >= Math.min(setAt, oldestAgent)) return 'right';
  return agents.length > 0 && setAt <= oldestAgent ? 'doubtful' : 'unknown';
}

function oldestOf(starts: readonly Date[]): number {
  return Math.min(...starts.map((start) => start.getTime()));
}

function oldOperator(cluster: ClusterSnapshot, seen?: ClusterObservation): Finding[] {
  const { context, ciliumConfig = {}, identitySetAt } = cluster;
  if (!seen?.operators || judgeOperator(cluster, seen) !== 'doubtful') return [];
  const { name, id } = identityOf(ciliumConfig);
  const args = {
    wanted: `${name}, id ${id}`,
    startedAt: new Date(oldestOf(seen.operators)).toISOString(),
    setAt: identitySetAt?.toISOString() ?? '',
  };
  const hint = restartWorkloads(cluster, ['deployment/cilium-operator']);
  return [findingOf('operator-running', 'warn', context, args, hint)];
}

/**
 * The nodes of agents by the max-connected-clusters that these were started with. An agent that told its id and not this was started
 * without one, and runs with Cilium's default, whatever cilium-config has by now.
 */
function agentSizes(seen: ClusterObservation | undefined): Map<number, string[]> {
  const usual = identityOf({}).maxConnectedClusters;
  const told = (seen?.nodes ?? []).flatMap(({ node, clusterId, maxConnectedClusters }) => {
    const size = maxConnectedClusters ?? (clusterId === undefined ? undefined : usual);
    return size === undefined ? [] : [{ node, size }];
  });
  return new Map([...groupBy(told, ({ size }) => size)].map(([size, own]) => [size, own.map(({ node }) => node)]));
}

function oldSize(cluster: ClusterSnapshot, seen: ClusterObservation | undefined): Finding[] {
  const { context, ciliumConfig = {} } = cluster;
  const wanted = identityOf(ciliumConfig).maxConnectedClusters;
  const sizes = agentSizes(seen);
  const [other] = [...sizes].filter(([size]) => size !== wanted);
  if (!other) return [];
  const [runs, nodes] = other;
  const hint = settleAgentSize(cluster, runs, sizes.has(wanted));
  return [findingOf('max-connected-clusters-agents', 'fail', context, { wanted, runs, nodes: firstOf(nodes) }, hint)];
}

/** What agents run as, in words, with their nodes; what an agent does not tell counts as what it should be. */
function agentsOf({ ciliumConfig = {} }: ClusterSnapshot, seen: ClusterObservation | undefined): Map<string, string[]> {
  const wanted = identityOf(ciliumConfig);
  const byIdentity = new Map<string, string[]>();
  for (const { node, cluster, clusterId } of seen?.nodes ?? []) {
    if (cluster === undefined && clusterId === undefined) continue;
    const { name = wanted.name, id = wanted.id } = { name: cluster, id: clusterId };
    // Only an id that is known to differ is worth a word.
    const words = id === wanted.id ? name : `${name}, id ${id}`;
    byIdentity.set(words, [...(byIdentity.get(words) ?? []), node]);
  }
  return byIdentity;
}

/** A clustermesh-apiserver that says nothing may run as anything: that its agents are right does not speak for it. */
function runningNames(cluster: ClusterSnapshot, { observed }: Pick<MeshCheckInput, 'observed'>): Subject {
  const seen = observed.get(cluster.context);
  const served = servedNames(cluster, seen);
  const agents = agentsOf(cluster, seen);
  const silent = served.length === 0 && !seen?.isOfAnother ? silentApiserver(cluster, seen) : undefined;
  const { unseen, isBlind } = untoldByAgents(seen, [...agents.values()].flat(), silent === undefined ? [] : [silent]);
  return {
    things: [...served.map(([name]) => name), ...agents.keys(), ...(seen?.isOfAnother ? ['etcd'] : [])],
    otherwise: silent ?? 'neither its clustermesh-apiserver nor an agent reported the name that it runs with',
    isBlind: isBlind || (silent !== undefined && seen?.untold?.has('etcd')),
    unseen,
    sample: sampleOf(seen),
  };
}

/** Why it is not known what the clustermesh-apiserver runs as; undefined where there is none. */
function silentApiserver(cluster: ClusterSnapshot, seen: ClusterObservation | undefined): string | undefined {
  if (!apiserverDeployment(cluster)) return undefined;
  if (seen?.published === undefined)
    return "the name that its clustermesh-apiserver runs with could not be read from its etcd, which takes a ready pod, the right to port-forward and, for the agents' certificate, KVStoreMesh";
  const restart = restartWorkloads(cluster, [`deployment/${APISERVER}`]);
  return `its clustermesh-apiserver did not report the name that it runs with; with the one in cilium-config it starts by ${restart}`;
}

/** The names and ids under which the clustermesh-apiserver serves, by its own word, or else by the mark of another name. */
function servedNames(cluster: ClusterSnapshot, seen: ClusterObservation | undefined): (readonly [string, number])[] {
  const published = [...(seen?.published ?? [])];
  const mark = podIdentity(apiserverDeployment(cluster));
  const marked = mark ? [[mark.name, mark.id] as const] : [];
  return published.length > 0 || isServedRight(cluster, marked) ? published : marked;
}

/** Of a former name the description may still be there, beside the one that counts. */
function isServedRight(
  { ciliumConfig = {} }: ClusterSnapshot,
  served: readonly (readonly [string, number])[],
): boolean {
  const { name, id } = identityOf(ciliumConfig);
  return served.length === 0 || served.some(([one, oneId]) => one === name && oneId === id);
}

function outdated(cluster: ClusterSnapshot, all: readonly ClusterSnapshot[], seen?: ClusterObservation): Finding[] {
  const { context, ciliumConfig = {} } = cluster;
  const { name, id } = identityOf(ciliumConfig);
  const published = servedNames(cluster, seen);
  const isRight = isServedRight(cluster, published);
  const agents = [...agentsOf(cluster, seen)].filter(([one]) => one !== name);
  const isOfAnother = isRight && seen?.isOfAnother === true;
  if (isRight && !isOfAnother && agents.length === 0) return [];
  const reasons = [
    ...(isRight ? [] : published.map(([one, oneId]) => `the clustermesh-apiserver runs as ${one}, id ${oneId}`)),
    ...(isOfAnother
      ? [`the clustermesh-apiserver was started under another name: its etcd has no user ${localUserName(name)}`]
      : []),
    ...agents.map(([one, nodes]) => `agents run as ${one} (${nodes.slice(0, 3).join(', ')})`),
  ];
  // Where the objects are as they shall be, enable would replace no pod. Of another name its certificates are to follow.
  const isOfAnotherId = !isRight && published.some(([one]) => one === name);
  const drifted = outdatedIdentity(cluster);
  const isUnseen = (isOfAnother || isOfAnotherId) && !drifted;
  const served = isUnseen ? [`deployment/${APISERVER}`] : [];
  const restart =
    agents.length > 0
      ? restartAgents(cluster, ['deployment/cilium-operator', ...served])
      : restartWorkloads(cluster, served);
  const hint = drifted
    ? settleIdentity(
        cluster,
        all,
        seen?.nodes.map((one) => ({ node: one.node, name: one.cluster, id: one.clusterId })),
      )
    : agents.length > 0 || isUnseen
      ? `Restart what was started before${agents.length > 0 ? saysAtOnce(cluster) : ''}: ${restart}`
      : `Its pods are replaced by ${meshctlCommand('clustermesh enable', { context })}`;
  return [findingOf('identity-running', 'fail', context, { wanted: `${name}, id ${id}`, reasons }, hint)];
}
