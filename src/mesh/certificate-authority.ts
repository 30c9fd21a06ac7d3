import { MeshctlError } from './errors.ts';
import { keyOf } from './kube-object.ts';
import { CA_SECRET, secretRef } from './names.ts';
import { foreignOwner } from './ownership.ts';
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
      hint: adviceOf(snapshot),
      details: { context, object: secret },
    },
  );
}

/** cert-manager keeps the keys of its CAs elsewhere, or issues from one that is nowhere in the cluster. */
function adviceOf({ objects, namespace }: ClusterSnapshot): string {
  const owner = foreignOwner(objects.get(keyOf(secretRef(namespace, CA_SECRET))));
  if (owner?.startsWith('cert-manager')) {
    return (
      `The CA is made by ${owner}. Certificates that it has issued are kept and can be used; new ones it has to issue: ` +
      'let the chart ask for them (clustermesh.apiserver.tls.auto.method=certmanager), or give the CA with --ca-cert and --ca-key.'
    );
  }
  return (
    'The key of the CA is needed to sign. Give the CA with --ca-cert and --ca-key, or restore the key from its backup. ' +
    'Certificates that are there and valid are kept without it.'
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
