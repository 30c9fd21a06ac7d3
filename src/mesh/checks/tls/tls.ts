import { runsKvstoremesh } from '../../apiserver/deployment.ts';
import { serviceEndpoints } from '../../apiserver/endpoints.ts';
import { apiserverDeployment } from '../../apiserver/live.ts';
import { hasLostSigner, issuesElsewhere } from '../../certificates/authority.ts';
import { renewAuthorityFirst } from '../../certificates/authority-time.ts';
import { completeBundle, saysLacking } from '../../certificates/ca-bundle.ts';
import type { CertificateFacts, TlsSecretFacts } from '../../certificates/certificate.ts';
import { saysAuthorityLack, saysKeyLack } from '../../certificates/certificate-lacks.ts';
import { certificateSpecs, endOf, endsSoon, validityFault } from '../../certificates/cluster-certificates.ts';
import { isForeignAuthority, waysToAgree, waysToSign } from '../../certificates/foreign-authority.ts';
import { reissueAdvice } from '../../certificates/reissue.ts';
import { lackingBundle, trusts } from '../../certificates/trust.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { certificatesNamed } from '../../faults/dial-faults.ts';
import { strangeToServer } from '../../faults/server-issuer.ts';
import { keyOf } from '../../objects/kube-object.ts';
import { REMOTE_CERT_SECRET, secretRef } from '../../objects/names.ts';
import { knownAs } from '../../peers/concerned-peers.ts';
import { withoutNamesakes } from '../../peers/namesakes.ts';
import { IDENTITY_OF_CLUSTERS } from '../identity.ts';
import { type Finding, listed } from '../shared/check.ts';
import { findingOf, type MeshCheck } from '../shared/mesh-input.ts';
import { NAMES_CHECK } from './tls-names.ts';

function renew(
  cluster: ClusterSnapshot,
  secrets: [string, ...string[]],
  { now, all }: { now: Date; all: readonly ClusterSnapshot[] },
): string {
  const others = withoutNamesakes(cluster, all);
  const facts = cluster.tlsSecrets.get(secrets[0]);
  const first = renewAuthorityFirst(cluster, facts, now, others);
  if (first) return first;
  const ways = waysToAgree(cluster, others);
  if (ways) return ways;
  if (hasLostSigner(cluster) && !secrets.every((name) => issuesElsewhere(cluster, name))) {
    return `no CA can issue it: ${waysToSign(cluster, others)}`;
  }
  return reissueAdvice(cluster, secrets);
}

/** The certificates that each cluster's clustermesh-apiserver needs, with what is there. */
function certificatesOf(cluster: ClusterSnapshot) {
  const deployment = apiserverDeployment(cluster);
  if (!deployment) return [];
  return certificateSpecs({
    // Those of a cluster that is to have another name go with the one that it runs with, as long as it does.
    clusterName: knownAs(cluster),
    namespace: cluster.namespace,
    serviceAddresses: serviceEndpoints(cluster)?.hosts ?? [],
    kvstoremesh: runsKvstoremesh(deployment) ?? false,
    tlsSecrets: cluster.tlsSecrets,
  }).map(({ secret, spec }) => ({ secret, spec, facts: cluster.tlsSecrets.get(secret) }));
}

/**
 * Whether anything goes by a certificate: of all that the clustermesh-apiserver needs, only the one for peers of the same CA may be
 * there for nothing, as where each peer has a certificate of its own. What is wrong with that one breaks nothing.
 */
function isUsed(cluster: ClusterSnapshot, secret: string): boolean {
  return secret !== REMOTE_CERT_SECRET || certificatesNamed(cluster).has(secret);
}

/** Whether a Secret of Cilium's namespace may not be read. */
export function isSecretUnread({ unread, namespace }: ClusterSnapshot, secret: string): boolean {
  return unread?.has(keyOf(secretRef(namespace, secret))) ?? false;
}

/** Of certificates that are to be judged those that are not to be had, as what is unseen of a cluster. */
function notSeen(cluster: ClusterSnapshot, secrets: readonly string[]): string[] {
  const unread = secrets.filter((secret) => isSecretUnread(cluster, secret));
  const lost = secrets.filter((secret) => !unread.includes(secret));
  return [
    ...(unread.length > 0 ? [`Secret ${unread.join(', ')} may not be read`] : []),
    ...(lost.length > 0 ? [`there is no readable certificate in Secret ${lost.join(', ')}`] : []),
  ];
}

/** A check of each certificate by itself. */
function perCertificate(
  id: string,
  title: string,
  judge: (
    one: ReturnType<typeof certificatesOf>[number] & { facts: TlsSecretFacts },
    cluster: ClusterSnapshot,
    now: Date,
  ) => { severity: 'warn' | 'fail'; reason: string; hint?: string } | undefined,
  { saidBy }: { saidBy?: readonly string[] } = {},
): MeshCheck {
  return {
    id,
    category: 'tls',
    title,
    // Those that are there are judged without those that tls-present misses.
    needs: ['apiserver-deployed'],
    saidBy,
    subject: (cluster) => {
      const judged = certificatesOf(cluster);
      const lacking = judged.filter(({ secret, facts }) => !facts && isUsed(cluster, secret));
      return {
        things: judged.flatMap(({ secret, facts }) => (facts ? [secret] : [])),
        otherwise: 'there is no certificate that can be read',
        isBlind: lacking.some(({ secret }) => isSecretUnread(cluster, secret)),
        unseen: notSeen(
          cluster,
          lacking.map(({ secret }) => secret),
        ),
      };
    },
    run: ({ clusters, now }, all) =>
      clusters.flatMap((cluster) =>
        certificatesOf(cluster).flatMap(({ facts, ...one }): Finding[] => {
          const found = facts && judge({ ...one, facts }, cluster, now);
          if (!found) return [];
          const { context } = cluster;
          const { reason, hint = renew(cluster, [one.secret], { now, all }) } = found;
          const severity = isUsed(cluster, one.secret) ? found.severity : 'warn';
          return [findingOf(id, severity, context, { secret: one.secret, reason }, hint)];
        }),
      ),
    says: ({ args }) => `context "${args.context}": Secret ${args.secret}: ${args.reason}`,
  };
}

/** The certificates of each cluster by themselves. */
export const TLS_CHECKS: readonly MeshCheck[] = [
  {
    id: 'tls-present',
    category: 'tls',
    title: 'all certificates exist and can be read',
    needs: ['apiserver-deployed'],
    subject: (cluster) => {
      const secrets = certificatesOf(cluster).map(({ secret }) => secret);
      return {
        things: secrets.filter((secret) => !isSecretUnread(cluster, secret)),
        otherwise:
          secrets.length > 0 ? 'they may not be read' : 'there is no clustermesh-apiserver that needs certificates',
        isBlind: secrets.some((secret) => isSecretUnread(cluster, secret)),
        unseen: notSeen(
          cluster,
          secrets.filter((secret) => isSecretUnread(cluster, secret)),
        ),
      };
    },
    run: ({ clusters, now }, all) =>
      clusters.flatMap((cluster) => {
        const { context } = cluster;
        const lacking = certificatesOf(cluster).flatMap(({ secret, facts }) =>
          facts || isSecretUnread(cluster, secret) ? [] : [secret],
        );
        return [true, false].flatMap((used): Finding[] => {
          const secrets = lacking.filter((secret) => isUsed(cluster, secret) === used);
          const [first, ...more] = secrets;
          if (first === undefined) return [];
          const hint = renew(cluster, [first, ...more], { now, all });
          const args = used ? { secrets } : { secrets, unused: true };
          return [findingOf('tls-present', used ? 'fail' : 'warn', context, args, hint)];
        });
      }),
    says: ({ args }) =>
      `context "${args.context}": no readable certificate in Secret ${listed(args.secrets)}${args.unused ? ', which nothing dials with now' : ''}`,
  },
  perCertificate('tls-chain', 'certificates are signed by the CA of their cluster', ({ facts, secret }, cluster) => {
    const { ca } = cluster;
    const lacking = lackingBundle(facts);
    if (lacking) return { severity: 'fail', reason: saysLacking(lacking), hint: completeBundle(lacking, cluster) };
    if (!facts.bundle && !facts.signedByCa) {
      const reason = saysAuthorityLack(facts) ?? 'it is not signed by the CA certificate stored with it';
      return { severity: 'fail', reason };
    }
    // While a CA is being replaced, both are trusted, and certificates of both are good. One that signed none is told once; that
    // of an issuer of cert-manager's is wherever that is, and Secret cilium-ca may be there for Hubble alone.
    const isJudged = !issuesElsewhere(cluster, secret) && !isForeignAuthority(cluster);
    if (ca && isJudged && !trusts(facts, ca.certificate)) {
      return { severity: 'fail', reason: 'it is from a different CA than the one in Secret cilium-ca' };
    }
    const reason = strangeToServer(cluster, secret);
    return reason === undefined ? undefined : { severity: 'fail', reason };
  }),
  perCertificate('tls-key', 'private keys belong to their certificates', ({ facts }) =>
    facts.keyMatches ? undefined : { severity: 'fail', reason: saysKeyLack(facts, 'the private key') },
  ),
  perCertificate(
    'tls-usage',
    'certificates allow the usage they are needed for',
    ({ facts, spec }) => {
      const missing = spec.usages.filter((usage) => !facts.certificate.usages.includes(usage));
      if (missing.length > 0) return { severity: 'fail', reason: `it is not for ${missing.join(' and ')} use` };
      const { commonName } = facts.certificate;
      // etcd takes the user from it; a server may be named as it likes.
      if (spec.usages.includes('server') || commonName === spec.commonName) return undefined;
      return { severity: 'fail', reason: `it is for the user "${commonName}", not "${spec.commonName}"` };
    },
    { saidBy: IDENTITY_OF_CLUSTERS },
  ),
  NAMES_CHECK,
  perCertificate(
    'tls-expiry',
    'certificates have at least 30 days, or a third of their lifetime, left',
    ({ facts }, _cluster, now) => expiry(facts.certificate, now),
  ),
];

/** What is wrong with a certificate's time. */
export function expiry(
  certificate: CertificateFacts,
  now: Date,
): { severity: 'warn' | 'fail'; reason: string } | undefined {
  const invalid = validityFault(certificate, now);
  if (invalid) return { severity: 'fail', reason: `it ${invalid}` };
  // Before that, what is meant to renew it would not.
  if (!endsSoon(certificate, now)) return undefined;
  return { severity: 'warn', reason: `it expires on ${endOf(certificate)}` };
}
