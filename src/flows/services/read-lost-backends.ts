import pLimit from 'p-limit';
import { isTunnel } from '../../mesh/cilium/datapath.ts';
import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import type { Parting } from '../../mesh/connect/disconnect/disconnect-plan.ts';
import type { MeshctlError } from '../../mesh/errors.ts';
import type { NamedDial } from '../../mesh/file/topology.ts';
import { keyOf } from '../../mesh/objects/kube-object.ts';
import { AGENT_PEERS_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { dialsAnother, isPeersNamesake } from '../../mesh/peers/namesakes.ts';
import { dialledPeers } from '../../mesh/peers/peers.ts';
import type { Hazard } from '../../mesh/plan/agreement.ts';
import { type LosingCluster, lostBackends, undecidedBy } from '../../mesh/services/lost-backends.ts';
import type { ClusterServices } from '../../mesh/services/service-facts.ts';
import { unansweredBetween } from '../../mesh/services/unanswered-requests.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { readServiceClusters, unseenOf } from './read-service-clusters.ts';
import { readConfiguredServices } from './read-services.ts';

/** Clusters read at a time where nobody says how many. */
const DEFAULT_PARALLEL = 16;

/** Clusters of the kubeconfig that a run is not about. */
export interface OtherClusters {
  /** Those that answer, as far as they could be read: once, however often this is called. */
  read: () => Promise<readonly ClusterSnapshot[]>;
  /** Runs work with some of them, as far as they answer. */
  withOpened: <T>(contexts: readonly string[], work: (targets: readonly Target[]) => Promise<T>) => Promise<T>;
}

/** What clusters lose of global Services, for the operator to read before they agree. */
export interface LostServices {
  hazards: readonly Hazard[];
  /** Of clusters that could not be looked at, that they were not, and why. */
  unseen: readonly string[];
}

/** A cluster that leaves the mesh, and those that go on dialling it. */
export interface UntoldPeers {
  snapshot: ClusterSnapshot;
  /** By which they know it. */
  name: string;
  /** Their names. */
  remaining: readonly string[];
}

/** What ends, and what else changes with it. */
export interface EndingDials {
  partings: readonly Parting[];
  /** Clusters that leave without telling all of their peers. */
  leaves?: readonly UntoldPeers[];
  /** Dials that the same run makes. */
  begun?: readonly NamedDial[];
}

/**
 * What clusters lose when dials end. All of their Services are read at once, and no agent is asked; other clusters only where it hangs
 * on them. One that cannot be read holds nothing up: it is said that it was not looked at.
 * @param targets that are open: those of the partings are among them
 * @param parallel clusters read at a time
 */
export async function readLostBackends(
  flow: Flow,
  targets: readonly Target[],
  { partings, leaves = [], begun = [] }: EndingDials,
  elsewhere: OtherClusters,
  parallel = DEFAULT_PARALLEL,
): Promise<LostServices> {
  const losing = [...losersBy(partings), ...(await straysOf(leaves, elsewhere))];
  if (losing.length === 0) return { hazards: [], unseen: [] };
  const ofPlan = losing.flatMap(({ snapshot, peers }) => [snapshot, ...peers]);
  const contexts = new Set(ofPlan.map(({ context }) => context));
  const failures = new Map<string, MeshctlError>();
  const near = targets.filter(({ client }) => contexts.has(client.context));
  const own = await during(flow, { doing: 'Looking at global Services', done: 'Looked at global Services' }, () =>
    readEach(flow, near, failures, parallel),
  );
  const judged = (read: readonly ClusterServices[], others: readonly ClusterSnapshot[]) =>
    losing.flatMap((one) => losingCluster(one, read, [...new Set([...ofPlan, ...others])], begun));
  const isOpen = (context: string) => targets.some(({ client }) => client.context === context);
  const undecided = judged(own, []).flatMap(undecidedBy);
  const others = undecided.length > 0 || [...contexts].some((one) => !isOpen(one)) ? await elsewhere.read() : [];
  const far = others
    .filter((one) => !isOpen(one.context) && (contexts.has(one.context) || undecided.includes(clusterNameOf(one))))
    .map(({ context }) => context);
  const read =
    far.length === 0 ? [] : await elsewhere.withOpened(far, (more) => readEach(flow, more, failures, parallel));
  const hazards = [
    ...judged([...own, ...read], others).flatMap(lostBackends),
    ...losing.flatMap((one) => unansweredBy(one, [...own, ...read])),
  ];
  // Of others that could not be read it is said where it hangs on them.
  const failed = [...failures].filter(([context]) => contexts.has(context));
  return { hazards, unseen: failed.map(([context, error]) => unseenOf({ context, error }, LOST)) };
}

const LOST = 'what is lost of its global Services, there and elsewhere, is not known';

/** A cluster, whom it dials no more, and who of its peers leaves without a word. */
interface Loser {
  snapshot: ClusterSnapshot;
  loses: readonly string[];
  untold: readonly string[];
  /** The context of the cluster that the plan changes. */
  changed: string;
  /** Those of its peers that are known to be them. */
  peers: readonly ClusterSnapshot[];
  /** Those of them that go on dialling it. */
  dialledBy?: readonly ClusterSnapshot[];
}

/** By one plan a cluster may part from several, by itself and as the peer of others. */
function losersBy(partings: readonly Parting[]): Loser[] {
  return [...groupBy(partings, ({ snapshot }) => snapshot.context).values()].flatMap((own) => {
    const [first] = own;
    if (!first) return [];
    const { snapshot } = first;
    const undialled = own.flatMap((parting) => parting.undialled);
    const loses = readFrom(snapshot).filter((peer) => undialled.includes(peer));
    const peers = own.flatMap((parting) => parting.partners).filter((peer) => loses.includes(clusterNameOf(peer)));
    const name = clusterNameOf(snapshot);
    const dialledBy = peers.filter((peer) => {
      const isEnded = partings.some((one) => one.snapshot.context === peer.context && one.undialled.includes(name));
      return !isEnded && readFrom(peer).includes(name) && !dialsAnother(peer, name, snapshot);
    });
    return loses.length > 0 ? [{ snapshot, loses, untold: [], changed: snapshot.context, peers, dialledBy }] : [];
  });
}

/** Clusters that go on with the backends of one that has left, as far as contexts lead to them. */
async function straysOf(leaves: readonly UntoldPeers[], { read }: OtherClusters): Promise<Loser[]> {
  const untelling = leaves.filter(({ remaining }) => remaining.length > 0);
  if (untelling.length === 0) return [];
  const others = await read();
  return untelling.flatMap(({ snapshot: leaving, name, remaining }) =>
    others
      .filter((one) => remaining.includes(clusterNameOf(one)) && readFrom(one).includes(name))
      .filter((one) => !isPeersNamesake(one, leaving, [leaving, ...others]))
      .map((snapshot) => ({ snapshot, loses: [], untold: [name], changed: leaving.context, peers: [leaving] })),
  );
}

/** The peers that a cluster's agents read from. */
function readFrom({ objects, namespace }: ClusterSnapshot): string[] {
  return dialledPeers(objects.get(keyOf(secretRef(namespace, AGENT_PEERS_SECRET))));
}

/**
 * @param read the Services of clusters, of which a namesake of a peer is not taken for it
 * @param all what else was read of clusters
 */
function losingCluster(
  { snapshot, loses, untold, changed, peers }: Loser,
  read: readonly ClusterServices[],
  all: readonly ClusterSnapshot[],
  begun: readonly NamedDial[],
): LosingCluster[] {
  const of = read.find(({ context }) => context === snapshot.context);
  if (!of) return [];
  const gains = begun.filter(({ from }) => from === of.cluster).map(({ to }) => to);
  const isStranger = (context: string) =>
    all.some((other) => other.context === context && isPeersNamesake(snapshot, other, all));
  const theOne = (name: string): ClusterServices[] => {
    const known = peers.find((peer) => clusterNameOf(peer) === name);
    if (known) return read.filter(({ context }) => context === known.context);
    const named = read.filter((one) => one !== of && one.cluster === name && !isStranger(one.context));
    return named.length === 1 ? named : [];
  };
  const names = new Set([...(of.peers ?? []), ...gains, ...untold]);
  names.delete(of.cluster);
  return [{ of, others: [...names].flatMap(theOne), loses, gains, untold, changed }];
}

/** What requests fail of clusters that go on dialling one that no longer dials them: in a tunnel answers do not find back. */
function unansweredBy({ snapshot, changed, dialledBy = [] }: Loser, read: readonly ClusterServices[]): Hazard[] {
  if (!isTunnel(snapshot)) return [];
  const server = read.find(({ context }) => context === snapshot.context);
  return dialledBy.flatMap((peer) => {
    const client = read.find(({ context }) => context === peer.context);
    const unanswered = client && server && unansweredBetween(client, server);
    return unanswered === undefined ? [] : [{ cluster: changed, ...unanswered }];
  });
}

/** Each by itself: what one of them refuses is no answer for the others. */
async function readEach(
  flow: Flow,
  targets: readonly Target[],
  failures: Map<string, MeshctlError>,
  parallel: number,
): Promise<ClusterServices[]> {
  const onFailure = (context: string, error: MeshctlError) => failures.set(context, error);
  const limit = pLimit(parallel);
  const members = await Promise.all(targets.map((target) => limit(() => readServiceClusters([target], onFailure))));
  const read = await readConfiguredServices(members.flat(), {}, onFailure, limit);
  flow.signal.throwIfAborted();
  return read;
}
