import { MeshctlError } from './errors.ts';
import { keyOf } from './kube-object.ts';
import { CA_SECRET, secretRef } from './names.ts';
import type { CaFacts, ClusterSnapshot } from './snapshot.ts';

/**
 * The cluster's CA, with its key at hand.
 * @param purpose what is to be signed, for the message
 * @throws MeshctlError `CertificateAuthority` when there is no CA, or no key of it
 */
export function requireSigner(snapshot: ClusterSnapshot, purpose: string): CaFacts {
  const { ca, context, namespace } = snapshot;
  if (ca?.hasKey && ca.keyMatches) return ca;
  const secret = `Secret ${namespace}/${CA_SECRET}`;
  throw new MeshctlError(
    'CertificateAuthority',
    `context "${context}": ${purpose} cannot be issued: ${problemOf(snapshot, secret)}`,
    {
      hint: 'The key of the CA is needed to sign. Restore it from its backup, or from what made the CA (cert-manager, Helm values).',
      details: { context, object: secret },
    },
  );
}

function problemOf({ ca, objects, namespace }: ClusterSnapshot, secret: string): string {
  if (!ca) {
    return objects.has(keyOf(secretRef(namespace, CA_SECRET)))
      ? `${secret} holds no readable certificate`
      : `there is no ${secret}`;
  }
  return ca.hasKey ? `the ca.key in ${secret} belongs to another CA` : `${secret} has no ca.key`;
}
