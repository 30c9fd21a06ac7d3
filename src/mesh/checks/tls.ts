import { runsKvstoremesh } from '../apiserver-deployment.ts';
import { type CertificateFacts, type TlsSecretFacts, trusts } from '../certificates.ts';
import { certificateSpecs, RENEW_BEFORE_MS } from '../cluster-certificates.ts';
import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import { serviceEndpoints } from '../endpoints.ts';
import { clusterNameOf } from '../identity.ts';
import { keyOf } from '../kube-object.ts';
import { apiserverDeploymentRef, REMOTE_USERS_CONFIGMAP, SERVER_CERT_SECRET } from '../names.ts';
import { remoteUserName } from '../peer-config.ts';
import { configuredPeers } from '../peers.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { type Finding, listed } from './check.ts';
import { findingOf, type MeshCheck } from './mesh-input.ts';

const renew = (context: string) => `issue it anew: ${meshctlCommand('clustermesh enable', { context })}`;

/** The certificates that each cluster's clustermesh-apiserver needs, with what is there. */
function certificatesOf(cluster: ClusterSnapshot) {
  const deployment = cluster.objects.get(keyOf(apiserverDeploymentRef(cluster.namespace)));
  if (!deployment) return [];
  return certificateSpecs({
    clusterName: clusterNameOf(cluster),
    namespace: cluster.namespace,
    serviceAddresses: serviceEndpoints(cluster)?.hosts ?? [],
    kvstoremesh: runsKvstoremesh(deployment) ?? false,
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
  ) => { severity: 'warn' | 'fail'; reason: string } | undefined,
): MeshCheck {
  return {
    id,
    category: 'tls',
    title,
    needs: ['tls-present'],
    run: ({ clusters, now }) =>
      clusters.flatMap((cluster) =>
        certificatesOf(cluster).flatMap(({ facts, ...one }): Finding[] => {
          const found = facts && judge({ ...one, facts }, cluster, now);
          if (!found) return [];
          const { context } = cluster;
          return [findingOf(id, found.severity, context, { secret: one.secret, reason: found.reason }, renew(context))];
        }),
      ),
    says: ({ args }) => `context "${args.context}": Secret ${args.secret}: ${args.reason}`,
  };
}

/** Certificates: of each cluster by themselves, and the trust between clusters. */
export const TLS_CHECKS: readonly MeshCheck[] = [
  {
    id: 'tls-present',
    category: 'tls',
    title: 'all certificates are there and can be read',
    needs: ['apiserver-deployed'],
    run: ({ clusters }) =>
      clusters.flatMap((cluster) => {
        const secrets = certificatesOf(cluster).flatMap(({ secret, facts }) => (facts ? [] : [secret]));
        const { context } = cluster;
        return secrets.length > 0 ? [findingOf('tls-present', 'fail', context, { secrets }, renew(context))] : [];
      }),
    says: ({ args }) => `context "${args.context}": no readable certificate in Secret ${listed(args.secrets)}`,
  },
  perCertificate('tls-chain', 'certificates are signed by the CA of their cluster', ({ facts }, { ca }) => {
    if (!facts.signedByCa)
      return { severity: 'fail', reason: 'it is not signed by the CA certificate that is with it' };
    // While a CA is being replaced, both are trusted, and certificates of both are good.
    if (ca && !trusts(facts, ca.certificate)) {
      return { severity: 'fail', reason: 'it is from another CA than the one in Secret cilium-ca' };
    }
    return undefined;
  }),
  perCertificate('tls-key', 'private keys belong to their certificates', ({ facts }) =>
    facts.keyMatches ? undefined : { severity: 'fail', reason: 'the private key belongs to another certificate' },
  ),
  perCertificate('tls-usage', 'certificates are for the use that they are put to', ({ facts, spec }) => {
    const missing = spec.usages.filter((usage) => !facts.certificate.usages.includes(usage));
    if (missing.length > 0) return { severity: 'fail', reason: `it is not for ${missing.join(' and ')} use` };
    const { commonName } = facts.certificate;
    // etcd takes the user from it; a server may be named as it likes.
    if (spec.usages.includes('server') || commonName === spec.commonName) return undefined;
    return { severity: 'fail', reason: `it is for the user "${commonName}", not "${spec.commonName}"` };
  }),
  perCertificate('tls-names', 'server certificates cover the addresses that peers dial', ({ secret, facts, spec }) => {
    if (secret !== SERVER_CERT_SECRET) return undefined;
    const covered = new Set([...facts.certificate.dnsNames, ...facts.certificate.ipAddresses].map(lower));
    const missing = [...spec.dnsNames, ...spec.ipAddresses].filter((name) => !covered.has(lower(name)));
    // Peers can dial <cluster>.mesh.cilium.io instead where that is covered.
    const severity = covered.has('*.mesh.cilium.io') ? 'warn' : 'fail';
    return missing.length > 0 ? { severity, reason: `it does not cover ${missing.join(', ')}` } : undefined;
  }),
  perCertificate('tls-expiry', 'certificates are valid for 30 days at least', ({ facts }, _cluster, now) =>
    expiry(facts.certificate, now),
  ),
  {
    id: 'tls-ca-expiry',
    category: 'tls',
    title: 'CAs are valid for 30 days at least',
    run: ({ clusters, now }) =>
      clusters.flatMap(({ context, ca }) => {
        const found = ca && expiry(ca.certificate, now);
        const hint = meshctlCommand('clustermesh certs rotate', { context }, ['--ca']);
        return found ? [findingOf('tls-ca-expiry', found.severity, context, { reason: found.reason }, hint)] : [];
      }),
    says: ({ args }) => `context "${args.context}": Secret cilium-ca: ${args.reason}`,
  },
  {
    id: 'tls-ca-trust',
    category: 'tls',
    title: 'clusters trust the CA of each of their peers',
    run: ({ clusters }) =>
      clusters.flatMap((cluster) =>
        clusters.flatMap((peer): Finding[] => {
          const held = cluster.peerCertificates.get(clusterNameOf(peer));
          const trusted = held?.ca;
          if (peer === cluster || !held || !trusted || !peer.ca || trusts(held, peer.ca.certificate)) return [];
          const { context } = cluster;
          return [
            findingOf(
              'tls-ca-trust',
              'fail',
              context,
              { peer: clusterNameOf(peer), trusted: trusted.commonName },
              meshctlCommand('clustermesh connect', { context }, ['--destination-context', peer.context]),
            ),
          ];
        }),
      ),
    says: ({ args }) =>
      `context "${args.context}": trusts another CA ("${args.trusted}") for ${args.peer} than the one that ${args.peer} has now`,
  },
  {
    id: 'tls-orphaned-users',
    category: 'tls',
    title: 'every etcd user belongs to a peer',
    run: ({ clusters }) =>
      clusters.flatMap((cluster) => {
        const users = orphanedUsers(cluster, clusters);
        const { context, namespace } = cluster;
        const hint = `Whoever holds such a certificate is still let in: ${kubectlCommand({ context, namespace }, ['edit', 'configmap', REMOTE_USERS_CONFIGMAP])}`;
        return users.length > 0 ? [findingOf('tls-orphaned-users', 'warn', context, { users }, hint)] : [];
      }),
    says: ({ args }) => `context "${args.context}": etcd users that no peer uses: ${listed(args.users)}`,
  },
];

/** Users of clusters that neither dial this one nor are dialled by it. */
function orphanedUsers(cluster: ClusterSnapshot, all: readonly ClusterSnapshot[]): string[] {
  const own = clusterNameOf(cluster);
  const dialling = all.filter((other) => configuredPeers(other).includes(own)).map(clusterNameOf);
  const used = new Set([own, ...dialling, ...configuredPeers(cluster)].map(remoteUserName));
  return (cluster.remoteUsers ?? []).map(({ name }) => name).filter((name) => name !== 'remote' && !used.has(name));
}

/** What is wrong with a certificate's time. */
export function expiry(
  certificate: CertificateFacts,
  now: Date,
): { severity: 'warn' | 'fail'; reason: string } | undefined {
  const { notBefore, notAfter } = certificate;
  const day = notAfter.toISOString().slice(0, 10);
  if (notBefore > now) return { severity: 'fail', reason: `it is not valid before ${notBefore.toISOString()}` };
  if (notAfter <= now) return { severity: 'fail', reason: `it expired on ${day}` };
  if (notAfter.getTime() - now.getTime() > RENEW_BEFORE_MS) return undefined;
  return { severity: 'warn', reason: `it expires on ${day}` };
}

function lower(name: string): string {
  return name.toLowerCase();
}
