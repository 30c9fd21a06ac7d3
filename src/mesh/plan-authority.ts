import type { CertificateFacts } from './certificates.ts';
import { meshctlCommand } from './command-line.ts';
import { MeshctlError } from './errors.ts';
import { keyOf } from './kube-object.ts';
import { CA_SECRET, secretRef } from './names.ts';
import { foreignOwner, MANAGED_BY } from './ownership.ts';
import { FIELD_MANAGER, type Step } from './plan.ts';
import { emptySecret } from './secret-data.ts';
import type { ClusterSnapshot } from './snapshot.ts';

/** Says on Secret cilium-ca that meshctl put the CA there: `generated` or `copied`. */
export const CA_ANNOTATION = 'meshctl.io/ca';

/** A CA that the operator brings along. */
export interface GivenAuthority {
  /** Its name among the authorities of the run. */
  key: string;
  /** Where it is from, for people: `context "one"`, `ca.crt`. */
  origin: string;
  certificate: CertificateFacts;
}

/** Which CA a cluster shall have. Without anything: the one that it has, else a new one. */
export interface AuthorityChoice {
  given?: GivenAuthority | undefined;
  /** Another CA may take the place of the one that is there; without `given`, a new one. */
  replace?: boolean | undefined;
  /** Bits of the RSA key of a new one. */
  keySize?: number | undefined;
}

export interface AuthorityPlan {
  step: Step;
  /** The CA that the cluster will have; undefined for one that is yet to be generated. */
  certificate: CertificateFacts | undefined;
  /** Something has to restart and to be connected anew. */
  replaces: boolean;
}

/**
 * Plans Secret cilium-ca.
 * @throws MeshctlError `CertificateAuthority` when another CA is there and may not be replaced
 */
export function planAuthority(
  snapshot: ClusterSnapshot,
  { given, replace = false, keySize }: AuthorityChoice,
): AuthorityPlan {
  const { ca, context, namespace } = snapshot;
  const ref = secretRef(namespace, CA_SECRET);
  const live = snapshot.objects.get(keyOf(ref));
  const base = { cluster: context, object: ref, before: live };
  const make = (action: 'create' | 'update', why: string): AuthorityPlan => ({
    step: {
      ...base,
      action,
      changes: [
        { path: 'data.ca.crt', to: given ? `CA "${given.certificate.commonName}" of ${given.origin}` : 'a new CA' },
      ],
      why,
      write: {
        method: 'authority',
        commonName: 'Cilium CA',
        given: given?.key,
        keySize,
        secret: markedSecret(snapshot, given ? 'copied' : 'generated'),
      },
    },
    certificate: given?.certificate,
    replaces: action === 'update',
  });
  const keep = (why: string): AuthorityPlan => ({
    step: { ...base, action: 'keep', changes: [], why },
    certificate: ca?.certificate,
    replaces: false,
  });
  if (!live && !ca) return make('create', given ? `taken from ${given.origin}` : 'the cluster has no CA yet');
  if (!given && !replace) return keep('the cluster has a CA');
  if (given && ca?.certificate.publicKeySha256 === given.certificate.publicKeySha256) {
    if (ca.hasKey && ca.keyMatches) return keep(`the cluster has the CA of ${given.origin}`);
    return { ...make('update', 'the key of the CA was missing'), replaces: false };
  }
  if (replace) {
    requireReplaceable(snapshot);
    return make('update', given ? `replaced by the CA of ${given.origin}` : 'replaced by a new CA');
  }
  throw new MeshctlError(
    'CertificateAuthority',
    `context "${context}": Secret ${namespace}/${CA_SECRET} holds another CA than ${given?.origin}`,
    {
      hint:
        'Clusters of a mesh may keep their own CAs. To replace it all the same, look at the plan: ' +
        'add --replace-ca --dry-run.',
      details: { context, object: `Secret ${namespace}/${CA_SECRET}` },
    },
  );
}

/** What follows from a replaced CA, for people. */
export function replacementNotes(snapshot: ClusterSnapshot): string[] {
  const peers = (snapshot.remoteUsers ?? []).map(({ name }) => name.replace(/^remote-/, ''));
  const reconnect = meshctlCommand('clustermesh connect', { context: snapshot.context }, [
    '--destination-context',
    peers.map((peer) => `<context of ${peer}>`).join(','),
  ]);
  return [
    'Replacing the CA restarts the clustermesh-apiserver: its etcd reads the CA only at its start',
    ...(peers.length > 0 ? [`${peers.join(', ')} trust the former CA and are cut off until: ${reconnect}`] : []),
    "Hubble's certificates stay with the former CA until they are issued anew",
  ];
}

/** cert-manager would put its own CA back. */
function requireReplaceable({ context, namespace, objects }: ClusterSnapshot): void {
  const owner = foreignOwner(objects.get(keyOf(secretRef(namespace, CA_SECRET))));
  if (!owner?.startsWith('cert-manager')) return;
  throw new MeshctlError(
    'CertificateAuthority',
    `context "${context}": Secret ${namespace}/${CA_SECRET} is made by ${owner}, which would put its CA back`,
    { hint: 'Change that Certificate or its issuer instead.', details: { context } },
  );
}

function markedSecret({ namespace }: ClusterSnapshot, how: 'generated' | 'copied') {
  const secret = emptySecret(secretRef(namespace, CA_SECRET), 'Opaque');
  const marks = { labels: { [MANAGED_BY]: FIELD_MANAGER }, annotations: { [CA_ANNOTATION]: how } };
  return { ...secret, metadata: { ...secret.metadata, ...marks } };
}
