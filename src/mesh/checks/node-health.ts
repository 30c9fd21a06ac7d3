import { familyOf } from '../cilium/cidr.ts';
import { isTunnel } from '../cilium/datapath.ts';

import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import { firstOf } from '../counted.ts';
import { carryingFamilies } from '../network/needs.ts';
import { AGENT_SELECTOR } from '../objects/names.ts';
import { groupBy } from '../pairs.ts';
import { clusterKnownAs, contextOfPeer, knownAs } from '../peers/concerned-peers.ts';
import { withoutNamesakes } from '../peers/namesakes.ts';
import { expectedPeers } from '../peers/peers.ts';
import { isUnpaired } from '../peers/unpaired-clusters.ts';
import { rememberedOf } from '../remembered.ts';
import { askNodes, type Told, unpairedIn } from './shared/ask-nodes.ts';
import type { HealthProblem, MeshCheck, MeshCheckInput, NodeHealth } from './shared/mesh-input.ts';

/** Whether nodes reach those of other clusters, by what cilium-health has found. */
export const NODE_HEALTH: MeshCheck = askNodes<NodeHealth>({
  id: 'node-health',
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
  severity: (told, cluster, all) =>
    told.some(({ answer }) => answer.some((one) => one.problems.some((problem) => isGrave(problem, one, cluster, all))))
      ? 'fail'
      : 'warn',
  judge: (told) =>
    told.flatMap(({ node, answer }) =>
      answer
        .filter(({ problems }) => problems.length > 0)
        .map((other) => `${node} to ${other.node} (${other.problems.map(problemWord).join('; ')})`),
    ),
  hint: ({ context, namespace }, others, told) => {
    // A probe needs both ends: those that agents name, of which other clusters were read or not.
    const lost = told.flatMap(({ answer }) => answer.filter(({ problems }) => problems.length > 0));
    const ends = [...new Set(lost.map(clusterOf))];
    const contexts = ends.map((name) => contextOfPeer(name, others));
    const look = meshctlCommand('connectivity probe', { context: [context, ...contexts] });
    const problems = lost.flatMap((one) => one.problems.filter((problem) => !isRefusal(problem, one)));
    if (problems.some(({ of }) => of === 'node')) {
      return `Check routes, VPN and firewalls between the nodes (health checks use TCP 4240 and ICMP); what is lost and where: ${look}`;
    }
    const refusing = lost.filter((one) => one.problems.some((problem) => isRefusal(problem, one)));
    if (refusing.length > 0) {
      const agents = [...new Set(refusing.map(clusterOf))]
        .map((name) => seeAgents(name, others, namespace))
        .join(' && ');
      return `Packets arrive, and TCP 4240 is refused: nothing listens there while an agent starts, or where none runs, or health checks are off (enable-health-checking), or a firewall rejects it. The agents: ${agents}; or what packets do now: ${look}`;
    }
    return `The nodes answer, and their health endpoints do not: check whether a firewall between the nodes lets the tunnel through (VXLAN: UDP 8472, Geneve: UDP 6081), or, with native routing, routes to the pods' ranges; what is lost and where: ${look}`;
  },
});

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
  const other = clusterOf(health);
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
    of: groupBy(answer, clusterOf),
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
  return problem.of === 'endpoint' || isRefusal(problem, health);
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

/**
 * Whether packets of pods are lost by what a probe tells, as far as that is known: the mesh works without ping, and without an
 * address of a node in a family in which none of them travels. An endpoint is reached by the way that they take.
 */
function isGrave(
  problem: HealthProblem,
  health: NodeHealth,
  cluster: ClusterSnapshot,
  all: readonly ClusterSnapshot[],
): boolean {
  const { of, address, probe } = problem;
  const { node } = health;
  if (probe === 'icmp') return false;
  // Routed natively, what refuses may be a firewall that lets no pod's TCP through.
  if (isRefusal(problem, health) && (of === 'node' || isTunnel(cluster))) return false;
  const other = all.find((one) => node.startsWith(`${knownAs(one)}/`));
  if (of === 'endpoint' || address === '' || !other) return true;
  return carryingFamilies(cluster, other).has(familyOf(address));
}

/** Whether packets went there and back, as the ping to that address did, and nothing took them. */
function isRefusal({ of, address, probe, says }: HealthProblem, { problems }: NodeHealth): boolean {
  if (probe !== 'http' || !/connection refused/i.test(says)) return false;
  return !problems.some((one) => one.of === of && one.address === address && one.probe === 'icmp');
}

/** The command that shows the agents of a cluster. @param usual the namespace of Cilium where that of the cluster is not known */
function seeAgents(name: string, others: readonly ClusterSnapshot[], usual: string): string {
  const { namespace = usual } = clusterKnownAs(name, others) ?? {};
  const place = { context: contextOfPeer(name, others), namespace };
  return kubectlCommand(place, ['get', 'pods', '-l', AGENT_SELECTOR, '-o', 'wide']);
}

/** The name of a node's cluster: agents name nodes of the mesh `<cluster>/<node>`. */
function clusterOf({ node }: NodeHealth): string {
  return node.split('/')[0] ?? '';
}

/** From this age on it is said: agents probe each other every minute or so, and what was wrong then may be mended. */
const OLD_S = 30;

function problemWord({ of, address, probe, says, ageS = 0 }: HealthProblem): string {
  const where = address === '' ? '' : ` over IPv${familyOf(address)} to ${address}`;
  return `${of} ${probe}${where}: ${says}${ageS < OLD_S ? '' : `, ${ageS} s ago`}`;
}
