import type { CertificateFacts } from '../../certificates/certificate.ts';
import { isSameKey, issuerOf, trustedBy } from '../../certificates/trust.ts';
import type { CiliumInstall } from '../../cilium/install.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { connectCommand, unnamedContext } from '../../command-line.ts';
import { REMOTE_CERT_SECRET, SERVER_CERT_SECRET } from '../../objects/names.ts';
import { clusterKnownAs } from '../../peers/concerned-peers.ts';
import { peersOfOthers } from '../../peers/peer-choices.ts';
import { mendsForOtherOwners } from '../../peers/peers-of-others.ts';
import type { PeerEffect } from '../../plan/peer-effects.ts';
import { issuingMethod } from './chart-issuing.ts';
import { peersRewritten } from './peers.ts';
import { isKeptByRelease, type ReleasePeer } from './release-peers.ts';

/** The CAs of either side, as far as they are known. */
interface Sides {
  /** That of the certificate by which this cluster logs in, and those by which the peer's etcd goes. */
  issuer: CertificateFacts | undefined;
  accepted: readonly CertificateFacts[];
  /** Whether the peer was read: of one that was not, what is accepted now is not all. */
  isRead: boolean;
  /** Those of which the peer's server certificate may be, and those by which this cluster knows a server. */
  issuers: readonly CertificateFacts[];
  trusted: readonly CertificateFacts[];
}

/**
 * What becomes of peers with a certificate of their own where the chart makes the peering files: the values have no key, so their
 * files name the certificate for all peers (`clustermesh-config-generate-etcd-cfg` in the chart's _helpers.tpl). Those whose CA is
 * this cluster's too are none the worse for it.
 * @param others other clusters, as far as they were read
 * @param release peers whose certificates are handed to Helm again: those that have them now keep them
 */
export function replacedCredentials(
  snapshot: ClusterSnapshot,
  install: CiliumInstall,
  others: readonly ClusterSnapshot[],
  release: readonly ReleasePeer[] = [],
): PeerEffect[] {
  const rewritten = peersRewritten(snapshot, install).filter((peer) => !isKeptByRelease(snapshot, peer, release));
  const effects = rewritten.flatMap((peer): PeerEffect[] => {
    if (release.some(({ name }) => name === peer)) return [ofRelease(snapshot, peer, others)];
    const other = clusterKnownAs(peer, others);
    const sides = sidesOf(snapshot, peer, other);
    const [accepts, trusts] = [isAccepted(sides), isTrusted(sides)];
    if (accepts && trusts) return [];
    const isCut = accepts === false || trusts === false;
    const clause = isCut ? 'by which the two do not know each other' : 'by which the two may not know each other';
    return [
      {
        cluster: snapshot.context,
        peer,
        becomes: isCut ? 'cut' : 'unknown',
        why: `the chart gives its peering file the certificate for all peers instead of that for ${peer} alone, ${clause}`,
        mend: connectCommand(snapshot.context, other?.context ?? unnamedContext(peer)),
      },
    ];
  });
  return mendsForOtherOwners(effects, peersOfOthers(snapshot));
}

/** The release's own values have a certificate for the peer, and another one lies beside its peering file by now. */
function ofRelease(snapshot: ClusterSnapshot, peer: string, others: readonly ClusterSnapshot[]): PeerEffect {
  const other = clusterKnownAs(peer, others);
  return {
    cluster: snapshot.context,
    peer,
    becomes: 'unknown',
    why: `the release's own values have another certificate for ${peer} than it is dialled with, which Helm writes again`,
    mend: connectCommand(snapshot.context, other?.context ?? unnamedContext(peer)),
  };
}

function sidesOf(snapshot: ClusterSnapshot, peer: string, other: ClusterSnapshot | undefined): Sides {
  const common = snapshot.tlsSecrets.get(REMOTE_CERT_SECRET);
  const own = snapshot.peerCertificates.get(peer);
  const server = other?.tlsSecrets.get(SERVER_CERT_SECRET);
  // Helm issues at each upgrade, from this CA; others leave what is there.
  const issuing = issuingMethod(snapshot) === 'helm' ? snapshot.ca?.certificate : undefined;
  const [ofCommon, ofOwn, ofServer] = [common, own, server].map((one) => one && issuerOf(one));
  const trusted = issuing && !common?.bundle ? [issuing] : common ? trustedBy(common) : [];
  return {
    issuer: issuing ?? ofCommon,
    accepted: server ? trustedBy(server) : ofOwn ? [ofOwn] : [],
    isRead: server !== undefined,
    issuers: ofServer ? [ofServer] : own ? trustedBy(own) : [],
    trusted,
  };
}

/** Whether the peer would let this cluster in; undefined where nothing tells. */
function isAccepted({ issuer, accepted, isRead }: Sides): boolean | undefined {
  if (!issuer || accepted.length === 0) return undefined;
  return accepted.some((one) => isSameKey(one, issuer)) || (isRead ? false : undefined);
}

/** Whether this cluster would know the peer's server; undefined where nothing tells. */
function isTrusted({ issuers, trusted }: Sides): boolean | undefined {
  if (issuers.length === 0 || trusted.length === 0) return undefined;
  const answers = new Set(issuers.map((issuer) => trusted.some((one) => isSameKey(one, issuer))));
  return answers.size === 1 ? answers.has(true) : undefined;
}
