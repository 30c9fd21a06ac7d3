import type { CertificateUsage } from '../mesh/certificates/certificate.ts';
import type { SecretCertificate } from '../mesh/certificates/cluster-certificates.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';

/** What issues certificates for cert-manager. */
export interface IssuerRef {
  kind: string;
  name: string;
}

/** Cilium's: three years. */
const DURATION = '26280h0m0s';

const USAGES: Readonly<Record<CertificateUsage, string>> = { server: 'server auth', client: 'client auth' };

/**
 * The Certificate by which cert-manager keeps a TLS Secret of the clustermesh-apiserver, under the Secret's name as in
 * Cilium's chart. Its usages are named, because by default cert-manager issues for none in particular.
 */
export function certificateObject(
  { secret, spec }: SecretCertificate,
  namespace: string,
  issuer: IssuerRef,
): KubeObject {
  const { commonName, dnsNames, ipAddresses, usages } = spec;
  return {
    apiVersion: 'cert-manager.io/v1',
    kind: 'Certificate',
    metadata: { name: secret, namespace, labels: { 'app.kubernetes.io/managed-by': 'meshctl' } },
    spec: {
      issuerRef: { group: 'cert-manager.io', ...issuer },
      secretName: secret,
      commonName,
      ...(dnsNames.length > 0 ? { dnsNames: [...dnsNames] } : {}),
      ...(ipAddresses.length > 0 ? { ipAddresses: [...ipAddresses] } : {}),
      usages: ['digital signature', 'key encipherment', ...usages.map((usage) => USAGES[usage])],
      duration: DURATION,
    },
  };
}
