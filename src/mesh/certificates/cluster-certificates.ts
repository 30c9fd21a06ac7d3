import { isIpAddress } from '../apiserver/endpoints.ts';
import { canonicalIp } from '../cilium/cidr.ts';
import { earliestOf, latestOf } from '../cluster-clocks.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import {
  ADMIN_CERT_SECRET,
  LOCAL_CERT_SECRET,
  localUserName,
  REMOTE_CERT_SECRET,
  SERVER_CERT_SECRET,
  SHARED_USER,
  serviceHostname,
} from '../objects/names.ts';
import { remoteUserName } from '../peers/file/peer-config.ts';
import type { CertificateFacts, CertificateSpec, FileLack, TlsSecretFacts } from './certificate.ts';
import { saysAuthorityLack, saysCertificateLack, saysKeyLack } from './certificate-lacks.ts';
import { describeAuthority, isSameKey, trustedBy, trusts } from './trust.ts';

/** Certificates are issued anew from this time before their end. */
const RENEW_BEFORE_MS = 30 * 24 * 60 * 60 * 1000;

/** In every certificate that Cilium's chart makes; no peer dials them. */
export const LOOPBACK: readonly string[] = ['127.0.0.1', '::1'];

/** The Secrets with a cluster's own certificates, those that some setups do without included. */
export const CERTIFICATE_SECRETS: readonly string[] = [
  SERVER_CERT_SECRET,
  ADMIN_CERT_SECRET,
  LOCAL_CERT_SECRET,
  REMOTE_CERT_SECRET,
];

/** A certificate of a cluster and the Secret (type `kubernetes.io/tls`) that holds it. */
export interface SecretCertificate {
  secret: string;
  spec: CertificateSpec;
}

/**
 * The certificates of one cluster's clustermesh-apiserver, all signed by its cilium-ca. etcd takes the user from the CN.
 * Names and usages are those of Cilium's chart (templates/clustermesh-apiserver/tls-helm); the addresses of the Service are
 * meshctl's addition, so that peers can dial them directly.
 * @param serviceAddresses IP addresses and host names at which peers reach the Service
 * @param tlsSecrets what is there by now, which may tell as whom the cluster logs in by the common certificate
 */
export function certificateSpecs(cluster: {
  clusterName: string;
  namespace: string;
  serviceAddresses: readonly string[];
  kvstoremesh: boolean;
  tlsSecrets?: ClusterSnapshot['tlsSecrets'];
}): SecretCertificate[] {
  const { clusterName, namespace, serviceAddresses, kvstoremesh, tlsSecrets } = cluster;
  const hostname = serviceHostname(namespace);
  const hostNames = serviceAddresses.filter((address) => !isIpAddress(address));
  const server: CertificateSpec = {
    commonName: hostname,
    usages: ['server', 'client'],
    dnsNames: unique([hostname, '*.mesh.cilium.io', ...hostNames]),
    ipAddresses: unique([...LOOPBACK, ...serviceAddresses.filter(isIpAddress)].map(canonicalIp)),
  };
  return [
    { secret: SERVER_CERT_SECRET, spec: server },
    { secret: ADMIN_CERT_SECRET, spec: clientSpec(`admin-${clusterName}`) },
    // Without KVStoreMesh there is no cache for the agents to read.
    ...(kvstoremesh ? [{ secret: LOCAL_CERT_SECRET, spec: clientSpec(localUserName(clusterName)) }] : []),
    { secret: REMOTE_CERT_SECRET, spec: clientSpec(commonUser(clusterName, tlsSecrets?.get(REMOTE_CERT_SECRET))) },
  ];
}

/**
 * What a certificate has to be for that somebody else makes: peers reach its server by its name in the mesh, and it covers no
 * addresses (Cilium's chart, templates/clustermesh-apiserver/tls-helm/server-secret.yaml).
 */
export function withoutAddresses(spec: CertificateSpec, namespace: string): CertificateSpec {
  const own = [serviceHostname(namespace), '*.mesh.cilium.io'];
  return {
    ...spec,
    dnsNames: spec.dnsNames.filter((name) => own.includes(name)),
    ipAddresses: spec.ipAddresses.filter((ip) => !isIpAddress(ip)),
  };
}

/**
 * What a server certificate covers beside what Cilium's chart puts into each: whoever makes it by the chart has it from values, or
 * not at all. Before Cilium 1.20 a name more was among them, which nobody dials.
 */
export function namesBeside(
  { dnsNames, ipAddresses }: Pick<CertificateSpec, 'dnsNames' | 'ipAddresses'>,
  namespace: string,
): string[] {
  const charts = [serviceHostname(namespace), '*.mesh.cilium.io', 'clustermesh-apiserver.cilium.io', ...LOOPBACK];
  return [...dnsNames, ...ipAddresses.map(canonicalIp)].filter((host) => !charts.includes(host));
}

/**
 * Why a certificate must be issued anew, as a clause for the plan; undefined when it can stay. More names than asked for
 * do not matter.
 * @param facts what the Secret holds, or what it has instead of a certificate that can be read
 * @param ca the CA that is to sign
 * @param accepted the CAs whose certificates are as good, as long as who holds one trusts `ca` too: in the middle of a
 * rotation the former one, while the cluster's etcd trusts both
 */
export function reasonToReissue(
  facts: TlsSecretFacts | FileLack,
  spec: CertificateSpec,
  ca: CertificateFacts,
  now: Date,
  accepted: readonly CertificateFacts[] = [],
): string | undefined {
  if (typeof facts === 'string') return saysCertificateLack(facts);
  return reasonOfTrust(facts, ca, accepted) ?? reasonOfContent(facts.certificate, spec) ?? reasonOfTime(facts, ca, now);
}

/**
 * Why a copy must be made anew of a certificate that is as it is; undefined when the present one can stay.
 * @param present what is there, or what is there instead of a certificate that can be read
 * @param original nothing where it has none that can be read
 * @param changed why, where the original is another one than the present; default: in words of the remote-cert
 */
export function reasonToCopy(
  present: TlsSecretFacts | FileLack,
  original: TlsSecretFacts | undefined,
  changed?: string,
): string | undefined {
  if (typeof present === 'string') return saysCertificateLack(present);
  const { commonName, sha256 } = present.certificate;
  // A former remote-cert is for the same user: any other is a credential of another kind.
  const isOther = original !== undefined && original.certificate.commonName !== commonName;
  const another = isOther ? `it is for "${commonName}", and no copy of the remote-cert` : 'the remote-cert has changed';
  if (sha256 !== original?.certificate.sha256) return changed ?? another;
  if (!present.keyMatches) return saysKeyLack(present);
  return present.ca?.sha256 === original.ca?.sha256 ? undefined : (saysAuthorityLack(present) ?? changed ?? another);
}

/**
 * The CAs from which a cluster's etcd takes certificates besides its present one: in the middle of a rotation, the other
 * ones of its bundle. None where the bundle lacks the present CA: then it is from elsewhere.
 */
export function acceptedBeside({
  ca,
  tlsSecrets,
}: Pick<ClusterSnapshot, 'ca' | 'tlsSecrets'>): readonly CertificateFacts[] {
  const server = tlsSecrets.get(SERVER_CERT_SECRET);
  return ca && server && trusts(server, ca.certificate) ? trustedBy(server) : [];
}

function reasonOfTrust(
  facts: TlsSecretFacts,
  ca: CertificateFacts,
  accepted: readonly CertificateFacts[],
): string | undefined {
  const signer = facts.ca;
  if (!facts.keyMatches) return saysKeyLack(facts);
  if (signer === undefined) return saysAuthorityLack(facts);
  const isOf = (one: CertificateFacts) => isSameKey(one, signer);
  const isGood = isOf(ca) || (accepted.some(isOf) && trusts(facts, ca));
  if (!isGood && signer.commonName === ca.commonName)
    return `it is from the CA ${describeAuthority(signer)}, and not from ${describeAuthority(ca)}`;
  if (!isGood) return `it is from a different CA than "${ca.commonName}"`;
  if (!facts.signedByCa) return 'it is not signed by the CA stored with it';
  return undefined;
}

function reasonOfContent(certificate: CertificateFacts, spec: CertificateSpec): string | undefined {
  if (certificate.commonName !== spec.commonName) {
    return `it is for "${certificate.commonName}", not "${spec.commonName}"`;
  }
  const usages = spec.usages.filter((usage) => !certificate.usages.includes(usage));
  if (usages.length > 0) return `it is not for ${usages.join(' and ')} use`;
  const missing = uncoveredHosts(certificate, spec);
  return missing.length > 0 ? `it does not cover ${missing.join(', ')}` : undefined;
}

function reasonOfTime(
  { certificate, ca: present }: TlsSecretFacts,
  ca: CertificateFacts,
  now: Date,
): string | undefined {
  const invalid = validityFault(certificate, now);
  if (invalid) return `it ${invalid}`;
  // A leaf ends with its CA at the latest, so a new one helps only where the CA lives on.
  if (endsSoon(certificate, now) && ca.notAfter > certificate.notAfter) {
    return `it expires on ${endOf(certificate)}`;
  }
  const soon = new Date(earliestOf(now).getTime() + renewBeforeMs(certificate));
  if (present !== undefined && present.notAfter <= soon && ca.notAfter > present.notAfter) {
    return `the CA certificate stored with it expires on ${endOf(present)}`;
  }
  return undefined;
}

/** How long before its end a certificate is renewed, in milliseconds: a short-lived one in the last third of its time. */
function renewBeforeMs(certificate: CertificateFacts): number {
  return Math.min(RENEW_BEFORE_MS, ownLifetimeMs(certificate) / 3);
}

/** For how long a certificate was issued, whatever a CA of its chain leaves of that, in milliseconds. */
export function ownLifetimeMs({ notBefore, notAfter, ...own }: CertificateFacts): number {
  return (own.ownNotAfter ?? notAfter).getTime() - (own.ownNotBefore ?? notBefore).getTime();
}

/** Whether so little is left of a certificate that it is to be renewed. */
export function endsSoon(certificate: CertificateFacts, now: Date): boolean {
  return certificate.notAfter.getTime() - earliestOf(now).getTime() <= renewBeforeMs(certificate);
}

/** What to tell of a validity that was asked for and is good, but for which nobody is used to look after certificates. */
export function validityWarnings(validityMs: number | undefined): string[] {
  if (validityMs === undefined || validityMs >= RENEW_BEFORE_MS) return [];
  const days = RENEW_BEFORE_MS / (24 * 60 * 60 * 1000);
  return [
    `certificates that are valid for less than ${days} days are reported by check in the last third of their time only, and peers are ` +
      'cut off when they expire: run certs rotate on a schedule that is shorter',
  ];
}

/** Why a certificate is refused for its time, as the end of a sentence; undefined while it is valid, be it by one of two clocks only that are in doubt. */
export function validityFault(certificate: CertificateFacts, now: Date): string | undefined {
  const { notBefore, notAfter, beginsWith } = certificate;
  if (notAfter <= earliestOf(now)) return `expired on ${endOf(certificate)}`;
  if (notBefore <= latestOf(now)) return undefined;
  return `is not valid before ${notBefore.toISOString()}${beginsWith === undefined ? '' : ` (with the CA "${beginsWith}")`}`;
}

/** A certificate with which a client logs in to etcd as the user that its CN names. */
export function clientSpec(commonName: string): CertificateSpec {
  return { commonName, usages: ['client'], dnsNames: [], ipAddresses: [] };
}

/**
 * As whom a cluster logs in to peers by the certificate that it has for all of its CA: the user that they share, which every
 * etcd has, or one of its own, as Cilium's chart has it in authMode `cluster` (templates/clustermesh-apiserver/_helpers.tpl).
 * Nothing but the certificate that is there tells which.
 */
function commonUser(clusterName: string, present: TlsSecretFacts | undefined): string {
  const own = remoteUserName(clusterName);
  return present?.certificate.commonName === own ? own : SHARED_USER;
}

/** What a certificate is to be good for and is not: names, then addresses. */
export function uncoveredHosts(certificate: CertificateFacts, { dnsNames, ipAddresses }: CertificateSpec): string[] {
  return [...dnsNames, ...ipAddresses].filter((host) => !coversHost(certificate, host));
}

/** Whether a server certificate is good for a host that is dialled: its addresses, else its names. */
export function coversHost(
  { ipAddresses, dnsNames }: Pick<CertificateFacts, 'ipAddresses' | 'dnsNames'>,
  host: string,
): boolean {
  if (isIpAddress(host)) return ipAddresses.some((address) => canonicalIp(address) === canonicalIp(host));
  const name = host.toLowerCase();
  // A wildcard stands for exactly one label.
  const wildcard = `*${name.slice(name.indexOf('.'))}`;
  return dnsNames.some((covered) => [name, wildcard].includes(covered.toLowerCase()));
}

/** The same of one of its names or addresses alone. */
export function nameCovers(name: string, host: string): boolean {
  return coversHost({ ipAddresses: [name], dnsNames: [name] }, host);
}

/** The day on which a certificate ends, with the CA of its chain by which it does, where it is not by itself. */
export function endOf({ notAfter, endsWith }: CertificateFacts): string {
  const day = notAfter.toISOString().slice(0, 10);
  return endsWith === undefined ? day : `${day} (with the CA "${endsWith}")`;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
