import { familyOf } from '../cilium/cidr.ts';
import { restartAgents, saysAtOnce } from '../cilium/restart-agents.ts';
import { versionOfAgents } from '../cilium/versions/versions.ts';
import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import { firstOf } from '../counted.ts';
import type { Fault } from '../faults/fault.ts';
import { mendOf } from '../faults/fault-advice.ts';
import type { FirewallPlatform, FirewallRules } from '../network/firewall.ts';
import { tunnelOverhead } from '../network/mtu.ts';
import { AGENT_SELECTOR, CILIUM_CONFIG } from '../objects/names.ts';
import type { Loss, ProbedPackets } from './failures.ts';
import type { ProbedCluster } from './places.ts';
import { causesAtServer } from './server-faults.ts';
import { mtuOf } from './tests.ts';

/** A firewall's rule that lets packets through. */
export interface LetThrough {
  protocol: string;
  port?: number;
  sources: string[];
  destinations: string[];
}

/** What most likely is the matter, and what to do. */
export interface ProbeAdvice {
  /** One sentence without a stop. */
  likely: string;
  /** Of what a firewall drops. */
  letThrough: LetThrough[];
  /** The value for Cilium's `mtu` that fits the path; of `mtu-too-small`. */
  mtu?: number;
  /** Ends with a command. */
  hints: string[];
}

/** What is wrong, in one line. @param sign what stands between the clusters */
export function failureTitle(
  { verdict, from, to, isMutual, isEverything, family, packets }: Omit<Loss, 'results'>,
  sign = isMutual ? '↔' : '→',
): string {
  const what = isEverything ? 'everything' : packets.map(packetsWord).join(', ');
  return `${verdict}: ${from} ${sign} ${to}: ${what}${overFamily(family)}`;
}

/** Why something that is wrong is no failure of the mesh. @param packets that do not arrive @param lostAt where, as far as it is known */
export function whyUnneeded(
  verdict: Loss['verdict'],
  packets: readonly Pick<ProbedPackets, 'kind'>[],
  lostAt: Loss['lostAt'],
): string {
  if (lostAt === 'pod') return "the pod's node reaches it, so the network carries it";
  if (verdict === 'mtu-too-small') return 'connections agree on what the other end sends, large datagrams are lost';
  const isAddress = packets.length > 0 && packets.every(({ kind }) => kind === 'apiserver');
  return isAddress ? 'another address of it is reached' : 'the mesh works without it';
}

const overFamily = (family: Loss['family']) => (family === undefined ? '' : ` over IPv${family}`);

function packetsWord({ kind, protocol, port, host }: ProbedPackets): string {
  if (kind === 'mtu') return 'large packets';
  if (kind === 'pod-to-pod') return 'pod to pod';
  const at = host === undefined ? '' : ` at ${host}`;
  if (kind === 'ping' || kind === 'ipsec') return kind === 'ping' ? 'ping (icmp)' : 'ipsec (esp)';
  return `${kind} (${protocol}${port === undefined ? '' : ` ${port}`}${at})`;
}

interface Surroundings {
  clusters: readonly ProbedCluster[];
  /** All losses: a cluster has one MTU for all its paths. */
  losses: readonly Pick<Loss, 'verdict' | 'from' | 'to' | 'pathMtu'>[];
  rules: FirewallRules;
  /** Why nobody answers at clusters' clustermesh-apiservers, where that is known. */
  silent: ReadonlyMap<string, Fault>;
}

/** What the firewalls of clouds are called. */
const FIREWALLS: Readonly<Record<FirewallPlatform, string>> = {
  gcloud: 'a missing firewall rule in Google Cloud',
  aws: 'an AWS security group (or network ACL) without the rule',
  az: 'an Azure network security group without the rule',
  unknown: 'a firewall between them, or at the VPN',
};

/** What is most likely the matter with a loss, and what mends it. */
export function adviceForLoss(loss: Loss, around: Surroundings): ProbeAdvice {
  if (loss.verdict === 'mtu-too-small') return smallMtu(loss, around);
  const isDead = loss.verdict === 'service-unreachable';
  if (isDead && around.silent.has(loss.to)) return deadService(loss, around);
  const advice = isDead
    ? deadService(loss, around)
    : { letThrough: letThrough(loss, around), ...blocked(loss, around) };
  // It need not be that: then what the network drops is to be let through all the same.
  const causes = causesAtServer(loss, { clusters: around.clusters, contexts: contextsByName(around) });
  const likely = [...causes.map(({ says }) => says), advice.likely].join('; else ');
  return { ...advice, likely, hints: [...causes.map(({ hint }) => hint), ...advice.hints] };
}

function contextsByName({ clusters }: Surroundings): Map<string, string> {
  return new Map(clusters.map(({ name, snapshot: { context } }) => [name, context]));
}

function blocked(loss: Loss, around: Surroundings): Omit<ProbeAdvice, 'letThrough'> {
  const { lostAt, isEverything, family, says, losesAnswers } = loss;
  const context = contextsOf(loss, around);
  const firewall = (format: string) =>
    `What has to be let through: ${meshctlCommand('clustermesh firewall', { context }, format === 'table' ? [] : ['-o', format])}`;
  const routes = `The routes of each node: ${meshctlCommand('clustermesh routes', { context })}`;
  const clouds = platformsOf(loss, around);
  const firewalls = clouds.map((cloud) => firewall(cloud === 'unknown' ? 'table' : cloud));
  const nodes = nodesWord(loss.fromNodes);
  const isOfApiserver = loss.packets.some(({ kind }) => kind === 'apiserver');
  switch (lostAt) {
    case 'sender':
      return { likely: `the firewall on ${nodes} itself does not let it out (${says})`, hints: [firewall('nft')] };
    case 'pod':
      return {
        likely: `the nodes of these pods reach it: a policy of ${loss.from} does not let these pods out${isAsNode(loss) ? '' : `, or pods' own addresses are dropped on the way: ${clouds.map((cloud) => FIREWALLS[cloud]).join(', or ')}`}`,
        hints: [policiesOf(loss.from, around), ...(isAsNode(loss) ? [] : firewalls)],
      };
    case 'route':
      return {
        likely: `${nodes} ${verb(loss.fromNodes, 'has', 'have')} no route to ${loss.to} (${says})`,
        hints: [routes],
      };
    case 'name':
      return {
        likely: `${nodes} cannot resolve the name of the load balancer (${says})`,
        hints: [checkOf(loss, around, 'apiserver')],
      };
    case 'rejected':
      if (isEverything && says) {
        return {
          likely: `${nodes} ${verb(loss.fromNodes, 'has', 'have')} no route to ${loss.to}, or the next router has none (${says})`,
          hints: [routes],
        };
      }
      return {
        likely: `something on the way answers instead of the destination${says ? ` (${says})` : ''}: a firewall that rejects, or a router without a route`,
        hints: isEverything ? [routes, ...firewalls] : firewalls,
      };
    case 'destination':
      return {
        likely: `it reaches ${nodesWord(loss.toNodes) || `a node of ${loss.to}`} and is dropped there: by ${isOfApiserver ? 'a policy for the clustermesh-apiserver, or ' : ''}the node's own firewall (iptables, nftables, firewalld, Cilium's host policies)`,
        hints: [...(isOfApiserver ? [checkOf(loss, around, 'apiserver')] : []), firewall('nft')],
      };
    default:
      if (losesAnswers && loss.packets.length > 0 && lostAt === 'answer') {
        return {
          likely: `requests arrive, but the answers of ${loss.from} are lost: a firewall that does not track the connections, or asymmetric routing`,
          hints: [routes, ...firewalls],
        };
      }
      if (loss.packets.length > 0 && loss.packets.every(({ kind }) => kind === 'pod-to-pod')) {
        return {
          likely: `nothing of pods arrives${overFamily(family)}: their ranges have no route on the way, a firewall drops them, or a policy of ${loss.from} or ${loss.to} does`,
          hints: [routes, ...firewalls, policiesOf(loss.from, around), policiesOf(loss.to, around)],
        };
      }
      return isEverything
        ? {
            likely: `nothing arrives${family === undefined ? ' at all' : overFamily(family)}: a route that is missing on the way (or at the VPN), or a firewall that drops everything`,
            hints: [routes, ...firewalls],
          }
        : {
            likely: `other packets arrive: ${clouds.map((cloud) => FIREWALLS[cloud]).join(', or ')}`,
            hints: firewalls,
          };
  }
}

/** Whether the network cannot tell what is lost from what gets through. */
const isAsNode = ({ results }: Loss) => results.every(({ test }) => test.isAsNode);

function policiesOf(name: string, { clusters }: Surroundings): string {
  const context = clusters.find((cluster) => cluster.name === name)?.snapshot.context;
  const kinds = 'networkpolicies,ciliumnetworkpolicies,ciliumclusterwidenetworkpolicies';
  return `The policies of ${name}: ${kubectlCommand({ context }, ['get', kinds, '--all-namespaces'])}`;
}

/** The rules for what is lost, of those that the mesh needs. */
function letThrough(loss: Loss, { rules }: Surroundings): LetThrough[] {
  const { from, to, packets, isMutual, family, lostAt, isEverything, says } = loss;
  const isRoute = lostAt === 'route' || (lostAt === 'rejected' && isEverything && says !== undefined);
  if (isRoute || lostAt === 'name' || (lostAt === 'pod' && isAsNode(loss))) return [];
  const isMeant = (kind: ProbedPackets['kind'], port: number | undefined) =>
    packets.some((packet) => packet.kind === kind && (kind === 'pod-to-pod' || packet.port === port));
  return rules.rules
    .filter((rule) => (rule.from === from && rule.to === to) || (isMutual && rule.from === to && rule.to === from))
    .filter(({ kind, port }) => isMeant(kind, port))
    .filter(({ sources: [source = ''] }) => family === undefined || familyOf(source) === family)
    .map(({ protocol, port, sources, destinations, hostnames = [] }) => ({
      protocol,
      ...(port === undefined ? {} : { port }),
      sources,
      destinations: [...destinations, ...hostnames],
    }));
}

function deadService(loss: Loss, around: Surroundings): ProbeAdvice {
  const [packets] = loss.packets;
  const server = around.clusters.find(({ name }) => name === loss.to)?.snapshot;
  const nodes = nodesWord(loss.toNodes);
  const fault = packets?.kind === 'apiserver' ? around.silent.get(loss.to) : undefined;
  if (fault) {
    return {
      likely: `no clustermesh-apiserver of ${loss.to} answers, whatever the network does: ${fault.says}`,
      letThrough: [],
      hints: [mendOf(fault, contextsByName(around))],
    };
  }
  if (packets?.kind === 'apiserver') {
    // What its own nodes say is no word of whether packets from elsewhere arrive.
    const arrived = loss.says === undefined ? 'packets arrive, and ' : '';
    return {
      likely: `${arrived}no clustermesh-apiserver of ${loss.to} answers at that address${loss.says === undefined ? '' : ` (${loss.says})`}: it does not run, or its Service leads nowhere`,
      letThrough: [],
      hints: [checkOf(loss, around, 'apiserver')],
    };
  }
  const place = { context: server?.context, namespace: server?.namespace };
  return {
    likely: `packets arrive, but nothing listens on the port on ${nodes}: Cilium's agent does not run there, or is configured differently`,
    letThrough: [],
    hints: [
      `The agents: ${kubectlCommand(place, ['get', 'pods', '-l', AGENT_SELECTOR, '-o', 'wide'])}`,
      `Whether the clusters are configured alike: ${meshctlCommand('clustermesh check', { context: contextsOf(loss, around) })}`,
    ],
  };
}

/**
 * Cilium takes what it adds to packets off the MTU that it is set to (Helm value `MTU`, cilium-config `mtu`), so that is to
 * be the path's.
 */
function smallMtu(loss: Loss, { clusters, losses }: Surroundings): ProbeAdvice {
  const mtu = loss.pathMtu ?? 0;
  const sendsMore = (cluster: ProbedCluster) =>
    cluster.places.some((place) => place.failed === undefined && place.kind === 'node' && mtuOf(place, cluster) > mtu);
  const concerned = clusters.filter(
    (cluster) => (cluster.name === loss.from || cluster.name === loss.to) && sendsMore(cluster),
  );
  const senders = concerned.map(({ name }) => name).join(' and ');
  return {
    likely: loss.required
      ? `the path carries packets up to ${mtu} bytes, as with a VPN that adds headers, but Cilium of ${senders} sends larger ones`
      : `nodes of ${loss.to} take packets up to ${mtu} bytes; Cilium of ${senders} sends larger ones`,
    letThrough: [],
    mtu,
    hints: concerned.map(({ name, snapshot }) => {
      const { context, namespace, ciliumConfig = {}, agent } = snapshot;
      const fitting = smallestPath(name, losses) ?? mtu;
      const overhead = tunnelOverhead(ciliumConfig, versionOfAgents(agent));
      const inside = overhead > 0 ? `, which leaves ${fitting - overhead} for pods` : '';
      const patch = kubectlCommand({ context, namespace }, [
        ...['patch', 'configmap', CILIUM_CONFIG, '--type', 'merge'],
        ...['-p', JSON.stringify({ data: { mtu: String(fitting) } })],
      ]);
      const restart = restartAgents(snapshot);
      return `Set the MTU of ${name} to ${fitting}${inside} (Helm value MTU=${fitting}); restart other pods after these commands${saysAtOnce(snapshot)}: ${patch} && ${restart}`;
    }),
  };
}

/** The MTU that fits all paths of a cluster on which large packets were lost. */
function smallestPath(name: string, losses: Surroundings['losses']): number | undefined {
  const paths = losses.flatMap(({ verdict, from, to, pathMtu }) =>
    verdict === 'mtu-too-small' && pathMtu !== undefined && [from, to].includes(name) ? [pathMtu] : [],
  );
  return paths.length > 0 ? Math.min(...paths) : undefined;
}

function checkOf(loss: Loss, { clusters }: Surroundings, category: string): string {
  const context = clusters.find(({ name }) => name === loss.to)?.snapshot.context;
  return `Its state: ${meshctlCommand('clustermesh check', { context }, ['--category', category])}`;
}

/** Of the cluster into which packets are to be let; with both directions, of both: each has a firewall of its own. */
function platformsOf({ from, to, isMutual }: Loss, { rules }: Surroundings): FirewallPlatform[] {
  const of = (name: string) => rules.clusters.find((cluster) => cluster.name === name)?.platform ?? 'unknown';
  const platforms = [...new Set(isMutual ? [of(to), of(from)] : [of(to)])];
  const known = platforms.filter((platform) => platform !== 'unknown');
  return known.length > 0 ? known : ['unknown'];
}

function contextsOf({ from, to }: Loss, { clusters }: Surroundings): string[] {
  return clusters.filter(({ name }) => name === from || name === to).map(({ snapshot }) => snapshot.context);
}

const MOST_NAMES = 3;

const nodesWord = (nodes: readonly string[]) => firstOf(nodes, MOST_NAMES);

function verb(nodes: readonly string[], one: string, several: string): string {
  return nodes.length === 1 ? one : several;
}
