import { isTunnel } from '../../cilium/datapath.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { kubectlCommand, meshctlCommand } from '../../command-line.ts';
import { firstOf } from '../../counted.ts';
import { AGENT_SELECTOR } from '../../objects/names.ts';
import { groupBy } from '../../pairs.ts';
import { clusterKnownAs, contextOfPeer, knownAs } from '../../peers/concerned-peers.ts';
import { withoutNamesakes } from '../../peers/namesakes.ts';
import { peersOfOthers } from '../../peers/peer-choices.ts';
import { expectedPeers } from '../../peers/peers.ts';
import { forOtherOwners } from '../../peers/peers-of-others.ts';
import { isUnpaired } from '../../peers/unpaired-clusters.ts';
import { remembered, rememberedOf } from '../../remembered.ts';
import {
  type AskedOfNodes,
  nodesAsked,
  othersMeant,
  shown,
  type Told,
  toldBy,
  unpairedIn,
} from '../shared/ask-nodes.ts';
import { type Finding, listed } from '../shared/check.ts';
import {
  findingOf,
  type HealthProblem,
  type MeshCheck,
  type MeshCheckInput,
  type NodeHealth,
} from '../shared/mesh-input.ts';
import { isNodeGone, leftOfNodes } from './gone-nodes.ts';
import { clusterOfNode, isGrave, isPortRefused, problemWord } from './health-problems.ts';
import { type NoWayBack, noWayBack, noWayBackUnread } from './way-back.ts';

const ID = 'node-health';

const QUESTION: AskedOfNodes<NodeHealth> = {
  id: ID,
  title: 'nodes reach the nodes of other clusters',
  // What its agents still know of others, as for a minute after it has left them, is not to be reached.
  unasked: (cluster) => (toDial(cluster).length === 0 ? 'it is to dial no other cluster' : undefined),
  answer: ({ health }) => health,
  silent: 'no agent could run cilium-health',
  about: (health, cluster, all, observed) => {
    const meant = meantHealth(health, cluster, all);
    return meant && sinceItsAgent(meant, cluster, all, observed);
  },
  nothing: 'the health checks of its agents know no node of another cluster that it is to reach, or none yet',
  unseen: (told, cluster, others, all) => [...unknownNodes(told, cluster, others, all), ...unprobedNodes(told)],
};

/** Whether nodes reach those of other clusters, by what cilium-health has found: each cut is told once, from both its ends. */
export const NODE_HEALTH: MeshCheck = {
  ...nodesAsked(QUESTION),
  run: (input, all) => {
    const lost = input.clusters.flatMap((cluster) => lostFrom(cluster, input, all));
    const there = lost.filter(({ wasOf }) => wasOf === undefined);
    const waiting = there.filter(({ because }) => because !== undefined);
    const cut = there.filter(({ because }) => because === undefined);
    return [
      ...cutsAmong(cut).map((one) => findingOfCut(one, all)),
      ...waitingFor(waiting, all),
      ...waitingForRemoval(lost),
    ];
  },
  says: ({ args }) => {
    const where = args.contexts ? `contexts ${listed(args.contexts)}` : `context "${args.context}"`;
    const why = args.because ? `; ${args.because}` : '';
    return `${where}: ${listed(args.cases, '; ')}${args.more ? `; and ${args.more} more` : ''}${why}`;
  },
};

/** A node of another cluster that one does not reach, as it should be. */
interface Lost {
  cluster: ClusterSnapshot;
  /** The node that probed. */
  node: string;
  health: NodeHealth;
  /** The name of the other cluster. */
  to: string;
  isGrave: boolean;
  /** What keeps its pods from answering, whatever the network does. */
  because: NoWayBack | undefined;
  /** The cluster of a node that Kubernetes does not have any more, and Cilium still has. */
  wasOf: ClusterSnapshot | undefined;
}

function lostFrom(cluster: ClusterSnapshot, input: MeshCheckInput, all: readonly ClusterSnapshot[]): Lost[] {
  const others = othersMeant(cluster, all);
  // Asked for each node that is probed, whoever probes it.
  const wayBackOf = remembered(
    (place: Parameters<typeof noWayBack>[0]) => noWayBack(place, cluster, input),
    Number.POSITIVE_INFINITY,
    ({ to, node }) => JSON.stringify([to.context, node]),
  );
  return toldBy(QUESTION, cluster, input, all).flatMap(({ node, answer }) =>
    answer
      .filter(({ problems }) => problems.length > 0)
      .map((health): Lost => {
        const to = clusterOfNode(health);
        const other = clusterKnownAs(to, others);
        const isOfPods = isTunnel(cluster) && health.problems.every(({ of }) => of === 'endpoint');
        const place = other && { to: other, node: health.node.slice(to.length + 1) };
        return {
          ...{ cluster, node, health, to },
          wasOf: place && isNodeGone(place) ? other : undefined,
          isGrave: health.problems.some((problem) => isGrave(problem, health, cluster, all)),
          because: isOfPods ? (place ? wayBackOf(place) : noWayBackUnread(to, cluster, input)) : undefined,
        };
      }),
  );
}

/** What a cut takes: packets between nodes, those of pods alone, or none, as where a port is refused. */
type Kind = 'nodes' | 'refused' | 'pods';

function kindOf(lost: readonly Lost[]): Kind {
  const isOf = (is: (problem: HealthProblem, health: NodeHealth) => boolean) =>
    lost.some(({ health }) => health.problems.some((problem) => is(problem, health)));
  if (isOf((problem, health) => problem.of === 'node' && !isPortRefused(problem, health))) return 'nodes';
  return isOf(isPortRefused) ? 'refused' : 'pods';
}

/**
 * What is lost by cut: that from one cluster to others is one, and so is what those lose on the way back, or all that is cut off from
 * one. Cuts of another kind between the same clusters are others.
 */
function cutsAmong(lost: readonly Lost[]): Lost[][] {
  const byCluster = [...groupBy(lost, ({ cluster }) => cluster).values()];
  return byCluster
    .reduce<{ kind: Kind; lost: Lost[] }[]>((cuts, own) => {
      const kind = kindOf(own);
      const touched = cuts.filter((cut) => cut.kind === kind && areAtOneCut(cut.lost, own));
      const joined = [...touched.flatMap((cut) => cut.lost), ...own];
      return [...cuts.filter((cut) => !touched.includes(cut)), { kind, lost: joined }];
    }, [])
    .map((cut) => cut.lost);
}

/** Whether losses of others, and those of one cluster, have one from both its ends, or one cluster that neither reaches. */
function areAtOneCut(cut: readonly Lost[], own: readonly Lost[]): boolean {
  const name = own[0] && knownAs(own[0].cluster);
  const reached = new Set(own.map(({ to }) => to));
  return cut.some(({ cluster, to }) => reached.has(to) || (to === name && reached.has(knownAs(cluster))));
}

function findingOfCut(cut: readonly Lost[], all: readonly ClusterSnapshot[]): Finding {
  const clusters = [...new Set(cut.map(({ cluster }) => cluster))];
  const [first] = clusters as [ClusterSnapshot];
  const severity = cut.some((one) => one.isGrave) ? 'fail' : 'warn';
  const facts = shown(turnAbout(cut).map(caseOf));
  const hint = hintFor(cut, clusters, all);
  if (clusters.length === 1) return findingOf(ID, severity, first.context, facts, hint);
  return { id: ID, severity, args: { contexts: clusters.map(({ context }) => context), ...facts }, hint };
}

/** The first of each cluster to each other one, then the second ones: of many cases few are named. */
function turnAbout(cut: readonly Lost[]): Lost[] {
  const ways = [...groupBy(cut, ({ cluster, to }) => JSON.stringify([cluster.context, to])).values()];
  const longest = Math.max(0, ...ways.map(({ length }) => length));
  return Array.from({ length: longest }, (_, index) => ways.flatMap((way) => way[index] ?? [])).flat();
}

function caseOf({ node, health }: Lost): string {
  return `${node} to ${health.node} (${health.problems.map(problemWord).join('; ')})`;
}

/** What waits for a connection, of each cluster: what that lacks is another check's to say. */
function waitingFor(waiting: readonly Lost[], all: readonly ClusterSnapshot[]): Finding[] {
  return [...groupBy(waiting, ({ cluster, to }) => JSON.stringify([cluster.context, to])).values()].flatMap((own) => {
    const [first] = own;
    if (!first) return [];
    const { cluster, to } = first;
    const { context } = cluster;
    const peer = contextOfPeer(to, all);
    const reasons = own.flatMap(({ because }) => because ?? []);
    const of = (key: keyof NoWayBack) => [...new Set(reasons.flatMap((one) => one[key]))];
    const args = {
      ...shown(own.map(caseOf)),
      because: `${to} is not connected to ${knownAs(cluster)}, so that its nodes have no way back for what its pods answer`,
      ...{ foundBy: of('foundBy'), foundIn: of('foundIn'), foundOf: of('foundOf') },
    };
    const hint = `Find the cause: ${meshctlCommand('clustermesh check', { context: [context, peer] })}`;
    const next = forOtherOwners(hint, context, peersOfOthers(cluster));
    return [findingOf(ID, own.some((one) => one.isGrave) ? 'fail' : 'warn', context, args, next)];
  });
}

/** What is lost with nodes that Kubernetes does not have any more: no packet is missing that anybody waits for. */
function waitingForRemoval(lost: readonly Lost[]): Finding[] {
  return [...groupBy(lost, ({ cluster, wasOf }) => JSON.stringify([cluster.context, wasOf?.context])).values()].flatMap(
    (own) => {
      const [first] = own;
      if (!first?.wasOf) return [];
      const names = [...new Set(own.map(({ health, to }) => health.node.slice(to.length + 1)))].sort();
      const { because, hint } = leftOfNodes(first.wasOf, names);
      return [findingOf(ID, 'warn', first.cluster.context, { ...shown(own.map(caseOf)), because }, hint)];
    },
  );
}

/** A probe needs both ends: those that agents name, of which other clusters were read or not. */
function hintFor(cut: readonly Lost[], clusters: readonly ClusterSnapshot[], all: readonly ClusterSnapshot[]): string {
  const [first] = clusters as [ClusterSnapshot];
  const others = othersMeant(first, all);
  const ends = clusters.flatMap((cluster) => {
    const known = othersMeant(cluster, all);
    const names = new Set(cut.flatMap((one) => (one.cluster === cluster ? [one.to] : [])));
    return [...names].map((name) => contextOfPeer(name, known));
  });
  const contexts = [...clusters.map(({ context }) => context), ...ends];
  const look = meshctlCommand('connectivity probe', { context: [...new Set(contexts)] });
  const kind = kindOf(cut);
  if (kind === 'nodes') {
    return `Check routes, VPN and firewalls between the nodes (health checks use TCP 4240 and ICMP); what is lost and where: ${look}`;
  }
  if (kind === 'refused') {
    const refusing = cut.filter(({ health }) => health.problems.some((problem) => isPortRefused(problem, health)));
    const agents = [...new Set(refusing.map(({ to }) => to))]
      .map((name) => seeAgents(name, [...others, ...clusters], first.namespace))
      .join(' && ');
    return `Packets arrive, and TCP 4240 is refused: nothing listens there while an agent starts, or where none runs, or health checks are off (enable-health-checking), or a firewall rejects it. The agents: ${agents}; or what packets do now: ${look}`;
  }
  return `The nodes answer, and their health endpoints do not: check whether a firewall between the nodes lets the tunnel through (VXLAN: UDP 8472, Geneve: UDP 6081), or, with native routing, routes to the pods' ranges; what is lost and where: ${look}`;
}

/** Asked for each node of which an agent knows. */
const toDial = rememberedOf((cluster: ClusterSnapshot) => expectedPeers(cluster));

/**
 * What an agent says of a node elsewhere, as far as packets are meant to come and go: what it still knows of a cluster that
 * its own is not to dial does not count. Where only its own dials, the nodes are to answer; a tunnel back from the health
 * endpoint, which is a pod, there is none, since nodes wrap packets to the pods of clusters that they dial.
 */
function meantHealth(
  health: NodeHealth,
  cluster: ClusterSnapshot,
  all: readonly ClusterSnapshot[],
): NodeHealth | undefined {
  const own = knownAs(cluster);
  const other = clusterOfNode(health);
  const pairs = unpairedIn(all);
  if (!toDial(cluster).includes(other) || isUnpaired(pairs, own, other)) return undefined;
  if (!isTunnel(cluster) || !isUnpaired(pairs, other, own)) return health;
  return { ...health, problems: health.problems.filter(({ of }) => of === 'node') };
}

/**
 * The clusters that are to be dialled and of which an agent knows fewer nodes than have one that runs: of those nobody has
 * sent a packet to the rest. Of one such agent for each, which knows the fewest.
 */
function unknownNodes(
  told: readonly Told<NodeHealth>[],
  cluster: ClusterSnapshot,
  others: readonly ClusterSnapshot[],
  all: readonly ClusterSnapshot[],
): string[] {
  const pairs = unpairedIn(all);
  const counts = told.map(({ node, answer }) => ({
    node,
    of: groupBy(answer, clusterOfNode),
  }));
  return toDial(cluster).flatMap((name) => {
    if (isUnpaired(pairs, knownAs(cluster), name)) return [];
    const other = clusterKnownAs(name, others);
    const [fewest] = counts
      .map(({ node, of }) => ({ node, known: of.get(name)?.length ?? 0 }))
      .sort((one, another) => one.known - another.known);
    const wanted = Math.max(1, other?.agent?.ready ?? 0);
    if (!fewest || fewest.known >= wanted) return [];
    const { node, known } = fewest;
    return [
      `the agent of ${node} knows ${known === 0 ? 'no node' : `${known} of ${wanted} nodes`} of ${other?.context ?? name}`,
    ];
  });
}

/**
 * Without what was refused, and what its health endpoint did not answer, before the agent of that node was started: nothing
 * listened by then, and an agent that stops takes its endpoint away.
 */
function sinceItsAgent(
  health: NodeHealth,
  cluster: ClusterSnapshot,
  all: readonly ClusterSnapshot[],
  observed: MeshCheckInput['observed'],
): NodeHealth {
  // Asked for each node of which an agent knows: for those that answer nothing is looked up.
  if (!health.problems.some((problem) => problem.at && hangsOnAgent(problem, health))) return health;
  const [name, node] = health.node.split('/');
  const other = withoutNamesakes(cluster, all).find((one) => knownAs(one) === name);
  const since = observed.get(other?.context ?? '')?.nodes.find((one) => one.node === node)?.startedAt;
  const problems = health.problems.filter(
    (problem) => !since || !problem.at || problem.at >= since || !hangsOnAgent(problem, health),
  );
  return problems.length === health.problems.length ? health : { ...health, probed: false, problems };
}

function hangsOnAgent(problem: HealthProblem, health: NodeHealth): boolean {
  return problem.of === 'endpoint' || isPortRefused(problem, health);
}

function unprobedNodes(told: readonly Told<NodeHealth>[]): string[] {
  const waiting = told.flatMap(({ answer }) =>
    answer.flatMap(({ node, probed, unprobed }) =>
      probed ? unprobed.map((address) => `${node} at ${address}`) : [node],
    ),
  );
  if (waiting.length === 0) return [];
  return [
    `its agents have not probed ${firstOf([...new Set(waiting)])} of late: what they find shows a few minutes after they connect, or after the agent there has started`,
  ];
}

/** The command that shows the agents of a cluster. @param usual the namespace of Cilium where that of the cluster is not known */
function seeAgents(name: string, others: readonly ClusterSnapshot[], usual: string): string {
  const { namespace = usual } = clusterKnownAs(name, others) ?? {};
  const place = { context: contextOfPeer(name, others), namespace };
  return kubectlCommand(place, ['get', 'pods', '-l', AGENT_SELECTOR, '-o', 'wide']);
}
