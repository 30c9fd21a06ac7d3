import pLimit from 'p-limit';
import { readBgpSessions } from '../../mesh/checks/shared/agent-answers.ts';
import { nodesWithoutAgent } from '../../mesh/cilium/agents.ts';
import { ipFamilies, isTunnel, usesBgp } from '../../mesh/cilium/datapath.ts';
import { podCidrsOf, podRangesTo } from '../../mesh/cilium/pod-ranges.ts';
import { foldedWays, isComplete, MANY_ROUTES, type RoutesReport, routeTo } from '../../mesh/cilium/routes.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { knownAs } from '../../mesh/peers/concerned-peers.ts';
import { withoutNamesakes } from '../../mesh/peers/namesakes.ts';
import { allPeersOutside, type PeerOutside, saysUnled } from '../../mesh/peers/peers-outside.ts';
import { areApart, unpairedClusters } from '../../mesh/peers/unpaired-clusters.ts';
import { runWarnings, type SeenRuns } from '../../mesh/runs-at-work.ts';
import { allHearOf } from '../../mesh/status/links.ts';
import { type UnreachableCluster, unreachableCluster } from '../../mesh/status/mesh-status.ts';
import type { StatusReport } from '../../mesh/status/status.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { readRuns } from '../read-runs.ts';
import { listAgents } from '../status/ask-agents.ts';
import { pollStatus } from '../status/poll-status.ts';
import { orWithout, toldInFull } from '../where-it-succeeds.ts';
import { askRoutes } from './ask-families.ts';

export interface RoutesOptions {
  parallel: number;
  nodeTimeoutMs: number;
  /** Whether all contexts were asked for, so that one is to lead to each peer. */
  all: boolean;
}

/** A cluster that answered, and which peers each of its nodes is connected to; of those that tunnel. */
interface Seen extends SeenRuns {
  target: Target;
  snapshot: ClusterSnapshot;
  connected: ReadonlyMap<string, ReadonlySet<string>>;
  /** Of those. */
  report?: StatusReport | undefined;
}

/**
 * Asks every node for its routes and judges them against the pod ranges of the other clusters.
 * @param silent clusters that are known not to answer; those that cease to are added. Of one single cluster the error goes
 * on its way.
 */
export async function readMeshRoutes(
  flow: Flow,
  targets: readonly Target[],
  silent: readonly UnreachableCluster[],
  options: RoutesOptions,
): Promise<RoutesReport> {
  const unreachable = [...silent];
  const alone = targets.length + silent.length === 1;
  const attempt = async <T>(target: Target, work: () => Promise<T>): Promise<T[]> => {
    try {
      return [await work()];
    } catch (error) {
      flow.signal.throwIfAborted();
      if (!(error instanceof MeshctlError) || alone) throw error;
      const { context } = target.client;
      unreachable.push(unreachableCluster(context, await toldInFull(flow, target, error)));
      return [];
    }
  };
  return during(
    flow,
    {
      doing: `Reading the routes of ${targets.map(({ client }) => client.context).join(', ')}`,
      done: `Read the routes of ${targets.map(({ client }) => client.context).join(', ')}`,
      of: targets,
    },
    async () => {
      const looks = await Promise.all(targets.map((target) => attempt(target, () => look(flow, target, options))));
      const seen = looks.flat();
      const snapshots = seen.map(({ snapshot }) => snapshot);
      // With native routing answers take a route, too, whoever dials.
      const tunnelling = snapshots.filter(isTunnel).map(knownAs);
      const pairs = unpairedClusters(snapshots);
      const unpaired = pairs.filter(([from, to]) => tunnelling.includes(from) || areApart(pairs, from, to));
      const othersOf = ({ snapshot }: Seen): ClusterSnapshot[] => {
        const skipped = unpaired.flatMap(([from, to]) => (from === knownAs(snapshot) ? [to] : []));
        return withoutNamesakes(snapshot, snapshots).filter((other) => !skipped.includes(knownAs(other)));
      };
      const asked = await Promise.all(
        seen.map((one) => attempt(one.target, () => routesOfCluster(flow, one, othersOf(one), options))),
      );
      const perCluster = asked.flat();
      const untold = perCluster.flatMap((one) => one.untold);
      const held = seen.map(({ target: { client, namespace }, runs }) => ({
        context: client.context,
        namespace,
        runs,
      }));
      const contexts = held.map(({ context }) => context);
      // A silent cluster may be the very peer, and that of another owner is theirs to look at.
      const isWhole = options.all && unreachable.length === 0;
      const unled = isWhole ? allPeersOutside(snapshots).filter(({ isOfOthers }) => !isOfOthers) : [];
      const hears = await hearing(flow, seen, unled, options);
      const unheard = unled.filter((peer) => hears(peer) !== true);
      const unledWords = unled.map((peer) =>
        saysUnled(peer, 'no route between them was looked at', hears(peer) === false),
      );
      const warnings = [
        ...unledWords.map(({ says, hint }) => `${says} → ${hint}`),
        ...runWarnings(held, meshctlCommand('clustermesh routes', { context: contexts })),
      ];
      const report = {
        clusters: perCluster.map(({ snapshot, nodes }) => ({
          context: snapshot.context,
          name: knownAs(snapshot),
          mode: isTunnel(snapshot) ? ('tunnel' as const) : ('native' as const),
          podCidrs: podCidrsOf(snapshot).length,
          nodes,
          ...(snapshot.podRangesRefused === undefined ? {} : { hint: snapshot.podRangesRefused }),
        })),
        routes: perCluster.flatMap(({ routes }) => routes),
        ...(untold.length > 0 ? { untold } : {}),
        ...(unpaired.length > 0 ? { unpaired } : {}),
        ...(unled.length > 0 ? { outside: unled.map(({ name }) => name) } : {}),
        ...(unheard.length > 0 ? { unheard: unheard.map(({ name }) => name) } : {}),
        ...(snapshots.some(usesBgp) ? { bgpPeers: perCluster.flatMap(({ bgpPeers }) => bgpPeers) } : {}),
        unreachable,
        ...(warnings.length > 0 ? { warnings } : {}),
      };
      return { complete: isComplete(report), ...report };
    },
  );
}

async function look(flow: Flow, target: Target, options: RoutesOptions): Promise<Seen> {
  const { client, namespace } = target;
  const [snapshot, runs] = await Promise.all([
    readSnapshot(client, { namespace, purpose: 'connect' }),
    readRuns(flow, target),
  ]);
  if (!isTunnel(snapshot)) return { ...runs, target, snapshot, connected: new Map() };
  const report = await askWhoIsConnected(flow, target, snapshot, options);
  const agents = (report.details ?? []).filter(({ component }) => component === 'agent');
  const peersOf = (states: (typeof agents)[number]['peers']) =>
    new Set(Object.entries(states).flatMap(([peer, state]) => (state === 'connected' ? [peer] : [])));
  const connected = new Map(agents.map(({ name, peers }) => [name, peersOf(peers)]));
  return { ...runs, target, snapshot, report, connected };
}

async function askWhoIsConnected(
  flow: Flow,
  target: Target,
  snapshot: ClusterSnapshot,
  { parallel, nodeTimeoutMs }: RoutesOptions,
): Promise<StatusReport> {
  return (await pollStatus(flow, target, { parallel, nodeTimeoutMs, snapshot, details: true })).report;
}

/** Whether agents are connected to peers to which no context leads, as far as they told; where nothing goes through a tunnel they are asked for it. */
async function hearing(
  flow: Flow,
  seen: readonly Seen[],
  outside: readonly PeerOutside[],
  options: RoutesOptions,
): Promise<(peer: PeerOutside) => boolean | undefined> {
  const holding = seen.filter(({ snapshot }) => outside.some(({ holders }) => holders.includes(snapshot.context)));
  const asked = await Promise.all(
    holding.map(
      ({ target, snapshot, report }) =>
        report ?? orWithout(flow, askWhoIsConnected(flow, target, snapshot, options), undefined),
    ),
  );
  const reports = asked.flatMap((report) => report ?? []);
  return ({ name, holders }) => allHearOf(reports, name, holders);
}

type RoutesTold = { [Part in 'routes' | 'bgpPeers' | 'untold']-?: NonNullable<RoutesReport[Part]> };

/** What a cluster's nodes told. */
interface RoutesOfCluster extends RoutesTold {
  snapshot: ClusterSnapshot;
  nodes: number;
}

async function routesOfCluster(
  flow: Flow,
  { target, snapshot: own, connected }: Seen,
  others: readonly ClusterSnapshot[],
  { parallel, nodeTimeoutMs: timeoutMs }: RoutesOptions,
): Promise<RoutesOfCluster> {
  const { agents, silent } = await listAgents(flow, target, { most: Number.POSITIVE_INFINITY, timeoutMs });
  const limit = pLimit(parallel);
  const on = new Set([...agents.map(({ node }) => node), ...silent]);
  // Of a node without any pod, nothing that is listed tells.
  const lacking = nodesWithoutAgent(own, { pods: on.size, on });
  const from = knownAs(own);
  const families = ipFamilies(own.ciliumConfig ?? {});
  const ranges = others.map((other) => ({ to: knownAs(other), ranges: podRangesTo(own, other) }));
  const isLarge = agents.length * ranges.reduce((sum, one) => sum + one.ranges.length, 0) > MANY_ROUTES;
  const perNode = await Promise.all(
    agents.map((agent) =>
      limit(async () => {
        const [sessions, told] = await Promise.all([
          usesBgp(own) ? agent.json(['cilium-dbg', 'bgp', 'peers', '-o', 'json']) : undefined,
          askRoutes(agent, own),
        ]);
        const bgpPeers = (readBgpSessions(sessions) ?? []).map((session) => ({
          ...{ from, node: agent.node },
          ...session,
        }));
        const routes = ranges.flatMap(({ to, ranges: theirs }) => {
          const tunnel = isTunnel(own) ? { connected: connected.get(agent.node)?.has(to) === true } : undefined;
          // What nobody told is no gap.
          const ways = theirs.flatMap((range) => {
            const known = told[range.family];
            return known ? [routeTo(range, known, tunnel)] : [];
          });
          return (isLarge ? foldedWays(ways) : ways).map((way) => ({ from, node: agent.node, to, ...way }));
        });
        const isTold = families.every((family) => told[family] !== undefined);
        return { routes, bgpPeers, untold: isTold ? [] : [agent.node] };
      }),
    ),
  );
  return {
    snapshot: own,
    routes: perNode.flatMap(({ routes }) => routes),
    bgpPeers: perNode.flatMap(({ bgpPeers }) => bgpPeers),
    untold: [...silent, ...lacking, ...perNode.flatMap(({ untold }) => untold)].sort().map((node) => ({ from, node })),
    nodes: agents.length + silent.length + lacking.length,
  };
}
