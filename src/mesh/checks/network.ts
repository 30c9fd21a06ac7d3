import { parseCidr } from '../cilium/cidr.ts';
import { routingMode } from '../cilium/datapath.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import { podCidrsOf } from '../cilium/pod-ranges.ts';
import { type NodeRoute, routeTo } from '../cilium/routes.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import { type Finding, listed } from './check.ts';
import {
  type BgpSession,
  findingOf,
  type HealthProblem,
  type MeshCheck,
  type MeshCheckInput,
  type NodeHealth,
  type NodeObservation,
} from './mesh-input.ts';

const MOST_SHOWN = 3;

/** What one agent was asked and answered. */
type Told<Answer> = { node: string; answer: readonly Answer[] };

interface NodeQuestion<Answer> {
  id: string;
  title: string;
  /** Why the question does not arise in a cluster; undefined where it does. */
  unasked?(cluster: ClusterSnapshot, others: readonly ClusterSnapshot[]): string | undefined;
  /** What an agent said; undefined where it could not be asked. */
  answer(node: NodeObservation): readonly Answer[] | undefined;
  /** Why there is nothing to judge when no agent answered. */
  silent: string;
  /** What of the answers is judged; all of it by default. `nothing` is the reason when that is nothing. */
  about?(answer: Answer, cluster: ClusterSnapshot): boolean;
  nothing?: string;
  /** Why it is not said that all is well, where nothing is wrong in what was answered. */
  unknown?(told: readonly Told<Answer>[], others: readonly ClusterSnapshot[]): string | undefined;
  severity: 'warn' | 'fail' | ((told: readonly Told<Answer>[]) => 'warn' | 'fail');
  /** What is wrong, one clause each. */
  judge(told: readonly Told<Answer>[], cluster: ClusterSnapshot, others: readonly ClusterSnapshot[]): string[];
  hint(cluster: ClusterSnapshot, others: readonly ClusterSnapshot[], told: readonly Told<Answer>[]): string;
}

/** Whether packets to the pods of other clusters find their way. Clusters need not be connected for it. */
export const ROUTE_CHECKS: readonly MeshCheck[] = [
  askNodes<BgpSession>({
    id: 'bgp-sessions',
    title: 'BGP sessions are established',
    unasked: ({ ciliumConfig }) => (usesBgp(ciliumConfig) ? undefined : NO_BGP),
    answer: ({ bgpSessions }) => bgpSessions,
    silent: 'no agent reported its BGP peers',
    nothing: 'its agents have no BGP peers',
    severity: 'fail',
    judge: (told) =>
      told.flatMap(({ node, answer }) =>
        answer.filter(({ state }) => state !== 'established').map(({ peer, state }) => `${node} to ${peer} (${state})`),
      ),
    hint: ({ context, namespace }) =>
      kubectlCommand({ context, namespace }, [
        ...['exec', 'ds/cilium', '-c', 'cilium-agent', '--', 'cilium-dbg', 'bgp', 'peers'],
      ]),
  }),
  askNodes<string>({
    id: 'bgp-pod-cidrs',
    title: 'pod ranges are among the BGP routes',
    unasked: (cluster, others) =>
      !usesBgp(cluster.ciliumConfig) ? NO_BGP : isTunnel(cluster) ? TUNNELS : withoutRanges(others),
    answer: ({ bgpPrefixes }) => bgpPrefixes,
    silent: 'no agent reported its BGP routes',
    unknown: (_told, others) => rangesUnknownOf(others),
    severity: 'warn',
    judge: (told, _cluster, others) =>
      told.flatMap(({ node, answer }) =>
        others.flatMap((other) =>
          podCidrsOf(other)
            .filter((cidr) => !answer.some((prefix) => holds(prefix, cidr)))
            .map((cidr) => `${node} lacks ${cidr} of ${other.context}`),
        ),
      ),
    hint: () => 'Let the routers of both sides exchange the pod ranges (CiliumBGPAdvertisement of type PodCIDR).',
  }),
  askNodes<NodeRoute>({
    id: 'native-routes',
    title: 'nodes have a route to every remote pod range',
    unasked: (cluster, others) => (isTunnel(cluster) ? TUNNELS : withoutRanges(others)),
    answer: ({ routes }) => routes,
    silent: 'no agent reported its routes',
    unknown: (_told, others) => rangesUnknownOf(others),
    severity: 'fail',
    judge: (told, _cluster, others) =>
      told.flatMap(({ node, answer: routes }) =>
        others.flatMap((other) =>
          podCidrsOf(other).flatMap((cidr) => {
            const { source, dropped } = routeTo(cidr, routes, undefined);
            if (dropped) return [`${node} drops what goes to ${cidr} of ${other.context} (${dropped})`];
            return source || routes.some(isDefault) ? [] : [`${node} has none to ${cidr} of ${other.context}`];
          }),
        ),
      ),
    hint: ({ context }, others) =>
      meshctlCommand('clustermesh routes', { context: [context, ...others.map((other) => other.context)] }),
  }),
];

/** Whether packets between nodes and pods of different clusters arrive. */
export const NETWORK_CHECKS: readonly MeshCheck[] = [
  askNodes<NodeHealth>({
    id: 'node-health',
    title: 'nodes reach the nodes of other clusters',
    answer: ({ health }) => health,
    silent: 'no agent could run cilium-health',
    about: ({ node }, cluster) => !node.startsWith(`${clusterNameOf(cluster)}/`),
    nothing: 'the health checks of its agents know no node of another cluster, or none yet',
    unknown: (told) => {
      const waiting = told.flatMap(({ answer }) => answer.flatMap(({ node, probed }) => (probed ? [] : [node])));
      if (waiting.length === 0) return undefined;
      return `its agents have not probed ${someOf(waiting)} yet: what they find shows a minute or two after they connect`;
    },
    // The mesh works without ping.
    severity: (told) => (problemsIn(told).every(({ probe }) => probe === 'icmp') ? 'warn' : 'fail'),
    judge: (told) =>
      told.flatMap(({ node, answer }) =>
        answer
          .filter(({ problems }) => problems.length > 0)
          .map((other) => `${node} to ${other.node} (${other.problems.map(problemWord).join('; ')})`),
      ),
    hint: ({ context }, others, told) => {
      const look = meshctlCommand('connectivity probe', {
        context: [context, ...others.map((other) => other.context)],
      });
      return problemsIn(told).some(({ of }) => of === 'node')
        ? `Check routes, VPN and firewalls between the nodes (health checks use TCP 4240 and ICMP); what is lost and where: ${look}`
        : `The nodes answer, and their health endpoints do not: check whether a firewall between the nodes lets the tunnel through (VXLAN: UDP 8472, Geneve: UDP 6081), or, with native routing, routes to the pods' ranges; what is lost and where: ${look}`;
    },
  }),
  ...ROUTE_CHECKS,
];

const NO_BGP = 'Cilium does not speak BGP there';
const TUNNELS = 'it tunnels what goes to other nodes';

function problemsIn(told: readonly Told<NodeHealth>[]): HealthProblem[] {
  return told.flatMap(({ answer }) => answer.flatMap(({ problems }) => problems));
}

function problemWord({ of, probe, says }: HealthProblem): string {
  return `${of} ${probe}: ${says}`;
}

function withoutRanges(others: readonly ClusterSnapshot[]): string | undefined {
  return others.some((other) => podCidrsOf(other).length > 0) ? undefined : 'no pod ranges of other clusters are known';
}

/** Of some of the others; of all of them {@link withoutRanges} says so. */
function rangesUnknownOf(others: readonly ClusterSnapshot[]): string | undefined {
  const unknown = others.filter((other) => podCidrsOf(other).length === 0).map(({ context }) => context);
  return unknown.length === 0
    ? undefined
    : `the pod ranges of ${someOf(unknown)} are not known; for the others nothing is wrong`;
}

/** Why it is not known of all nodes, where agents of some were asked in vain. */
function silentAgents(
  { context }: ClusterSnapshot,
  { observed }: MeshCheckInput,
  told: readonly Told<unknown>[],
): string | undefined {
  const answered = new Set(told.map(({ node }) => node));
  const silent = (observed.get(context)?.nodes ?? []).map(({ node }) => node).filter((node) => !answered.has(node));
  return silent.length === 0
    ? undefined
    : `the agents of ${someOf(silent)} did not answer; those that did see nothing wrong`;
}

function someOf(names: readonly string[]): string {
  const all = [...new Set(names)];
  const more = all.length > MOST_SHOWN ? ` and ${all.length - MOST_SHOWN} more` : '';
  return `${listed(all.slice(0, MOST_SHOWN))}${more}`;
}

/** A check of what the agents of a cluster said. */
function askNodes<Answer>(question: NodeQuestion<Answer>): MeshCheck {
  const { id, title, unasked, answer, silent, about, nothing = silent, unknown, severity, judge, hint } = question;
  const toldBy = (cluster: ClusterSnapshot, { observed }: MeshCheckInput): Told<Answer>[] =>
    (observed.get(cluster.context)?.nodes ?? []).flatMap((node) => {
      const said = answer(node);
      return said ? [{ node: node.node, answer: about ? said.filter((one) => about(one, cluster)) : said }] : [];
    });
  return {
    id,
    category: 'network',
    title,
    subject(cluster, input) {
      const others = input.clusters.filter((other) => other !== cluster);
      const reason = unasked?.(cluster, others);
      if (reason !== undefined) return { things: [], otherwise: reason };
      const told = toldBy(cluster, input);
      const seen = question.nothing === undefined ? told : told.filter((one) => one.answer.length > 0);
      return { things: seen.map(({ node }) => node), otherwise: told.length > 0 ? nothing : silent };
    },
    run: (input, all) =>
      input.clusters.flatMap((cluster): Finding[] => {
        const others = all.filter((other) => other !== cluster);
        const told = toldBy(cluster, input);
        const cases = judge(told, cluster, others);
        if (cases.length === 0) {
          const reason = unknown?.(told, others) ?? silentAgents(cluster, input, told);
          return reason ? [findingOf(id, 'skip', cluster.context, { reason })] : [];
        }
        const weight = typeof severity === 'function' ? severity(told) : severity;
        return [findingOf(id, weight, cluster.context, shown(cases), hint(cluster, others, told))];
      }),
    says: ({ args }) =>
      `context "${args.context}": ${listed(args.cases, '; ')}${args.more ? `; and ${args.more} more` : ''}`,
  };
}

/** Whether Cilium wraps packets to other nodes; it does unless told otherwise. */
export function isTunnel({ ciliumConfig }: ClusterSnapshot): boolean {
  return routingMode(ciliumConfig ?? {}) !== 'native';
}

/** Whether Cilium speaks BGP. */
export function usesBgp(ciliumConfig: ClusterSnapshot['ciliumConfig']): boolean {
  return ciliumConfig?.['enable-bgp-control-plane'] === 'true';
}

function isDefault({ destination, drops }: NodeRoute): boolean {
  return destination === 'default' && drops === undefined;
}

function holds(prefix: string, cidr: string): boolean {
  const [outer, inner] = [parseCidr(prefix), parseCidr(cidr)];
  return !!outer && !!inner && outer.family === inner.family && outer.first <= inner.first && outer.last >= inner.last;
}

function shown(cases: readonly string[]): Finding['args'] {
  return { cases: cases.slice(0, MOST_SHOWN), more: Math.max(0, cases.length - MOST_SHOWN) };
}
