import { apiserverDeployment } from '../../apiserver/live.ts';
import {
  authorityState,
  hasLostSigner,
  isIssuedElsewhere,
  isServedByCertManager,
  lostAuthority,
} from '../../certificates/authority.ts';
import { expiredAuthority, replaceExpired, rotateAuthority } from '../../certificates/authority-time.ts';
import { completeBundle } from '../../certificates/ca-bundle.ts';
import type { CertificateFacts, TlsSecretFacts, TrustBundle } from '../../certificates/certificate.ts';
import { CERTIFICATE_SECRETS } from '../../certificates/cluster-certificates.ts';
import { isForeignAuthority, SIGNED_NOTHING, waysToSign } from '../../certificates/foreign-authority.ts';
import { issuerOf, shortFingerprint, trusts } from '../../certificates/trust.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { mendsByConnecting, renewTrustCommand } from '../../connect/renew-trust.ts';
import { serveFaults } from '../../faults/serve-faults.ts';
import { servesFromElsewhere } from '../../faults/server-issuer.ts';
import { type KubeObject, keyOf } from '../../objects/kube-object.ts';
import { CA_SECRET, REMOTE_CERT_SECRET, SERVER_CERT_SECRET, secretRef } from '../../objects/names.ts';
import { dataOf } from '../../objects/secret-data.ts';
import { knownAs } from '../../peers/concerned-peers.ts';
import { withoutNamesakes } from '../../peers/namesakes.ts';
import { partedBy } from '../../peers/parted.ts';
import { loginCertificate } from '../../peers/peers.ts';
import { peersOutside } from '../../peers/peers-outside.ts';
import { withoutGoing } from '../../plan/going.ts';
import { unfinishedRotation, unfinishedRotations } from '../../rotation/unfinished-rotation.ts';
import type { Check, CheckInput, Finding, Subject } from '../shared/check.ts';
import { findingOf, type MeshCheck } from '../shared/mesh-input.ts';
import { peersNotCompared } from '../shared/subjects.ts';
import { expiry, isSecretUnread } from './tls.ts';

/** The id of the check that names a rotation of a CA that is in its middle. */
export const UNFINISHED_ROTATION = 'tls-rotation';

const NO_CA = 'there is no readable Secret cilium-ca';
/** Whatever Secret cilium-ca holds, as for Hubble. */
const ELSEWHERE = 'cert-manager issues its certificates, from a CA of its own';
const lackOfCa = (cluster: ClusterSnapshot) => (authorityState(cluster) === 'elsewhere' ? ELSEWHERE : NO_CA);
const theCa = (cluster: ClusterSnapshot): Subject => ({
  things: cluster.ca ? [CA_SECRET] : [],
  otherwise: lackOfCa(cluster),
  isBlind: mayNotSeeCa(cluster),
});
const mayNotSeeCa = (cluster: ClusterSnapshot) => isSecretUnread(cluster, CA_SECRET);

/** Whether certificates can be signed; enable needs it as well as a mesh that is up. */
export const CA_CHECKS: readonly Check[] = [
  {
    id: 'tls-ca',
    category: 'tls',
    title: 'the CA exists and can sign',
    subject: (cluster) => {
      const isElsewhere = authorityState(cluster) === 'elsewhere';
      const isThere = caSecretOf(cluster) || hasSigned(cluster) || hasLostSigner(cluster);
      return {
        things: isThere && !isElsewhere ? [CA_SECRET] : [],
        otherwise: isElsewhere ? ELSEWHERE : 'it has no CA yet, and nothing that one signed: enable makes one',
      };
    },
    run: (input, all) =>
      input.clusters.flatMap((cluster): Finding[] => {
        const { context } = cluster;
        const reason = isForeignAuthority(cluster) ? `Secret cilium-ca ${SIGNED_NOTHING}` : brokenCa(cluster);
        if (reason === undefined) return [];
        const ways = waysToSign(cluster, withoutNamesakes(cluster, all));
        return [findingOf('tls-ca', isCaSpared(cluster, input) ? 'warn' : 'fail', context, { reason }, ways)];
      }),
    says: ({ args }) => `context "${args.context}": ${args.reason}`,
  },
];

/** The CAs of a mesh that is up: their time, who trusts them, and whom they let in. */
export const TRUST_CHECKS: readonly MeshCheck[] = [
  {
    id: 'tls-ca-expiry',
    category: 'tls',
    title: 'CAs have at least 30 days, or a third of their lifetime, left',
    subject: theCa,
    run: ({ clusters, now }, all) =>
      clusters.flatMap((cluster): Finding[] => {
        const { context, ca } = cluster;
        const found = ca && expiry(ca.certificate, now);
        if (!found) return [];
        const hint = expiredAuthority(cluster, now) ? replaceExpired(cluster, all) : rotateAuthority(cluster, all);
        return [findingOf('tls-ca-expiry', found.severity, context, { reason: found.reason }, hint)];
      }),
    says: ({ args }) => `context "${args.context}": Secret cilium-ca: ${args.reason}`,
  },
  {
    id: 'tls-ca-trust',
    category: 'tls',
    title: 'clusters trust the CA of each of their peers',
    subject: (cluster, { clusters }) => {
      const things = trustsOf(cluster, clusters).map(({ peer }) => knownAs(peer));
      const unread = peersOutside(cluster, clusters);
      // Those that log in with a certificate of all clusters trust their own CA by it.
      const lacking = [...cluster.peerCertificates.keys()].filter((peer) => ![...things, ...unread].includes(peer));
      return {
        things,
        otherwise: "for no peer could both the CA trusted here and the peer's CA be read",
        isBlind: clusters.some(mayNotSeeCa),
        unseen: [
          ...peersNotCompared(unread.filter((peer) => cluster.peerCertificates.has(peer))),
          ...(lacking.length > 0
            ? [`the CA of ${lacking.join(', ')}, or the one trusted for it, could not be read`]
            : []),
        ],
      };
    },
    run: ({ clusters }, all) =>
      clusters.flatMap((cluster) =>
        trustsOf(cluster, all)
          .filter(({ held, actual }) => !trusts(held, actual))
          .map(({ peer, held: { bundle }, trusted, actual }) => {
            // Cilium's CAs are all called the same.
            const fingerprint =
              trusted.commonName === actual.commonName ? { fingerprint: shortFingerprint(trusted) } : {};
            const lacks = bundle ? { bundle: bundle.object } : { trusted: trusted.commonName, ...fingerprint };
            const renew = bundle ? mendBundled(bundle, cluster, peer) : renewTrustCommand(cluster.context, peer);
            const hint = partedBy(peer, cluster)?.mend ?? renew;
            return findingOf('tls-ca-trust', 'fail', cluster.context, { peer: knownAs(peer), ...lacks }, hint);
          }),
      ),
    says: ({ args: { context, peer, trusted, fingerprint, bundle } }) =>
      bundle === undefined
        ? `context "${context}": trusts a different CA ("${trusted}"${fingerprint === undefined ? '' : `, ${fingerprint}`}) for ${peer} than the one that ${peer} has now`
        : `context "${context}": the CA of ${peer} is missing in ${bundle}, by which its programs know peers`,
  },
  {
    id: UNFINISHED_ROTATION,
    category: 'tls',
    title: 'no rotation of a CA is unfinished',
    subject: rotatedCa,
    run: ({ clusters, others }, all) =>
      unfinishedRotations(all, others)
        .filter(({ context }) => clusters.some((cluster) => cluster.context === context))
        // A warning: what is in place works, also after a restart; only the former CA is not let go of.
        .map(({ context, phase, says, hint }) =>
          findingOf(UNFINISHED_ROTATION, 'warn', context, { phase, says }, hint),
        ),
    says: ({ args }) => `context "${args.context}": ${args.says}`,
  },
];

/** What is trusted besides the CA tells of a rotation, as long as it cannot be the CA of a peer. */
function rotatedCa(cluster: ClusterSnapshot, { clusters }: { clusters: readonly ClusterSnapshot[] }): Subject {
  if (!cluster.ca) return theCa(cluster);
  const isDoubtful = unfinishedRotation(cluster, clusters)?.isProven === false;
  return {
    things: isDoubtful || cluster.tlsSecrets.size === 0 ? [] : [CA_SECRET],
    otherwise: isDoubtful
      ? 'a different CA is trusted too, which may be that of a peer outside this check'
      : 'there is no certificate that can be read',
    isBlind: cluster.tlsSecrets.size === 0 && CERTIFICATE_SECRETS.some((name) => isSecretUnread(cluster, name)),
  };
}

/**
 * Whether a cluster as it stands goes on without what its CA would sign, after a restart too, as `status` says of the same: no
 * certificate by which anything goes has to be issued. Of one that is yet to be enabled or connected nothing is spared.
 */
function isCaSpared(cluster: ClusterSnapshot, { areStanding, now }: CheckInput): boolean {
  const isNeeded = () =>
    serveFaults(cluster, { now }).some(({ id, outage }) => outage && id.startsWith('certificate-'));
  return areStanding === true && apiserverDeployment(cluster) !== undefined && !isNeeded();
}

function caSecretOf({ objects, namespace }: ClusterSnapshot): KubeObject | undefined {
  return objects.get(keyOf(secretRef(namespace, CA_SECRET)));
}

/** Whether certificates are there that the cluster's CA must have signed. */
function hasSigned(cluster: ClusterSnapshot): boolean {
  return withoutGoing(cluster).tlsSecrets.size > 0 && !isIssuedElsewhere(cluster);
}

function brokenCa(cluster: ClusterSnapshot): string | undefined {
  const secret = caSecretOf(cluster);
  const { ca } = cluster;
  if (ca?.keyIsEmpty) return 'the private key in Secret cilium-ca is empty';
  if (ca?.hasKey && !ca.keyMatches) return 'the private key in Secret cilium-ca belongs to a different certificate';
  // A CA whose key is kept elsewhere is as good as one that is here: others sign.
  if (ca) return undefined;
  if (!secret)
    return `Secret cilium-ca is gone; a CA existed, as shown by ${lostAuthority(cluster)?.traces.join(', ')}`;
  const data = dataOf(secret);
  const holds = Boolean(data['ca.crt'] || data['tls.crt']);
  return holds ? 'the certificate in Secret cilium-ca cannot be read' : 'Secret cilium-ca holds no certificate';
}

/** The peers among the clusters whose CA is known from both sides. */
function trustsOf(cluster: ClusterSnapshot, all: readonly ClusterSnapshot[]) {
  return withoutNamesakes(cluster, all).flatMap((peer) => {
    const held = bundledTrust(cluster, peer) ?? cluster.peerCertificates.get(knownAs(peer));
    const actual = shownAuthority(peer);
    return held?.ca && actual ? [{ peer, held, trusted: held.ca, actual }] : [];
  });
}

/**
 * The CA by which a cluster is known: that of the certificate that its etcd shows. What is in Secret cilium-ca may have signed
 * nothing (a fault of that cluster, which to connect again does not mend), or be there for Hubble alone, where cert-manager issues;
 * of a server certificate that does not go with the cluster's others it is what tells.
 */
function shownAuthority(cluster: ClusterSnapshot): CertificateFacts | undefined {
  const server = cluster.tlsSecrets.get(SERVER_CERT_SECRET);
  const shown = server && !servesFromElsewhere(cluster) ? issuerOf(server) : undefined;
  return shown ?? (isServedByCertManager(cluster) ? undefined : cluster.ca?.certificate);
}

/**
 * What a cluster knows a peer by that has its CA in a bundle: it dials it with the certificate for all of its CA, or is dialled by it
 * with such a one. Undefined where no bundle is gone by, or may be read.
 */
function bundledTrust(cluster: ClusterSnapshot, peer: ClusterSnapshot): TlsSecretFacts | undefined {
  const own = dialsWithCommon(cluster, peer) ? cluster.tlsSecrets.get(REMOTE_CERT_SECRET) : undefined;
  const serving = dialsWithCommon(peer, cluster) ? cluster.tlsSecrets.get(SERVER_CERT_SECRET) : undefined;
  return [own, serving].find((facts) => facts?.bundle?.authorities !== undefined);
}

/** How a cluster comes to know a peer whose CA its bundle lacks. */
function mendBundled(bundle: TrustBundle, cluster: ClusterSnapshot, peer: ClusterSnapshot): string {
  const [client, server] = dialsWithCommon(cluster, peer) ? [cluster, peer] : [peer, cluster];
  const common = client.tlsFiles?.get(REMOTE_CERT_SECRET);
  return mendsByConnecting(common, common, server)
    ? renewTrustCommand(client.context, server)
    : completeBundle(bundle, cluster, peer);
}

function dialsWithCommon(cluster: ClusterSnapshot, peer: ClusterSnapshot): boolean {
  const common = cluster.tlsSecrets.get(REMOTE_CERT_SECRET)?.certificate;
  return common !== undefined && loginCertificate(cluster, knownAs(peer)) === common;
}
