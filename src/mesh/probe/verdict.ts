import { groupBy } from '../pairs.ts';
import type { ProbePlace } from './places.ts';
import { isSameFamily, type ProbeTest } from './tests.ts';
import type { Said, Seen, Sightings } from './words.ts';

/** What may become of packets, other than that they arrive. */
export const PROBE_FAILURES = [
  /** It was sent to somebody who surely listens, and did not arrive. */
  'path-blocked',
  /** It arrived, and nothing answers there. */
  'service-unreachable',
  /** It arrived; the answer did not. */
  'one-way',
  /** Small packets arrive, and those do not that Cilium would send. */
  'mtu-too-small',
] as const;

export type ProbeVerdict = 'open' | (typeof PROBE_FAILURES)[number] | 'not-tested';

/**
 * Where packets are lost, as far as it can be told: refused by the sender's own firewall; without a route; with a host name
 * that means nothing there; on the way in silence; on the way with an answer in the destination's stead; at the destination's
 * own firewall, as its device has seen them. Of a pod's whose node gets through: between the two.
 */
export type LossPlace = 'sender' | 'pod' | 'route' | 'name' | 'way' | 'rejected' | 'destination' | 'answer';

/** What came of one test. */
export interface TestResult {
  test: ProbeTest;
  verdict: ProbeVerdict;
  /** Of what is blocked, or goes one way. */
  lostAt?: LossPlace;
  /** There and back. */
  ms?: number;
  /** Bytes of the largest packet that arrived; of `mtu` only. */
  pathMtu?: number;
  /** Why it was not tested, or what the sender's kernel says. */
  why?: string;
  /** Where it was seen, of what is not open: of an apiserver a node that passes it on. */
  arrivedAt?: ProbePlace;
  /** Of an apiserver's address that is not open: another one of it is, from the same place. */
  isSpare?: true;
}

/**
 * Whether the mesh does not work with what was found, or as well. Of packets larger than the other end ever sends, only
 * datagrams are lost: TCP agrees on the smaller. Of several addresses of an apiserver one is enough: etcd's client dials all of
 * them and asks at those that answer (go.etcd.io/etcd/client/v3, internal/resolver, `round_robin`), and behind a name the others
 * are tried in turn (Cilium's pkg/dial, Go's net.Dialer). And what keeps the probe's pod from where its node gets, under the same
 * address, is not the network, but most likely a policy for its namespace, in which KVStoreMesh does not run.
 */
export function isNeeded({ test, lostAt, pathMtu, isSpare }: TestResult): boolean {
  if (lostAt === 'pod' && test.isAsNode) return false;
  return test.required && !isSpare && !(pathMtu !== undefined && pathMtu >= (test.enough ?? Number.POSITIVE_INFINITY));
}

/** What all places said and saw. */
export interface Evidence {
  /** By the tests' ids. */
  said: ReadonlyMap<string, Said>;
  /** Absent where a watch did not last. */
  sightings: ReadonlyMap<ProbePlace, Sightings>;
  /** Why nothing is known of what a place saw. */
  unseen: ReadonlyMap<ProbePlace, string>;
  /** Why nothing was sent from a place. */
  unsent: ReadonlyMap<ProbePlace, string>;
}

/** @returns for each test but the controls what came of it, in their order */
export function judgeAll(tests: readonly ProbeTest[], evidence: Evidence): TestResult[] {
  const answering = new Set(
    tests.flatMap((test) =>
      test.kind === 'apiserver' && evidence.said.get(test.id)?.outcome === 'open' ? test.toCluster : [],
    ),
  );
  const controls = new Map(
    tests.flatMap((test) => {
      const said = test.isControl ? evidence.said.get(test.id) : undefined;
      return said ? [[controlKey(test), { said, isDead: isDead(test, said, answering) }] as const] : [];
    }),
  );
  const results = tests
    .filter(({ isControl }) => !isControl)
    .map((test) => judge(test, evidence, controls.get(controlKey(test))));
  const bySender = groupBy(results, ({ test }) => nodeKey(test.from));
  const sentFrom = (place: ProbePlace | undefined) => (place && bySender.get(nodeKey(place))) ?? [];
  const located = results.map((result): TestResult => {
    if (isLostAtPod(result, sentFrom)) return { ...result, lostAt: 'pod' };
    if (isOneWay(result, sentFrom)) return { ...result, verdict: 'one-way', lostAt: 'answer' };
    return isLostAtSender(result, sentFrom) ? { ...result, lostAt: 'sender' } : result;
  });
  const reached = new Set(located.flatMap((result) => (result.verdict === 'open' ? apiserverKey(result.test) : [])));
  return located.map((result) =>
    result.verdict !== 'open' && apiserverKey(result.test).some((key) => reached.has(key))
      ? { ...result, isSpare: true }
      : result,
  );
}

/** Who dials whose apiserver, at whatever address; none of other packets. */
function apiserverKey({ kind, from, toCluster }: ProbeTest): string[] {
  return kind === 'apiserver' ? [`${nodeKey(from)} ${from.kind} ${toCluster}`] : [];
}

/** A pod's packets leave by its node, which tells more of the way. */
const nodeKey = ({ cluster, node }: ProbePlace) => `${cluster} ${node}`;

type SentFrom = (place: ProbePlace | undefined) => readonly TestResult[];

/**
 * Whether a connection to an apiserver may well have arrived: it was seen at a node from which nothing goes to the asking
 * cluster, so its answer neither; or nothing at all of the other cluster answers who asks, though all arrives.
 */
function isOneWay({ test, lostAt, arrivedAt }: TestResult, sentFrom: SentFrom): boolean {
  if (test.kind !== 'apiserver') return false;
  if (lostAt === 'way') {
    const asked = sentFrom(test.from).filter(
      (one) =>
        one.test.toCluster === test.toCluster &&
        isSameFamily(one.test, test) &&
        one.test.to &&
        ['tcp', 'icmp'].includes(one.test.via),
    );
    return asked.length > 0 && asked.every(({ verdict }) => verdict === 'one-way');
  }
  if (lostAt !== 'destination') return false;
  const back = sentFrom(arrivedAt).filter(
    (one) => one.test.toCluster === test.from.cluster && isSameFamily(one.test, test),
  );
  const sent = back.filter((one) => one.test.to && one.verdict !== 'not-tested');
  return sent.length > 0 && sent.every(({ verdict }) => verdict === 'path-blocked');
}

/** Whether a pod does not get to an apiserver at whose very address its node does; what has arrived there is lost there. */
function isLostAtPod({ test, verdict, lostAt }: TestResult, sentFrom: SentFrom): boolean {
  if (test.kind !== 'apiserver' || test.from.kind !== 'pod') return false;
  if (verdict !== 'path-blocked' || lostAt === 'destination') return false;
  const isSame = (other: ProbeTest) => controlKey(other) === controlKey(test) && other.kind === test.kind;
  return sentFrom(test.from).some((one) => one.test.from.kind === 'node' && isSame(one.test) && one.verdict === 'open');
}

/** The kernel tells whoever sends a datagram that its own firewall drops it, but not whoever waits for a connection. */
function isLostAtSender({ test, lostAt }: TestResult, sentFrom: SentFrom): boolean {
  if (lostAt !== 'way' || test.via !== 'tcp' || test.from.kind !== 'node') return false;
  const datagrams = sentFrom(test.from).filter(
    (one) =>
      one.test.toCluster === test.toCluster &&
      isSameFamily(one.test, test) &&
      ['udp', 'icmp'].includes(one.test.via) &&
      (test.to === undefined || one.test.to === test.to),
  );
  return datagrams.length > 0 && datagrams.every((one) => one.lostAt === 'sender');
}

const controlKey = ({ toCluster, host, port }: ProbeTest) => `${toCluster} ${host} ${port}`;

type Arrival = 'let-in' | 'at-device' | 'nowhere' | 'unknown';
type Judgement = Omit<TestResult, 'test'>;

/** What a node of an apiserver's own cluster said of it, and whether that shows that nothing answers there. */
interface Control {
  said: Said;
  isDead: boolean;
}

/**
 * Whether nobody answers at an apiserver, by its own cluster: connections are refused, or agents let none out, as to a Service
 * without a backend (EHOSTUNREACH, bpf_sock.c of Cilium). That the node has no route, lets nothing out or knows no such name
 * is the node's; an address that the Service does not have need not lead there from inside; and one that answers at another
 * address, or others, runs.
 */
function isDead(test: ProbeTest, { outcome, reason = '' }: Said, answering: ReadonlySet<string>): boolean {
  if (test.isElsewhere || answering.has(test.toCluster)) return false;
  return outcome === 'refused' || (outcome === 'unreachable' && unreachable(reason).lostAt === 'rejected');
}

function judge(test: ProbeTest, evidence: Evidence, control: Control | undefined): TestResult {
  const { from, to } = test;
  const unable = from.failed ?? evidence.unsent.get(from) ?? (test.kind === 'apiserver' ? undefined : to?.failed);
  const said = evidence.said.get(test.id);
  if (unable !== undefined || !said) {
    return { test, verdict: 'not-tested', why: unable ?? `${from.node} reported nothing about it` };
  }
  return { test, ...judgeBySender(test, said, evidence, control) };
}

function judgeBySender(test: ProbeTest, said: Said, evidence: Evidence, control: Control | undefined): Judgement {
  if (said.outcome === 'unreachable') return unreachable(said.reason ?? '');
  const timed = said.ms === undefined ? {} : { ms: said.ms };
  if (said.outcome === 'open' || said.outcome === 'answered') return { verdict: 'open', ...timed };
  if (test.via === 'mtu') return judgeSizes(test, evidence);
  const { arrival, at } = arrivalOf(test, evidence);
  if (test.kind === 'apiserver') return { ...judgeApiserver(said, arrival, control), ...(at ? { arrivedAt: at } : {}) };
  if (arrival === 'unknown') return unknown(test, evidence);
  if (arrival === 'at-device') return { verdict: 'path-blocked', lostAt: 'destination' };
  if (arrival === 'nowhere') {
    return { verdict: 'path-blocked', lostAt: said.outcome === 'refused' ? 'rejected' : 'way' };
  }
  // Of a pod's port that nobody has, to be refused is the answer.
  if (said.outcome === 'refused') return { verdict: test.kind === 'pod-to-pod' ? 'open' : 'service-unreachable' };
  return said.outcome === 'sent' ? { verdict: 'open' } : { verdict: 'one-way', lostAt: 'answer' };
}

/**
 * By the texts of Linux' errors: EPERM is its own firewall's, ENETUNREACH a table without a route; EHOSTUNREACH comes from a
 * route that says so, or from whoever refuses on the way.
 */
function unreachable(reason: string): Judgement {
  const lostAt = /not permitted/i.test(reason)
    ? 'sender'
    : /network is unreachable/i.test(reason)
      ? 'route'
      : /name|resolution/i.test(reason)
        ? 'name'
        : 'rejected';
  return { verdict: 'path-blocked', lostAt, why: reason };
}

/**
 * Packets to a Service are passed on to a pod, so that no node lets them in for itself, and they may come by a node that
 * nobody watches. Whether the apiserver would answer is known from a node of its own cluster, unless it hears nothing: some
 * load balancers do not send a node's packets back to it.
 */
function judgeApiserver({ outcome }: Said, arrival: Arrival, control: Control | undefined): Judgement {
  if (control?.isDead) {
    const isRefused = control.said.outcome === 'refused';
    const why = isRefused ? 'its own nodes are refused too' : 'its own nodes do not get there either';
    return { verdict: 'service-unreachable', why };
  }
  const isOpen = control?.said.outcome === 'open';
  const hasArrived = arrival === 'let-in' || arrival === 'at-device';
  if (outcome === 'refused') {
    if (isOpen) return { verdict: 'path-blocked', lostAt: hasArrived ? 'destination' : 'rejected' };
    return { verdict: 'service-unreachable' };
  }
  if (!hasArrived) return { verdict: 'path-blocked', lostAt: 'way' };
  return isOpen ? { verdict: 'path-blocked', lostAt: 'destination' } : { verdict: 'service-unreachable' };
}

function unknown({ to }: ProbeTest, { unseen }: Evidence): Judgement {
  const says = to && unseen.get(to);
  return { verdict: 'not-tested', why: `nothing is known of what ${to?.node} saw${says ? `: ${says}` : ''}` };
}

function judgeSizes(test: ProbeTest, evidence: Evidence): Judgement {
  const { to, sizes = [] } = test;
  const seen = seenOf(test, evidence)?.seen;
  if (!seen) return unknown(test, evidence);
  if (!seen.letIn) return { verdict: 'not-tested', why: 'no packet arrives, of whatever size' };
  // Drivers let a little more in than their device's MTU, as room for a VLAN's tag.
  const pathMtu = Math.min(Math.max(...seen.sizes), to?.deviceMtu ?? Number.POSITIVE_INFINITY);
  return { verdict: pathMtu < Math.max(...sizes) ? 'mtu-too-small' : 'open', pathMtu };
}

function arrivalOf(test: ProbeTest, evidence: Evidence): { arrival: Arrival; at?: ProbePlace } {
  const found = seenOf(test, evidence);
  if (!found) return { arrival: 'unknown' };
  const { at, seen } = found;
  return seen.letIn ? { arrival: 'let-in', at } : seen.atDevice ? { arrival: 'at-device', at } : { arrival: 'nowhere' };
}

/** What was seen at the place where it may arrive, or at that one of them that saw the most. */
function seenOf(test: ProbeTest, { sightings }: Evidence): { at: ProbePlace; seen: Seen } | undefined {
  const { to, toCluster } = test;
  const watching = [...sightings].filter(([place]) => (to ? place === to : place.cluster === toCluster));
  const seen = watching.map(([at, all]) => ({ at, seen: all.of(test) }));
  return seen.find((one) => one.seen.letIn) ?? seen.find((one) => one.seen.atDevice) ?? seen[0];
}
