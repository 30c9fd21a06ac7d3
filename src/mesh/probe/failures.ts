import { groupBy } from '../pairs.ts';
import type { ProbePlace } from './places.ts';
import { type ProbeKind, type ProbeTest, protocolOf } from './tests.ts';
import { isNeeded, type LossPlace, type ProbeVerdict, type TestResult } from './verdict.ts';

/** What was sent, as a firewall tells packets apart. */
export interface ProbedPackets {
  kind: ProbeKind;
  protocol: 'tcp' | 'udp' | 'icmp' | 'esp';
  port?: number;
  /** Of an apiserver: what was dialled. */
  host?: string;
}

/** One thing that is wrong, with all tests that show it. */
export interface Loss {
  verdict: Exclude<ProbeVerdict, 'open' | 'not-tested'>;
  /** Of `path-blocked`, and of `one-way`, where that is known. */
  lostAt?: LossPlace;
  /** The clusters that the lost packets are from and for; of a service that does not answer, who asks and who is asked. */
  from: string;
  to: string;
  /** The same the other way round. */
  isMutual: boolean;
  /** The IP family of the packets, where those of the other arrive, or are none. */
  family?: 4 | 6;
  /** Nothing that was tried between these nodes arrives. */
  isEverything: boolean;
  packets: ProbedPackets[];
  fromNodes: string[];
  toNodes: string[];
  /** Of how many pairs of nodes (or nodes and addresses) that were tried it is so. */
  pairs: number;
  pairsTried: number;
  required: boolean;
  /** Bytes; of `mtu-too-small`. */
  pathMtu?: number;
  /** In the words of a node's kernel. */
  says?: string;
  /** Answers are lost too, not only what is new. */
  losesAnswers: boolean;
  results: TestResult[];
}

/** The results that tell of something wrong, each thing once. */
export function lossesIn(results: readonly TestResult[]): Loss[] {
  const blocked = results.filter(({ verdict }) => verdict === 'path-blocked');
  const unanswered = results.filter(({ verdict }) => verdict === 'one-way');
  const dead = results.filter(({ verdict }) => verdict === 'service-unreachable');
  const small = results.filter(({ verdict }) => verdict === 'mtu-too-small');
  const losses = [
    ...merged(blocked, results, ({ lostAt }) => lostAt ?? ''),
    ...[...groupBy(dead, ({ test }) => `${test.toCluster} ${packetsKey(test)}`).values()].map((group) =>
      lossOf(group, results),
    ),
    ...[...groupBy(small, ({ test }) => `${[test.from.cluster, test.toCluster].sort()} ${test.family}`).values()].map(
      (group) => smallPath(group, results),
    ),
  ];
  const whole = withDependents(joinFamilies(losses));
  return joinMutual(joinFamilies(withLostAnswers(whole, unanswered, results)));
}

/** Where nothing at all gets through from a node, no apiserver is reached either, and no pod: those are no things of their own. */
function withDependents(losses: readonly Loss[]): Loss[] {
  const whole = losses.filter(({ isEverything, results }) => isEverything && results.some(isOfNodes));
  const isPart = ({ test, verdict }: TestResult, { from, to, family, results }: Loss) =>
    (family === undefined || test.family === family) &&
    (test.kind === 'apiserver' || test.kind === 'pod-to-pod') &&
    verdict === 'path-blocked' &&
    test.from.cluster === from &&
    test.toCluster === to &&
    results.some((other) => isOfNodes(other) && other.test.from.node === test.from.node);
  const absorbed = losses.map((loss) => {
    if (!whole.includes(loss)) return loss;
    const all = losses.flatMap(({ results }) => results);
    const own = all.filter((result) => isPart(result, loss) && !loss.results.includes(result));
    return own.length === 0
      ? loss
      : { ...loss, packets: [...loss.packets, ...packetsOf(own)], results: [...loss.results, ...own] };
  });
  return absorbed.filter(
    (_, index) =>
      whole.includes(losses[index] as Loss) ||
      !losses[index]?.results.every((result) => whole.some((other) => isPart(result, other))),
  );
}

const isOfNodes = ({ test }: TestResult) => test.from.kind === 'node' && test.to !== undefined;

const pairOf = ({ from, to, host, family }: ProbeTest) =>
  `${from.cluster}/${from.node}/${from.kind} ${to?.node ?? host} ${family}`;
const clustersOf = ({ from, toCluster }: ProbeTest) => `${from.cluster} ${toCluster}`;
const packetsKey = ({ kind, via, port, family, to, host }: ProbeTest) =>
  `${kind} ${via} ${port} ${family} ${to ? '' : host}`;

/** Between two clusters: kinds of packets that are lost between the very same nodes, and alike, are one thing. */
function merged(bad: readonly TestResult[], all: readonly TestResult[], alike: (result: TestResult) => string): Loss[] {
  return [...groupBy(bad, ({ test }) => clustersOf(test)).values()].flatMap((between) => {
    const kinds = [...groupBy(between, (result) => `${packetsKey(result.test)} ${alike(result)}`).values()];
    const extent = (group: readonly TestResult[]) =>
      `${alike(group[0] as TestResult)} ${[...new Set(group.map(({ test }) => pairOf(test)))].sort().join()}`;
    return [...groupBy(kinds, extent).values()].map((groups) => lossOf(groups.flat(), all));
  });
}

function lossOf(group: readonly TestResult[], all: readonly TestResult[]): Loss {
  const [first] = group as [TestResult];
  const { verdict, lostAt, pathMtu } = first;
  const says = group.find(({ why }) => why !== undefined)?.why;
  const pairs = new Set(group.map(({ test }) => pairOf(test)));
  const kinds = new Set(group.map(({ test }) => packetsKey(test)));
  // A service that does not answer is one thing, whichever clusters ask.
  const isAsked = ({ test }: TestResult) =>
    verdict === 'service-unreachable' && test.toCluster === first.test.toCluster;
  const related = all.filter((one) => isAsked(one) || clustersOf(one.test) === clustersOf(first.test));
  const tried = related.filter(({ test, verdict: its }) => kinds.has(packetsKey(test)) && its !== 'not-tested');
  const between = related.filter(({ test }) => pairs.has(pairOf(test)) && test.kind !== 'apiserver');
  return {
    verdict: verdict as Loss['verdict'],
    ...(lostAt === undefined ? {} : { lostAt }),
    from: first.test.from.cluster,
    to: first.test.toCluster,
    isMutual: false,
    ...(first.test.family === undefined ? {} : { family: first.test.family }),
    isEverything: verdict === 'path-blocked' && between.length > 1 && between.every(isLost),
    packets: packetsOf(group),
    fromNodes: unique(group.map(({ test }) => placeWord(test.from))),
    toNodes: unique(group.flatMap(({ test }) => (test.to ? placeWord(test.to) : []))),
    pairs: pairs.size,
    pairsTried: new Set(tried.map(({ test }) => pairOf(test))).size,
    required: group.some(isNeeded),
    ...(pathMtu === undefined ? {} : { pathMtu }),
    ...(says === undefined ? {} : { says }),
    losesAnswers: false,
    results: [...group],
  };
}

/** The node; of an ordinary pod, that it is one. */
function placeWord({ kind, node }: ProbePlace): string {
  return kind === 'pod' ? `a pod on ${node}` : node;
}

/** A path has one MTU: the smallest that was found, of both directions. */
function smallPath(group: readonly TestResult[], all: readonly TestResult[]): Loss {
  const [first] = group as [TestResult];
  const isThere = ({ test }: TestResult) => test.from.cluster === first.test.from.cluster;
  const there = lossOf(group.filter(isThere), all);
  const back = group.filter((result) => !isThere(result));
  const pathMtu = Math.min(...group.flatMap((result) => result.pathMtu ?? []));
  if (back.length === 0) return { ...there, pathMtu };
  const other = lossOf(back, all);
  return {
    ...there,
    isMutual: true,
    fromNodes: unique([...there.fromNodes, ...other.toNodes]),
    toNodes: unique([...there.toNodes, ...other.fromNodes]),
    pairs: there.pairs + other.pairs,
    pairsTried: there.pairsTried + other.pairsTried,
    required: there.required || other.required,
    pathMtu,
    results: [...group],
  };
}

const isLost = ({ verdict }: TestResult) => verdict === 'path-blocked' || verdict === 'not-tested';

/** An answer that is lost goes the way of what is lost from there anyway: it belongs to that, where there is such a thing. */
function withLostAnswers(
  losses: readonly Loss[],
  unanswered: readonly TestResult[],
  all: readonly TestResult[],
): Loss[] {
  const answers = [...groupBy(unanswered, ({ test }) => `${clustersOf(test)} ${test.family}`).values()];
  const explains = (loss: Loss, [first]: readonly TestResult[]) =>
    loss.verdict === 'path-blocked' &&
    (loss.family === undefined || loss.family === first?.test.family) &&
    loss.from === first?.test.toCluster &&
    loss.to === first.test.from.cluster;
  const explained = losses.map((loss) => {
    const lost = answers.filter((group) => explains(loss, group)).flat();
    const isOf = ({ test, arrivedAt }: TestResult) =>
      loss.results.some(({ test: { from, to } }) =>
        test.to
          ? from.node === test.to.node && to?.node === test.from.node
          : arrivedAt
            ? from.node === arrivedAt.node
            : to?.node === test.from.node,
      );
    const own = lost.filter(isOf);
    if (own.length === 0) return loss;
    // Of a single port, and where a node has no route, the one that is blocked says more.
    const isSilent = loss.isEverything && (loss.lostAt === 'way' || loss.lostAt === 'destination');
    return {
      ...loss,
      ...(isSilent ? { verdict: 'one-way' as const } : {}),
      losesAnswers: true,
      required: loss.required || own.some(isNeeded),
      results: [...loss.results, ...own],
    };
  });
  const taken = new Set(explained.flatMap(({ results }) => results));
  const left = unanswered.filter((result) => !taken.has(result));
  const alone = merged(left, all, () => '').map((loss) => ({
    ...loss,
    // What is lost is from those who were asked.
    ...{ from: loss.to, to: loss.from, fromNodes: loss.toNodes, toNodes: loss.fromNodes, losesAnswers: true },
  }));
  return [...explained, ...alone];
}

/** What is lost alike in both IP families is one thing. */
function joinFamilies(losses: readonly Loss[]): Loss[] {
  const alike = groupBy(losses, (loss) => {
    const { verdict, lostAt, packets, pathMtu, isEverything, losesAnswers, from, to, fromNodes, toNodes } = loss;
    const what = isEverything ? 'everything' : packets;
    return JSON.stringify([verdict, lostAt, what, pathMtu, losesAnswers, from, to, fromNodes, toNodes]);
  });
  return [...alike.values()].flatMap((group) => {
    const [one, other, ...more] = group;
    if (!one || !other || more.length > 0 || one.family === other.family) return group;
    const { family: _both, ...loss } = one;
    return [
      {
        ...loss,
        packets: [...one.packets, ...other.packets.filter((packets) => !has(one.packets, packets))],
        pairs: one.pairs + other.pairs,
        pairsTried: one.pairsTried + other.pairsTried,
        required: one.required || other.required,
        results: [...one.results, ...other.results],
      },
    ];
  });
}

/** Two that are each other's mirror are one. */
function joinMutual(losses: readonly Loss[]): Loss[] {
  const keyOf = (loss: Loss, isMirrored: boolean) => {
    const { verdict, lostAt, packets, family, pathMtu, isEverything, from, to, fromNodes, toNodes } = loss;
    return JSON.stringify([
      ...[verdict, lostAt, family, isEverything ? 'everything' : packets, pathMtu],
      ...(isMirrored ? [to, from, toNodes, fromNodes] : [from, to, fromNodes, toNodes]),
    ]);
  };
  const joined: Loss[] = [];
  for (const loss of losses) {
    const mirror = joined.findIndex((other) => !other.isMutual && keyOf(other, false) === keyOf(loss, true));
    const other = joined[mirror];
    if (!other) joined.push(loss);
    else {
      joined[mirror] = {
        ...other,
        isMutual: true,
        packets: [...other.packets, ...loss.packets.filter((one) => !has(other.packets, one))],
        pairs: other.pairs + loss.pairs,
        pairsTried: other.pairsTried + loss.pairsTried,
        required: other.required || loss.required,
        results: [...other.results, ...loss.results],
      };
    }
  }
  return joined;
}

function has(packets: readonly ProbedPackets[], one: ProbedPackets): boolean {
  return packets.some((other) => JSON.stringify(other) === JSON.stringify(one));
}

function packetsOf(group: readonly TestResult[]): ProbedPackets[] {
  const packets = group.map(({ test: { kind, via, port, to, host } }) => ({
    kind,
    protocol: protocolOf({ via, port }),
    ...(port === undefined ? {} : { port }),
    ...(kind === 'apiserver' && !to ? { host } : {}),
  }));
  return [...new Map(packets.map((one) => [JSON.stringify(one), one])).values()];
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
