import { isAddressOf } from '../apiserver/own-addresses.ts';
import { isSameKey, trustedBy, trusts } from '../certificates/trust.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshHostname, SERVER_CERT_SECRET } from '../objects/names.ts';
import { groupBy } from '../pairs.ts';
import { rememberedOf } from '../remembered.ts';
import { concernedPeers, holdOn, knownAs, mayBeOfMesh, namesOf } from './concerned-peers.ts';
import { dialledAddresses } from './file/dialled-addresses.ts';
import { choicesFor } from './peer-choices.ts';
import { configuredPeers, dialingFile } from './peers.ts';

/**
 * Whether two clusters are connected with each other, and not each with a namesake of the other: names are given in each mesh
 * anew, so a kubeconfig that leads to two meshes may have every name twice.
 * @returns undefined where neither has anything of the other by which that could be told
 */
export function arePeers(one: ClusterSnapshot, other: ClusterSnapshot): boolean | undefined {
  const ways = [leadsTo(one, other), leadsTo(other, one)];
  if (ways.includes(true)) return true;
  return ways.includes(false) ? false : undefined;
}

/**
 * All clusters that a cluster dials or lets in, by name, and those that dial it or let it in, also where it has forgotten them, as a
 * disconnect that was interrupted leaves it, or they leave no trace with it: one that logs in with a certificate that several share.
 * Namesakes of another mesh are none of them.
 * @param others that were read, perhaps with the cluster itself
 */
export function peersAmong(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): string[] {
  const possible = others.filter((other) => other !== snapshot && arePeers(other, snapshot) !== false);
  // A user alone leads nowhere by which namesakes could be told apart: it may be that of another one of the name.
  const lettingIn = possible.filter(
    (other) => holdOn(other, snapshot) === 'lets-in' && !isPeersNamesake(other, snapshot, others),
  );
  return [...new Set([...concernedPeers(snapshot, possible), ...lettingIn.map(knownAs)])].sort();
}

/**
 * The other clusters that may be the peers of this one by their names: without those of another mesh whose clusters have the same
 * names. A cluster that only is not what the files say stays, as long as no other one is: it has moved, or has another CA by now.
 * @param all that were read, perhaps with the cluster itself
 */
export function withoutNamesakes(snapshot: ClusterSnapshot, all: readonly ClusterSnapshot[]): ClusterSnapshot[] {
  const others = all.filter((other) => other !== snapshot);
  const alike = groupBy(others, knownAs);
  const doubles = alike.get(knownAs(snapshot)) ?? [];
  return others.filter((other) => {
    const rivals = (alike.get(knownAs(other)) ?? []).filter((rival) => rival !== other);
    // Hardly any name is there twice.
    if (rivals.length + doubles.length === 0) return true;
    if (rivals.length > 0 && dialledInstead(snapshot, knownAs(other), other, rivals)) return false;
    const is = arePeers(snapshot, other);
    if (is !== undefined && (is || rivals.length > 0)) return is;
    return (
      !rivals.some((rival) => arePeers(snapshot, rival)) &&
      !doubles.some((double) => double !== other && arePeers(double, other))
    );
  });
}

/**
 * Whether what a cluster dials by the name of this one leads there: by an address that it has, else by the CA that is trusted.
 * Networks that are apart may have the same addresses: one with a CA that is not trusted tells nothing.
 */
function leadsTo(client: ClusterSnapshot, server: ClusterSnapshot): boolean | undefined {
  const name = nameDialled(client, server);
  if (name === undefined) return undefined;
  const isAt = isDialledAt(client, name, server);
  const trusted = trustsItsCa(client, name, server);
  if (isAt) return trusted === false ? undefined : true;
  // A file that another tool wrote may have an address that only it knows: then the CA alone tells. Meshes may share one.
  return trusted && isAt === false ? undefined : trusted;
}

/**
 * The name by which a cluster dials another one: of the one that it runs with and the one that it is to have next, that which leads
 * there. The next one may be that of another peer, so that it is the last to be thought of.
 */
function nameDialled(client: ClusterSnapshot, server: ClusterSnapshot): string | undefined {
  const dialled = namesOf(server)
    .filter((one) => dialingFile(client, one) !== undefined)
    .reverse();
  return dialled.find((one) => isDialledAt(client, one, server)) ?? dialled[0];
}

/** Whether a cluster trusts, for a peer of this name, the CA of another one; undefined where one of the two is not known. */
function trustsItsCa(client: ClusterSnapshot, peer: string, server: ClusterSnapshot): boolean | undefined {
  const files = client.peerCertificates.get(peer);
  const ca = server.tlsSecrets.get(SERVER_CERT_SECRET)?.ca ?? server.ca?.certificate;
  return !files || !ca || trustedBy(files).length === 0 ? undefined : trusts(files, ca);
}

/**
 * Whether the peer of this one's name that a cluster has is another cluster: what is done to the peer by its name, on both sides,
 * would be done to two clusters that have no part in it.
 * @param all that were read: one of them may be the peer, which tells where addresses and CAs do not
 */
export function isPeersNamesake(
  knower: ClusterSnapshot,
  other: ClusterSnapshot,
  all: readonly ClusterSnapshot[],
): boolean {
  if (dialsAnother(knower, knownAs(other), other, all)) return true;
  return !withoutNamesakes(knower, [...new Set([...all, other])]).includes(other);
}

/**
 * Whether nothing but its name says that a cluster is the peer that another one knows: nothing is there that could be dialled, or
 * that ever was, and it knows nobody. It may have left the mesh, or never have been in it. Of what may not be read the best is thought.
 */
export function isPeerByNameAlone(knower: ClusterSnapshot, other: ClusterSnapshot): boolean {
  return !mayBeOfMesh(other) && arePeers(knower, other) === undefined;
}

/** Whether a cluster has the name of a peer and is another one, or may be, as nothing tells that it is the peer. */
export function mayBeAnother(
  knower: ClusterSnapshot,
  other: ClusterSnapshot,
  all: readonly ClusterSnapshot[],
): boolean {
  return isPeersNamesake(knower, other, all) || isPeerByNameAlone(knower, other);
}

/** That of contexts nothing but the name tells that they lead to a peer, as a clause. @param knowers the contexts of those that know it */
export function maybeNamesakes(contexts: readonly string[], peer: string, knowers: readonly string[]): string {
  const lead = contexts.length === 1 ? 'context' : 'contexts';
  const which = `${lead} ${quoted(contexts)} ${contexts.length === 1 ? 'leads' : 'lead'}`;
  return `nothing but the name tells that ${which} to the "${peer}" that context ${quoted(knowers)} dials or lets in: nothing of Cluster Mesh is there`;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}

/** That contexts lead to namesakes of a peer, as a clause. @param knowers the contexts of those that know the peer */
export function leadToNamesakes(contexts: readonly string[], peer: string, knowers: readonly string[]): string {
  const [which, lead] =
    contexts.length === 1 ? ['context', 'leads to another cluster'] : ['contexts', 'lead to other clusters'];
  return `${which} ${quoted(contexts)} ${lead} of the name "${peer}" than context ${quoted(knowers)} dials or lets in`;
}

/** Whether it takes more than addresses to tell that a cluster is the peer that another one dials by its name, and not a namesake. */
export function isDoubtfulPeer(client: ClusterSnapshot, server: ClusterSnapshot): boolean {
  const name = nameDialled(client, server);
  return name !== undefined && isDialledAt(client, name, server) !== true;
}

/** Whether a cluster dials this one's name at an address that this one has not, which nobody chose: then it may be another one. */
export function isDialledElsewhere(client: ClusterSnapshot, server: ClusterSnapshot): boolean {
  const name = nameDialled(client, server);
  return name !== undefined && isDialledAt(client, name, server) === false;
}

/**
 * Whether what a cluster dials by a name is for certain not this cluster of that name: it has another address and another CA. One
 * of both alone may be new, as of a Service that was made anew; but not where the address is that of another cluster of the name, of
 * which this one is a copy, say, as a restored backup is.
 * @param all that were read: one of them may be who is dialled
 */
export function dialsAnother(
  client: ClusterSnapshot,
  peer: string,
  server: ClusterSnapshot,
  all: readonly ClusterSnapshot[] = [],
): boolean {
  if (dialledInstead(client, peer, server, all)) return true;
  return isDialledAt(client, peer, server) === false && trustsItsCa(client, peer, server) === false;
}

/**
 * The cluster that another one dials by a name in place of this one of that name: what it dials is an address of that one, and none of
 * this one. Undefined where none of those that were read is it.
 * @param all that were read
 */
export function dialledInstead(
  client: ClusterSnapshot,
  peer: string,
  server: ClusterSnapshot,
  all: readonly ClusterSnapshot[],
): ClusterSnapshot | undefined {
  const rivals = (byEachName(all).get(peer) ?? []).filter((one) => one !== server && one !== client);
  // Hardly any name is there twice.
  if (rivals.length === 0 || isDialledAt(client, peer, server) === true) return undefined;
  return rivals.find((one) => isDialledAt(client, peer, one) && trustsItsCa(client, peer, one) !== false);
}

/** The clusters that were read, by each of their names: of each two of them it is asked who else has the name of one. */
const byEachName = rememberedOf((all: readonly ClusterSnapshot[]) => {
  const named = all.flatMap((one) => namesOf(one).map((name) => ({ name, one })));
  return new Map([...groupBy(named, ({ name }) => name)].map(([name, own]) => [name, own.map(({ one }) => one)]));
});

/** Whoever compares each cluster with every other one asks it as often. */
const namesDialled = rememberedOf((client: ClusterSnapshot) => new Set(configuredPeers(client)));

/** Whether a cluster is configured to dial this one, and not for certain another one of its name. */
export function dialsThis(client: ClusterSnapshot, server: ClusterSnapshot): boolean {
  const name = knownAs(server);
  return namesDialled(client).has(name) && !dialsAnother(client, name, server);
}

/**
 * Whether a cluster dials a namesake of this one, of which no CA was read: at an address that it has not, which another one of the name
 * has, or trusting none of the CAs that those trust who dial it.
 * @param diallers clusters that may dial it, by the address, or are dialled in its place
 */
export function dialsNamesake(
  client: ClusterSnapshot,
  server: ClusterSnapshot,
  diallers: readonly ClusterSnapshot[],
): boolean {
  const casOf = (cluster: ClusterSnapshot) =>
    namesOf(server).flatMap((name) => {
      const files = cluster.peerCertificates.get(name);
      return files ? trustedBy(files) : [];
    });
  const isAt = (cluster: ClusterSnapshot) =>
    namesOf(server)
      .map((name) => isDialledAt(cluster, name, server))
      .find((one) => one !== undefined);
  // Hardly anybody does: the others are looked at for those alone.
  if (namesOf(server).some((name) => dialledInstead(client, name, server, diallers))) return true;
  if (isAt(client) !== false) return false;
  const known = diallers.filter((one) => isAt(one)).flatMap(casOf);
  const trusted = casOf(client);
  const isStranger = !trusted.some((ca) => known.some((one) => isSameKey(one, ca)));
  return known.length > 0 && trusted.length > 0 && isStranger;
}

/**
 * Whether an address at which a cluster dials a peer is one of another cluster: of its Service, or of a node at the Service's node port.
 * @returns undefined where that does not tell: an address that was chosen need not be one of the Service's, nor one that only the
 * pods know
 */
export function isDialledAt(client: ClusterSnapshot, peer: string, server: ClusterSnapshot): boolean | undefined {
  const dialled = dialledAddresses(client, peer);
  const are = dialled.map((address) => isAddressOf(server, address));
  if (are.includes(true)) return true;
  if (dialled.length === 0 || are.includes(undefined)) return undefined;
  const isChosen = choicesFor(client, peer).endpoints !== undefined;
  return isChosen || dialled.some((address) => address.startsWith(`${meshHostname(peer)}:`)) ? undefined : false;
}

/** Clusters that have a peer's name, told apart. */
export interface NamedAlike<T> {
  /** The peer; absent where none of them is, or may be. */
  peer?: T | undefined;
  /** More than one may be it. */
  several: readonly T[];
  /** They have its name, and are not it. */
  namesakes: readonly T[];
  /** They have its name, and nothing else that tells. */
  doubtful: readonly T[];
}

/**
 * Which of the clusters of a name is the peer of those that know it. Where nothing tells, the only one of the name is, if it could be.
 * @param knowers clusters that dial it or let it in
 */
export function tellApart<T extends { snapshot: ClusterSnapshot }>(
  candidates: readonly T[],
  knowers: readonly ClusterSnapshot[],
): NamedAlike<T> {
  const all = candidates.map(({ snapshot }) => snapshot);
  const judged = candidates.map((candidate) => {
    const ways = knowers.map((knower) => {
      const isOther = dialledInstead(knower, knownAs(candidate.snapshot), candidate.snapshot, all) !== undefined;
      return isOther ? false : arePeers(knower, candidate.snapshot);
    });
    return { candidate, is: ways.includes(true) ? true : ways.includes(false) ? false : undefined };
  });
  const of = (is: boolean | undefined) => judged.filter((one) => one.is === is).map(({ candidate }) => candidate);
  const isDoubtful = ({ snapshot }: T) => knowers.every((knower) => isPeerByNameAlone(knower, snapshot));
  const untold = of(undefined);
  const doubtful = of(true).length > 0 || knowers.length === 0 ? [] : untold.filter(isDoubtful);
  const possible = of(true).length > 0 ? of(true) : untold.filter((candidate) => !doubtful.includes(candidate));
  const [peer, ...more] = possible;
  return {
    peer: more.length === 0 ? peer : undefined,
    several: more.length === 0 ? [] : possible,
    namesakes: candidates.filter((candidate) => !possible.includes(candidate) && !doubtful.includes(candidate)),
    doubtful,
  };
}
