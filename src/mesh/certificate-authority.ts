import type { CertificateFacts } from './certificates.ts';
import { MeshctlError } from './errors.ts';
import { keyOf } from './kube-object.ts';
import { CA_SECRET, SERVER_CERT_SECRET, secretRef } from './names.ts';
import { foreignOwner } from './ownership.ts';
import type { CaFacts, ClusterSnapshot } from './snapshot.ts';

/**
 * What Secret cilium-ca holds.
 * - usable: a CA with its key
 * - no-key: a CA whose key is kept elsewhere
 * - wrong-key: what stands there for a key is unreadable, or belongs to another certificate
 * - missing: there is no such Secret; - empty: it has no certificate; - unreadable: what stands there for one is none
 */
export type AuthorityState = 'usable' | 'no-key' | 'wrong-key' | 'missing' | 'empty' | 'unreadable';

/** How it stands with the CA, of a snapshot that was read with the CA (every purpose but `status`). */
export function authorityState({ ca, objects, namespace }: ClusterSnapshot): AuthorityState {
  if (ca) return !ca.hasKey ? 'no-key' : ca.keyMatches ? 'usable' : 'wrong-key';
  const secret = objects.get(keyOf(secretRef(namespace, CA_SECRET)));
  if (!secret) return 'missing';
  const data = (secret.data ?? {}) as Record<string, string>;
  return data['ca.crt'] || data['tls.crt'] ? 'unreadable' : 'empty';
}

/**
 * The CA that signed this cluster's certificates, where they are there and Secret cilium-ca no longer has any: a CA that
 * was lost, as opposed to one that never was. Undefined otherwise.
 */
export function lostAuthority(snapshot: ClusterSnapshot): CertificateFacts | undefined {
  if (snapshot.ca) return undefined;
  return snapshot.tlsSecrets.get(SERVER_CERT_SECRET)?.ca;
}

/** In words: `is missing`. */
const STATE_WORDS: Readonly<Record<Exclude<AuthorityState, 'usable'>, string>> = {
  missing: 'is missing',
  empty: 'is empty',
  unreadable: 'holds no readable certificate',
  'no-key': 'has no ca.key',
  'wrong-key': 'has a ca.key that is unreadable or belongs to another CA',
};

/** What is the matter with the CA, as the end of a sentence about its Secret; undefined for a usable one. */
export function authorityTrouble(snapshot: ClusterSnapshot): string | undefined {
  const state = authorityState(snapshot);
  return state === 'usable' ? undefined : STATE_WORDS[state];
}

/**
 * The cluster's CA, with its key at hand.
 * @param purpose what is to be signed, for the message
 * @throws MeshctlError `CertificateAuthority` when there is no CA, or no key of it
 */
export function requireSigner(snapshot: ClusterSnapshot, purpose: string): CaFacts {
  const { ca, context, namespace } = snapshot;
  const trouble = authorityTrouble(snapshot);
  if (ca && !trouble) return ca;
  const secret = `Secret ${namespace}/${CA_SECRET}`;
  throw new MeshctlError(
    'CertificateAuthority',
    `context "${context}": ${purpose} cannot be issued: ${secret} ${trouble}`,
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
