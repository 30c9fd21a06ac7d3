import { runsKvstoremesh } from '../apiserver/deployment.ts';
import { serviceEndpoints } from '../apiserver/endpoints.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { hasLostSigner, issuesElsewhere } from '../certificates/authority.ts';
import { renewAuthorityFirst } from '../certificates/authority-time.ts';
import { completeBundle, saysLacking } from '../certificates/ca-bundle.ts';
import type { CertificateFacts, TlsSecretFacts } from '../certificates/certificate.ts';
import {
  certificateSpecs,
  coversHost,
  endOf,
  endsSoon,
  LOOPBACK,
  uncoveredHosts,
  validityFault,
} from '../certificates/cluster-certificates.ts';
import { isForeignAuthority, waysToAgree, waysToSign } from '../certificates/foreign-authority.ts';
import { reissueAdvice } from '../certificates/reissue.ts';
import { lackingBundle, trusts } from '../certificates/trust.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { keyOf } from '../objects/kube-object.ts';
import { SERVER_CERT_SECRET, secretRef } from '../objects/names.ts';
import { withoutNamesakes } from '../peers/namesakes.ts';
import { ownerOfData } from '../rotation/rotated-cluster.ts';
import { IDENTITY_OF_CLUSTERS } from './identity.ts';
import { type Finding, listed } from './shared/check.ts';
import { findingOf, type MeshCheck } from './shared/mesh-input.ts';

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
    clusterName: clusterNameOf(cluster),
    namespace: cluster.namespace,
    serviceAddresses: serviceEndpoints(cluster)?.hosts ?? [],
    kvstoremesh: runsKvstoremesh(deployment) ?? false,
    tlsSecrets: cluster.tlsSecrets,
  }).map(({ secret, spec }) => ({ secret, spec, facts: cluster.tlsSecrets.get(secret) }));
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
  { isJudged = () => true, saidBy }: { isJudged?: (secret: string) => boolean; saidBy?: readonly string[] } = {},
): MeshCheck {
  const judgedOf = (cluster: ClusterSnapshot) => certificatesOf(cluster).filter(({ secret }) => isJudged(secret));
  return {
    id,
    category: 'tls',
    title,
    needs: ['tls-present'],
    saidBy,
    subject: (cluster) => ({
      things: judgedOf(cluster).flatMap(({ secret, facts }) => (facts ? [secret] : [])),
      otherwise: 'there is no certificate that can be read',
    }),
    run: ({ clusters, now }, all) =>
      clusters.flatMap((cluster) =>
        judgedOf(cluster).flatMap(({ facts, ...one }): Finding[] => {
          const found = facts && judge({ ...one, facts }, cluster, now);
          if (!found) return [];
          const { context } = cluster;
          const { severity, reason, hint = renew(cluster, [one.secret], { now, all }) } = found;
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
    subject: (cluster) => ({
      things: certificatesOf(cluster).map(({ secret }) => secret),
      otherwise: 'there is no clustermesh-apiserver that needs certificates',
    }),
    run: ({ clusters, now }, all) =>
      clusters.flatMap((cluster) => {
        const secrets = certificatesOf(cluster).flatMap(({ secret, facts }) => (facts ? [] : [secret]));
        const { context } = cluster;
        const [first, ...more] = secrets;
        if (first === undefined) return [];
        return [findingOf('tls-present', 'fail', context, { secrets }, renew(cluster, [first, ...more], { now, all }))];
      }),
    says: ({ args }) => `context "${args.context}": no readable certificate in Secret ${listed(args.secrets)}`,
  },
  perCertificate('tls-chain', 'certificates are signed by the CA of their cluster', ({ facts, secret }, cluster) => {
    const { ca } = cluster;
    const lacking = lackingBundle(facts);
    if (lacking) return { severity: 'fail', reason: saysLacking(lacking), hint: completeBundle(lacking, cluster) };
    if (!facts.bundle && !facts.signedByCa)
      return { severity: 'fail', reason: 'it is not signed by the CA certificate stored with it' };
    // While a CA is being replaced, both are trusted, and certificates of both are good. One that signed none is told once; that
    // of an issuer of cert-manager's is wherever that is, and Secret cilium-ca may be there for Hubble alone.
    const isJudged = !issuesElsewhere(cluster, secret) && !isForeignAuthority(cluster);
    if (ca && isJudged && !trusts(facts, ca.certificate)) {
      return { severity: 'fail', reason: 'it is from a different CA than the one in Secret cilium-ca' };
    }
    return undefined;
  }),
  perCertificate('tls-key', 'private keys belong to their certificates', ({ facts }) =>
    facts.keyMatches ? undefined : { severity: 'fail', reason: 'the private key belongs to a different certificate' },
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
  perCertificate(
    'tls-names',
    'server certificates cover the addresses that peers dial',
    ({ facts, spec, secret }, cluster) => {
      const { objects, namespace } = cluster;
      const missing = uncoveredHosts(facts.certificate, spec).filter((host) => !LOOPBACK.includes(host));
      if (missing.length === 0) return undefined;
      // Peers can dial <cluster>.mesh.cilium.io instead where that is covered.
      const severity = coversHost(facts.certificate, '*.mesh.cilium.io') ? 'warn' : 'fail';
      const names = missing.join(', ');
      // enable leaves it to them which addresses theirs covers.
      const owner = ownerOfData(objects.get(keyOf(secretRef(namespace, secret))));
      const hint = owner && reissueAdvice(cluster, [secret], missing);
      return { severity, reason: `it does not cover ${names}`, ...(hint ? { hint } : {}) };
    },
    { isJudged: (secret) => secret === SERVER_CERT_SECRET },
  ),
  perCertificate(
    'tls-expiry',
    'certificates are valid for 30 days, or a third of their time, at least',
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
