import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, meshctlCommand } from '../command-line.ts';
import { clusterKnownAs, concernedPeers, contextOfPeer, knownAs } from '../peers/concerned-peers.ts';
import { withoutNamesakes } from '../peers/namesakes.ts';
import { peersOfOthers } from '../peers/peer-choices.ts';
import { forOtherOwners } from '../peers/peers-of-others.ts';
import { endWithCa, isWithinAuthority } from '../rotation/lifetime.ts';
import { replaceInBundle } from './ca-bundle.ts';
import type { TlsSecretFacts } from './certificate.ts';
import { endsSoon, validityFault } from './cluster-certificates.ts';
import { isSameKey } from './trust.ts';

/**
 * Why a CA signs nothing of use now, as the end of a sentence about its Secret: whoever verifies refuses what is from it, once it has
 * expired, and before it is valid, which to Go is the same (crypto/x509, `isValid`, which asks the root of a chain as well).
 * Undefined while it is valid, and where no CA was read.
 */
export function expiredAuthority({ ca }: Pick<ClusterSnapshot, 'ca'>, now: Date): string | undefined {
  const invalid = ca && validityFault(ca.certificate, now);
  return invalid && `has a CA that ${invalid}`;
}

/** The command by which clusters get other CAs, each its own, whoever is connected to them. */
export function replaceAuthorityCommand(context: readonly string[]): string {
  return meshctlCommand('clustermesh enable', { context }, ['--replace-ca']);
}

/**
 * How a cluster comes by another CA while its own is not valid, and its peers by certificates of that one, as the end of a sentence
 * that ends with its commands, if there are any. No rotation helps then: it keeps connections, and there are none to keep.
 * @param others other clusters, as far as they were read
 */
export function replaceExpired(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[] = []): string {
  const { context, caBundle } = snapshot;
  if (caBundle) return replaceInBundle(caBundle);
  const peers = contextsOfPeers(snapshot, others);
  const again = peers.length > 0 ? [connectCommand(context, peers)] : [];
  const ways = [replaceAuthorityCommand([context]), ...again].join(' && ');
  return forOtherOwners(`replace the CA, which is not valid now: ${ways}`, context, peersOfOthers(snapshot));
}

/**
 * How a CA is replaced while it is valid, as a command for all clusters that have to take part, or as the end of a sentence.
 * @param flags what of new certificates is to be otherwise than now
 */
export function rotateAuthority(
  snapshot: ClusterSnapshot,
  others: readonly ClusterSnapshot[] = [],
  flags: readonly string[] = [],
): string {
  const { context, caBundle } = snapshot;
  if (caBundle) return replaceInBundle(caBundle);
  const together = [...new Set([context, ...contextsOfAll(snapshot, others)])];
  const rotate = meshctlCommand('clustermesh certs rotate', { context: together }, ['--ca', ...flags]);
  return forOtherOwners(rotate, context, peersOfOthers(snapshot));
}

/** Of its peers and theirs, as far as they were read: each CA that is replaced needs all who hold certificates of it. */
function contextsOfAll(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): string[] {
  const mesh = withoutNamesakes(snapshot, others);
  const all = new Set(concernedPeers(snapshot, mesh));
  for (const peer of all) {
    const one = clusterKnownAs(peer, mesh);
    const rest = one ? [snapshot, ...mesh.filter((other) => other !== one)] : [];
    for (const further of one ? concernedPeers(one, rest) : []) if (further !== knownAs(snapshot)) all.add(further);
  }
  return [...all].map((peer) => contextOfPeer(peer, mesh));
}

/**
 * That new certificates end with their CA, and not after the validity that was asked for; of what nobody asked for, only where the CA
 * ends soon: what renews certificates on a schedule gives them less time each time then. A clause, with what makes it otherwise.
 * @param flags of what was asked for, for its command
 * @param others other clusters, as far as they were read
 */
export function endingWithAuthority(
  snapshot: ClusterSnapshot,
  { asked, flags, now }: { asked: number | undefined; flags: readonly string[]; now: Date },
  others: readonly ClusterSnapshot[] = [],
): string | undefined {
  const ca = snapshot.ca?.certificate;
  const end = endWithCa(asked, ca, now);
  if (!ca || !end || (asked === undefined && !endsSoon(ca, now))) return undefined;
  const says = `no certificate outlives its CA, which ends on ${end.toISOString().slice(0, 10)}`;
  const isPossible = asked === undefined || isWithinAuthority(asked);
  return isPossible ? `${says} → ${rotateAuthority(snapshot, others, flags)}` : says;
}

/** Of those that were not read, what stands for a context that only the operator knows. */
function contextsOfPeers(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): string[] {
  const mesh = withoutNamesakes(snapshot, others);
  return concernedPeers(snapshot, mesh).map((peer) => contextOfPeer(peer, mesh));
}

/**
 * What renews a certificate that ends with the CA of its cluster, where that CA is what has to be renewed first: from it, enable
 * would issue one that ends no later. As the end of a sentence that ends with its command.
 * @param others other clusters, as far as they were read
 * @returns undefined where a new certificate of the present CA helps
 */
export function renewAuthorityFirst(
  snapshot: ClusterSnapshot,
  facts: Pick<TlsSecretFacts, 'ca' | 'certificate'> | undefined,
  now: Date,
  others: readonly ClusterSnapshot[] = [],
): string | undefined {
  const present = snapshot.ca?.certificate;
  if (!present || !facts?.ca || !isSameKey(present, facts.ca)) return undefined;
  if (expiredAuthority(snapshot, now)) return replaceExpired(snapshot, others);
  if (facts.certificate.endsWith === undefined || !endsSoon(present, now)) return undefined;
  return snapshot.caBundle
    ? replaceInBundle(snapshot.caBundle)
    : `replace the CA: ${rotateAuthority(snapshot, others)}`;
}
