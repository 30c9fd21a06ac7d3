import { type Endpoint, isIpAddress, listEndpoints } from '../apiserver/endpoints.ts';
import { familyOf, overlap, parseCidr } from '../cilium/cidr.ts';
import { ipFamilies, isOn, isTunnel, maskedFamilies } from '../cilium/datapath.ts';
import { unmaskedRangesOf } from '../cilium/unmasked-ranges.ts';
import { configuredMtu } from '../network/mtu.ts';
import { type NeedKind, type NetworkNeed, networkNeeds } from '../network/needs.ts';
import { addressOf, type ProbedCluster, type ProbePlace } from './places.ts';

export type ProbeKind = NeedKind | 'mtu';

/** Packets of one kind from one place to an address. */
export interface ProbeTest {
  /** A short word that the packets carry. */
  id: string;
  kind: ProbeKind;
  /** How it is sent; `mtu` is a series of packets that grow. */
  via: 'tcp' | 'udp' | 'icmp' | 'esp' | 'mtu';
  port?: number | undefined;
  from: ProbePlace;
  /** The cluster that is to get it, by name. */
  toCluster: string;
  /** Where both families are sent between the two clusters, that of this one; not of what is dialled by a name. */
  family?: 4 | 6 | undefined;
  /** Where it is to arrive; undefined for an apiserver, which any node may serve. */
  to?: ProbePlace | undefined;
  /** What is dialled. */
  host: string;
  /** Of TCP: a connection is told by it from all others. */
  sourcePort?: number | undefined;
  /** Of `mtu`: bytes of whole IP packets, the largest first. */
  sizes?: readonly number[] | undefined;
  /** Of `mtu`: bytes of the largest packets that both ends send, to which connections keep. */
  enough?: number | undefined;
  required: boolean;
  /** What for: one clause. */
  why: string;
  /** From a pod: the network cannot tell it from what the pod's node sends. */
  isAsNode?: true;
  /** That it passes does not prove what it is for: another place sends what the mesh needs. That it is lost is a loss. */
  isBeside?: true;
  /** From the cluster itself to its own apiserver: whether that answers at all. It is not in the report. */
  isControl?: true;
  /** Of a control: the Service does not have this address, as that of a NAT, which may lead nowhere from inside. */
  isElsewhere?: true;
}

/** What a test's packets are on the wire. */
export function protocolOf({ via, port }: Pick<ProbeTest, 'via' | 'port'>): Exclude<ProbeTest['via'], 'mtu'> {
  if (via !== 'mtu') return via;
  return port === undefined ? 'icmp' : 'udp';
}

/** The ports that probes dial from, by which their connections are told from others'. */
const SOURCE_PORTS = { first: 61000, count: 4500 } as const;
/** A port of pods at which nobody listens, as far as anyone knows: that it is refused is an answer. */
const POD_PORT = 61999;
const POD_TESTS = ['udp', 'tcp'] as const;

/** Every IPv6 network carries so much (RFC 8200), and every IPv4 network that anyone runs a cluster on. */
const LEAST_MTU = 1280;
const FINE = { below: 1500, step: 4 } as const;
const COARSE_STEP = 100;

/**
 * What is sent between the places of these clusters: for each need of each two of them, from each node to one node of the
 * other cluster, in each family in which it is needed. Of n and m nodes it is max(n, m) pairs, not n × m, and the same pairs in
 * both directions.
 * @param dials who is to dial whom, and where; two of which neither does are not joined. Default: each dials each, as they do now
 */
export function planTests(clusters: readonly ProbedCluster[], dials?: readonly ProbedDial[]): ProbeTest[] {
  const tests: ProbeTest[] = [];
  let connections = 0;
  const add = (test: Omit<ProbeTest, 'id' | 'sourcePort'>) => {
    const sourcePort = test.via === 'tcp' ? SOURCE_PORTS.first + (connections++ % SOURCE_PORTS.count) : undefined;
    tests.push({ ...test, id: tests.length.toString(36), ...(sourcePort === undefined ? {} : { sourcePort }) });
  };
  for (const client of clusters) {
    for (const server of clusters) {
      if (client === server) continue;
      const [there, back] = [dialOf(dials, client, server), dialOf(dials, server, client)];
      if (dials && !there && !back) continue;
      const needs = networkNeeds(client.snapshot, server.snapshot, dials && (there?.endpoints ?? []));
      const ofPlaces = needs.filter(({ to }) => to !== 'apiserver');
      const hasBoth = new Set(ofPlaces.flatMap(({ families }) => families)).size > 1;
      const plan = (test: Planned) => add(hasBoth ? { ...test, family: familyOfHost(test.host) } : test);
      for (const need of needs) {
        if (need.kind === 'apiserver') apiserverTests(need, client, server).forEach(plan);
        for (const family of need.kind === 'apiserver' ? [] : need.families) {
          const all = need.kind === 'pod-to-pod' ? podTests : nodeTests;
          for (const test of all(need, family, [client, server])) add(hasBoth ? { ...test, family } : test);
        }
      }
      const carrier = needs.find(({ protocol, required }) => protocol === 'udp' && required);
      const { families } = carrier ?? needs.find(({ kind }) => kind === 'ipsec' || kind === 'pod-to-pod') ?? NO_CARRIER;
      for (const family of families) {
        for (const pair of pairsOf('node', family, [client, server])) {
          add({ ...mtuTest(pair, family, carrier?.port, [client, server]), ...(hasBoth ? { family } : {}) });
        }
      }
    }
  }
  return tests;
}

/** Of a cluster without cilium-config. */
const NO_CARRIER = { families: [4] } as const;

/** That one cluster is to dial another's apiserver, by their contexts. */
export interface ProbedDial {
  client: string;
  server: string;
  endpoints: readonly Endpoint[];
}

/** Whether what becomes of one tells of the other: what is dialled by a name may be of either family. */
export function isSameFamily(one: Pick<ProbeTest, 'family'>, other: Pick<ProbeTest, 'family'>): boolean {
  return one.family === undefined || other.family === undefined || one.family === other.family;
}

function dialOf(
  dials: readonly ProbedDial[] | undefined,
  client: ProbedCluster,
  server: ProbedCluster,
): ProbedDial | undefined {
  return dials?.find((dial) => dial.client === client.snapshot.context && dial.server === server.snapshot.context);
}

/** Whether anything is sent for a test: a place where nothing can be, and a pod that does not run, are in the report all the same. */
export function isSent({ from, host }: ProbeTest): boolean {
  return from.failed === undefined && host !== '';
}

type Pair = readonly [from: ProbePlace, to: ProbePlace];
type Planned = Omit<ProbeTest, 'id' | 'sourcePort'>;

type Ends = readonly [client: ProbedCluster, server: ProbedCluster];

function of({ places }: ProbedCluster, kind: ProbePlace['kind']): ProbePlace[] {
  return places.filter((place) => place.kind === kind);
}

/** Of places of a kind that have an address of a family. */
function pairsOf(kind: ProbePlace['kind'], family: 4 | 6, ends: Ends): Pair[] {
  const [from, to] = ends.map((cluster) => placesWith(family, of(cluster, kind))) as [ProbePlace[], ProbePlace[]];
  const count = from.length === 0 || to.length === 0 ? 0 : Math.max(from.length, to.length);
  return Array.from({ length: count }, (_, index) => [
    from[index % from.length] as ProbePlace,
    to[index % to.length] as ProbePlace,
  ]);
}

/** Those with an address of a family; else one, with why nothing is sent or seen there. A pod that does not run has none. */
function placesWith(family: 4 | 6, places: readonly ProbePlace[]): readonly ProbePlace[] {
  const able = places.filter((place) => place.addresses.length === 0 || addressOf(place, family) !== undefined);
  if (able.length > 0) return able;
  return places.slice(0, 1).map((place) => {
    const failed = `no ${place.kind} of ${place.cluster} that takes part has an address of IPv${family}`;
    return { ...place, failed };
  });
}

function nodeTests(need: NetworkNeed, family: 4 | 6, ends: Ends): Planned[] {
  const { kind, protocol, port, required, why } = need;
  const via = protocol === 'all' ? 'icmp' : protocol;
  return pairsOf('node', family, ends).map(([from, to]) => ({
    ...{ kind, via, port, from, to, toCluster: to.cluster, host: addressOf(to, family) ?? '', required, why },
  }));
}

/**
 * From who dials: KVStoreMesh is a pod, agents are on their node. Nodes dial for KVStoreMesh too, as more of them take part
 * than pods, and its pod may come to any of them; but where pods take part, a way is proved by a pod only. Agents stand in for
 * one whose packets leave with its node's address, so that the network cannot tell them apart; that no pod has tried it is told.
 * And once from the server's own node, to know whether anything answers there.
 */
function apiserverTests(need: NetworkNeed, client: ProbedCluster, server: ProbedCluster): Planned[] {
  const { kind, port, why, hosts = [] } = need;
  const isByPods = need.from === 'pods';
  const arePods = client.via === 'pods';
  const served = listEndpoints(server.snapshot).map((endpoint) => endpoint.host);
  return hosts.flatMap((host) => {
    const own = sendersTo(host, of(server, 'node')).find(({ failed }) => failed === undefined);
    const elsewhere = served.includes(host) ? {} : { isElsewhere: true as const };
    const test = { kind, via: 'tcp', port, toCluster: server.name, host, required: true, why } as const;
    const beside = isByPods && arePods ? { isBeside: true as const } : {};
    // A node that is dialled at its own address sees what arrives there.
    const to = of(server, 'node').find(({ addresses }) => addresses.includes(host));
    const isAsNode = leavesAsNode(client, host);
    const byPod = { required: arePods || !isAsNode, ...(isAsNode ? { isAsNode } : {}) };
    return [
      ...sendersTo(host, of(client, 'node')).map((from) => ({ ...test, from, to, ...beside })),
      ...(isByPods ? sendersTo(host, of(client, 'pod')).map((from) => ({ ...test, from, to, ...byPod })) : []),
      ...(own ? [{ ...test, from: own, isControl: true as const, ...elsewhere }] : []),
    ];
  });
}

/** Under both names; the second is that of Cilium before 1.18. */
const EGRESS_GATEWAY = ['enable-egress-gateway', 'enable-ipv4-egress-gateway'] as const;

/**
 * Whether packets of pods to a host surely have their node's address in the network. With native routing pods may keep theirs, an
 * ip-masq-agent has ranges of its own for which they do, and an egress gateway gives them another. With a tunnel, too, they keep it
 * towards the native-routing CIDR (`snat_v4_needs_masquerade` in Cilium's bpf/lib/nat.h); where a name leads nobody knows.
 */
function leavesAsNode({ snapshot }: ProbedCluster, host: string): boolean {
  const config = snapshot.ciliumConfig ?? {};
  if (!isTunnel(snapshot) || (['enable-ip-masq-agent', ...EGRESS_GATEWAY] as const).some((key) => isOn(config, key)))
    return false;
  const family = familyOfHost(host);
  const masked = maskedFamilies(config);
  const families = family === undefined ? ipFamilies(config) : [family];
  const to = parseCidr(host);
  const mayStay = unmaskedRangesOf(snapshot).some(({ range }) => !to || overlap(range, to));
  return !mayStay && families.every((one) => masked.includes(one));
}

function sendersTo(host: string, places: readonly ProbePlace[]): readonly ProbePlace[] {
  const family = familyOfHost(host);
  return family === undefined ? places : placesWith(family, places);
}

/** Undefined of a name. */
function familyOfHost(host: string): 4 | 6 | undefined {
  return isIpAddress(host) ? familyOf(host) : undefined;
}

/** A packet that must arrive, and a connection that must be answered, even if only to be refused. */
function podTests(need: NetworkNeed, family: 4 | 6, ends: Ends): Planned[] {
  const { kind, required, why } = need;
  return pairsOf('pod', family, ends).flatMap(([from, to]) =>
    POD_TESTS.map((via) => ({
      ...{
        kind,
        via,
        port: POD_PORT,
        from,
        to,
        toCluster: to.cluster,
        host: addressOf(to, family) ?? '',
        required,
        why,
      },
    })),
  );
}

/** Over the tunnel's or WireGuard's port, which is let through where anything is; without them as echo requests. */
function mtuTest([from, to]: Pair, family: 4 | 6, port: number | undefined, [client, server]: Ends): Planned {
  return {
    ...{
      kind: 'mtu',
      via: 'mtu',
      port,
      from,
      to,
      toCluster: to.cluster,
      host: addressOf(to, family) ?? '',
      required: true,
    },
    sizes: packetSizes(mtuOf(from, client)),
    enough: Math.min(mtuOf(from, client), mtuOf(to, server)),
    why: 'larger packets of pods would be lost, and connections hang once they have something to say',
  };
}

/**
 * What Cilium takes for the MTU of the network at a node: what its device has there; before there is one, what it is set to,
 * else what the node's device has.
 */
export function mtuOf({ deviceMtu = FINE.below, ciliumMtu }: ProbePlace, { snapshot }: ProbedCluster): number {
  return ciliumMtu ?? configuredMtu(snapshot.ciliumConfig ?? {}) ?? deviceMtu;
}

/** The sizes of packets that find the path's MTU: what is wanted several times, as one lost packet shall not decide. */
export function packetSizes(wanted: number): number[] {
  const sizes = [wanted, wanted, wanted];
  let size = wanted - (wanted % COARSE_STEP || COARSE_STEP);
  for (; size > FINE.below; size -= COARSE_STEP) sizes.push(size);
  for (size = Math.min(FINE.below, wanted) - FINE.step; size > LEAST_MTU; size -= FINE.step) sizes.push(size);
  if (wanted > FINE.below) sizes.push(FINE.below);
  if (wanted > LEAST_MTU) sizes.push(LEAST_MTU);
  return sizes.sort((a, b) => b - a);
}
