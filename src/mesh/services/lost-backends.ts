import { enumerated, firstOf } from '../counted.ts';
import { groupBy } from '../pairs.ts';
import type { Hazard } from '../plan/agreement.ts';
import { usesOthers } from './backends.ts';
import type { ClusterServices } from './service-facts.ts';
import { isBalanced, unreadPeers } from './services.ts';
import { inputOf, selectionInputs, unservedPorts, usesIn } from './uses.ts';

/** A cluster of which dials end, or whose peer leaves without telling it. */
export interface LosingCluster {
  /** With the peers that its agents read from until now. */
  of: ClusterServices;
  /** The clusters that its peers' names stand for, as far as they were read. */
  others: readonly ClusterServices[];
  /** The peers that it does not dial any more. */
  loses: readonly string[];
  /** Peers that it comes to dial in the same run. */
  gains: readonly string[];
  /** Peers that leave the mesh, and that it goes on dialling. */
  untold: readonly string[];
  /** The context of the cluster that the plan changes. */
  changed: string;
}

/** Part of a clause about Services: before their names, the same of several clusters with % for theirs, and behind the Services' names. */
type Words = readonly [before: string, several: string, behind: string];

/** What is said of a Service. */
interface Clause {
  words: Words;
  /** The same without the names of peers. */
  what: string;
  /** The peers that it is about; none where it is about the Service alone. */
  of: readonly string[];
}

/** What becomes of one Service. */
interface Loss {
  /** As it is named. */
  service: string;
  /** Its requests are served until now, and not after it. */
  fails: boolean;
  says: readonly Clause[];
  /** Clusters that were not read, and on which it hangs. */
  unread: readonly string[];
}

/**
 * What a cluster's requests for global Services lose with its peers: agents drop the backends of a cluster that they do not read from
 * any longer. Its connections are taken to be as its peering files say.
 */
export function lostBackends(losing: LosingCluster): Hazard[] {
  const losses = lossesOf(losing);
  // What fails is read first.
  const ordered = [...losses.filter(({ fails }) => fails), ...losses.filter(({ fails }) => !fails)];
  const told = ordered.flatMap(({ service, says }) => says.map((clause) => ({ service, ...clause })));
  return [...groupBy(told, ({ words }) => words.join(' '))].flatMap(([, alike]) => {
    const keys = firstOf(
      alike.map(({ service }) => service),
      MOST_SERVICES,
    );
    const members = alike.flatMap(({ service, of }) =>
      of.length > 0 ? of.map((peer) => `${service} of ${peer}`) : [service],
    );
    return alike.slice(0, 1).map(({ words: [before, several, behind], what }) => ({
      cluster: losing.changed,
      says: `${before} ${keys}${behind}`,
      befalls: { name: losing.of.cluster, several: `${several} ${keys}${behind}` },
      enumerates: { what, members },
    }));
  });
}

/** Those left without any backend an operator has to know by name. */
const MOST_SERVICES = 20;

/** The clusters that were not read and on which it hangs what is lost. */
export function undecidedBy(losing: LosingCluster): string[] {
  return [...new Set(lossesOf(losing).flatMap(({ unread }) => unread))].sort();
}

function lossesOf(losing: LosingCluster): Loss[] {
  return [...losing.of.services.keys()].sort().flatMap((key) => lossOf(losing, key));
}

function lossOf({ of, others, loses, gains, untold }: LosingCluster, key: string): Loss[] {
  const facts = of.services.get(key);
  const own = facts && inputOf(of, facts);
  if (!own || !isBalanced(own)) return [];
  const service = facts?.serviceImport === undefined ? key : `${key} (ServiceImport ${facts.serviceImport})`;
  const { cluster, peers = others.map((other) => other.cluster) } = of;
  const inputs = selectionInputs([of, ...others], key);
  const usedBy = (one: ClusterServices, among = inputs) => usesIn(one, among).map((use) => use.cluster);
  const isServed = (one: ClusterServices) => usedBy(one).length > 0 && unservedPorts(one, inputs).length === 0;
  const after = { ...of, peers: [...peers.filter((peer) => !loses.includes(peer)), ...gains] };
  const going = peers.filter((peer) => loses.includes(peer));
  const used = usedBy(of);
  const gone = going.filter((peer) => used.includes(peer));
  const withoutOwn = inputs.map((one) => (one.cluster === cluster ? { ...one, backends: [] } : one));
  const standby = usedBy(of, withoutOwn).filter((peer) => going.includes(peer) && !gone.includes(peer));
  const unread = usesOthers(own) ? unreadPeers({ peers: going }, others) : [];
  const [was, has] = unread.length === 1 ? ['was', 'has'] : ['were', 'have'];
  const which = `${enumerated(unread)}, which ${was} not read`;
  const stale = untold.filter((peer) => used.includes(peer) && !loses.includes(peer));
  const straying = stale.map((peer) => ({
    ...requestsFrom(cluster, ` go on to what backends ${peer} had`),
    ...{ what: `requests from ${cluster} go on to what backends it had`, of: [peer] },
  }));
  // One that is served at some of its ports only goes on at these.
  if (isServed(of) ? !isServed(after) : usedBy(after).length === 0 && unread.length > 0) {
    const left = unreadPeers(after, others);
    const why = isServed(of)
      ? ' fail, which no other backends serve'
      : ` fail: only ${which}, may have backends for them`;
    const doubt = left.length > 0 ? `, as far as is known without ${enumerated(left)}` : '';
    const says: Clause[] = [requestsFrom(cluster, `${why}${doubt}`), ...straying];
    return [{ service, fails: true, says, unread: [...unread, ...left] }];
  }
  const says: Clause[] = [
    ...losesOf(cluster, gone, `the backends of ${enumerated(gone)} for`, 'backends'),
    ...losesOf(cluster, standby, `the backends of ${enumerated(standby)} that stand by for`, 'backends that stand by'),
    ...losesOf(cluster, unread, `what backends ${which}, ${has} for`, 'backends that were not read'),
    ...straying,
  ];
  return says.length > 0 ? [{ service, fails: false, says, unread }] : [];
}

function requestsFrom(cluster: string, behind: string): Clause {
  const before = `requests from ${cluster} for`;
  return { words: [before, 'requests from % for', behind], what: `${before}${behind}`, of: [] };
}

function losesOf(cluster: string, of: readonly string[], lost: string, what: string): Clause[] {
  const words: Words = [`${cluster} loses ${lost}`, `% lose ${lost}`, ''];
  return of.length > 0 ? [{ words, what: `${cluster} loses ${what}`, of }] : [];
}
