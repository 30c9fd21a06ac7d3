import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { OptionPlace } from '../enable/option-name.ts';
import { MeshctlError } from '../errors.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { CA_SECRET, secretRef } from '../objects/names.ts';
import { foreignOwner, MANAGED_BY, managersOfKey } from '../objects/ownership.ts';
import { dataKeys, emptySecret } from '../objects/secret-data.ts';
import { markChanges } from '../plan/diff.ts';
import { type BesideAuthority, type Change, FIELD_MANAGER, type Step, TLS_KEYS } from '../plan/plan.ts';
import { describeLifetime, type Lifetime, lifetimeOf, successorLifetime } from '../rotation/lifetime.ts';
import { authorityState, authorityTrouble, lostAuthority } from './authority.ts';
import type { CertificateFacts } from './certificate.ts';
import { SIGNED_NOTHING, signerInUse, waysToAgree, waysToSign } from './foreign-authority.ts';
import { isSameKey } from './trust.ts';

/** Says on Secret cilium-ca that meshctl put the CA there: `generated` or `copied`. */
const CA_ORIGIN_ANNOTATION = 'meshctl.io/ca-origin';

/** Whether meshctl took a cluster's CA from another one. */
export function isCopiedAuthority({ objects, namespace }: Pick<ClusterSnapshot, 'objects' | 'namespace'>): boolean {
  return isMarkedCopied(objects.get(keyOf(secretRef(namespace, CA_SECRET))));
}

/** The same of Secret cilium-ca by itself. */
export function isMarkedCopied(secret: KubeObject | undefined): boolean {
  return secret?.metadata.annotations?.[CA_ORIGIN_ANNOTATION] === 'copied';
}

/** A CA that the operator brings along. */
export interface GivenAuthority {
  /** Its name among the authorities of the run. */
  key: string;
  /** Where it is from, for people: `context "one"`, `ca.crt`. */
  origin: string;
  certificate: CertificateFacts;
  /** The context of the cluster that it is made for in this run, and that others are to share it with; absent for one that was there. */
  madeFor?: string | undefined;
}

/** Which CA a cluster shall have. Without anything: the one that it has, else a new one. */
export interface AuthorityChoice extends OptionPlace {
  given?: GivenAuthority | undefined;
  /** Another CA may take the place of the one that is there; without `given`, a new one. */
  replace?: boolean | undefined;
  /** Bits of the RSA key of a new one. */
  keySize?: number | undefined;
}

export interface AuthorityPlan {
  /** Absent for a CA that was lost and stays so: there is nothing to keep and nothing to make. */
  step?: Step | undefined;
  /** The CA that the cluster's certificates will be from; undefined for one that is yet to be generated. */
  certificate: CertificateFacts | undefined;
  /** Something has to restart and to be connected anew. */
  replaces: boolean;
  /** Whether the CA comes with this very plan, key and all. */
  makes: boolean;
}

/**
 * Plans Secret cilium-ca. Certificates whose CA is gone, and peers, mean a CA that was lost, not a new cluster: a new one
 * would cut every peer off, so there is one only with `replace`.
 * @param others other clusters, as far as they were read
 * @throws MeshctlError `CertificateAuthority` when another CA is there, or was, and may not be replaced
 */
export function planAuthority(
  snapshot: ClusterSnapshot,
  { given, replace = false, keySize, inFile }: AuthorityChoice,
  others: readonly ClusterSnapshot[] = [],
): AuthorityPlan {
  const { context, namespace } = snapshot;
  const ref = secretRef(namespace, CA_SECRET);
  const live = snapshot.objects.get(keyOf(ref));
  const base = { cluster: context, object: ref, before: live };
  const state = authorityState(snapshot);
  const lost = lostAuthority(snapshot, others);
  const present = snapshot.ca?.certificate ?? lost?.certificate;
  const kept: Lifetime = present ? lifetimeOf(present) : {};
  const lifetime = successorLifetime({ keySize }, kept);
  const words = describeLifetime(lifetime, kept);
  const inUse = signerInUse(snapshot);
  const isSame = given !== undefined && [present, inUse].some((one) => isSameKey(one, given.certificate));
  const beside = besideAuthority(live, isSame ? undefined : given ? 'copied' : 'generated');
  const make = (why: string, replaces: boolean): AuthorityPlan => ({
    step: {
      ...base,
      action: live ? 'update' : 'create',
      changes: [
        {
          path: 'data.ca.crt',
          to: given
            ? `CA "${given.certificate.commonName}" of ${given.origin}`
            : `a new CA${words ? ` (${words})` : ''}`,
        },
        ...besideChanges(live, beside),
      ],
      why,
      write: {
        method: 'authority',
        commonName: 'Cilium CA',
        given: given?.key,
        ...(given ? {} : lifetime),
        secret: authoritySecret(snapshot, given ? 'copied' : 'generated'),
        beside,
      },
    },
    certificate: given?.certificate,
    replaces,
    makes: true,
  });
  const keep = (why: string): AuthorityPlan => ({
    step: { ...base, action: 'keep', changes: [], why },
    certificate: present,
    replaces: false,
    makes: false,
  });
  if (given && isSameKey(present, given.certificate)) {
    if (state === 'usable') return keep(`the cluster has the CA of ${given.origin}`);
    return make(lost ? 'the CA that signed the certificates is restored' : 'the key of the CA was missing', false);
  }
  if (given && isSameKey(given.certificate, inUse)) {
    return make('the CA that signed the certificates is restored', false);
  }
  if (!given && !replace) {
    if (lost) return { certificate: lost.certificate, replaces: false, makes: false };
    if (state === 'missing') return make('the cluster has no CA yet', false);
    return state === 'empty' ? make('the Secret is empty', false) : keep('the cluster has a CA');
  }
  if (!present && !lost && state !== 'unreadable')
    return make(given ? `taken from ${given.origin}` : 'the cluster has no CA yet', false);
  if (replace) {
    requireReplaceable(snapshot);
    return make(given ? `replaced by the CA of ${given.origin}` : 'replaced by a new CA', true);
  }
  const other = lost
    ? lost.certificate
      ? 'the certificates are from a different CA than'
      : `the former CA is lost (there are ${lost.traces.join(', ')}), and none of its certificates is left to compare with`
    : state === 'unreadable'
      ? `Secret ${namespace}/${CA_SECRET} ${authorityTrouble(snapshot)}, so it cannot be compared with`
      : `Secret ${namespace}/${CA_SECRET} holds a different CA than`;
  throw new MeshctlError('CertificateAuthority', `context "${context}": ${other} ${given?.origin}`, {
    hint: `Clusters of a mesh may keep their own CAs. ${inFile ? 'In the file, leave caFrom out for this cluster.' : 'To replace it all the same, look at the plan: add --replace-ca --dry-run.'}`,
    details: { context, object: `Secret ${namespace}/${CA_SECRET}` },
  });
}

/**
 * What else of Secret cilium-ca changes with the CA in it: no key may go on telling of the former one, not even those that
 * cert-manager writes, nor a mark.
 * @param origin of a CA that is another one than before
 */
export function besideAuthority(
  live: KubeObject | undefined,
  origin: 'generated' | 'copied' | undefined,
): BesideAuthority | undefined {
  if (!live) return undefined;
  const keys = [TLS_KEYS.certificate, TLS_KEYS.privateKey];
  // The API server insists on these two keys in Secrets of that type.
  const isTls = live.type === 'kubernetes.io/tls';
  // No private key of a CA is in what is read: who has set it tells that it is there.
  const there = keys.filter((key) => dataKeys(live).includes(key) || managersOfKey(live, key).length > 0);
  const isOtherwise = origin !== undefined && (origin === 'copied') !== isMarkedCopied(live);
  return {
    tlsKeys: isTls ? { keys, become: 'same' } : { keys: there, become: 'removed' },
    marks: isOtherwise ? { [CA_ORIGIN_ANNOTATION]: origin } : {},
  };
}

/** The same for people: whose keys go is to be seen. */
export function besideChanges(live: KubeObject | undefined, beside: BesideAuthority | undefined): Change[] {
  if (!live || !beside) return [];
  const { keys, become } = beside.tlsKeys;
  return [
    ...keys.map((key): Change => {
      const owners = managersOfKey(live, key).filter((manager) => manager !== FIELD_MANAGER);
      const whose = owners.length > 0 ? `, set by ${owners.join(', ')}` : '';
      return { path: `data.${key}`, to: `(${become === 'removed' ? 'removed' : 'as for the CA'}${whose})` };
    }),
    ...markChanges(live, beside.marks),
  ];
}

/**
 * What an operator should know of a CA that cannot sign although nobody keeps its key elsewhere, or that signed nothing.
 * @param others other clusters, as far as they were read
 */
export function authorityWarnings(
  snapshot: ClusterSnapshot,
  { makes }: AuthorityPlan,
  others: readonly ClusterSnapshot[] = [],
): string[] {
  const state = authorityState(snapshot);
  const ways = makes ? undefined : waysToAgree(snapshot, others);
  if (ways && state === 'usable') {
    const secret = `Secret ${snapshot.namespace}/${CA_SECRET}`;
    return [`${secret} ${SIGNED_NOTHING}, and this plan reissues all of them from it. Instead, ${ways}`];
  }
  if (makes || state === 'usable' || state === 'no-key' || state === 'elsewhere') return [];
  return [
    `Secret ${snapshot.namespace}/${CA_SECRET} ${authorityTrouble(snapshot)}: the certificates that are valid are kept, but none ` +
      `can be issued for a new peer or renewed on expiry → ${waysToSign(snapshot, others)}`,
  ];
}

/**
 * What follows from a replaced CA, for people; what becomes of peers is said of each of them. A client of etcd reads the CA when it is
 * made, and waits as long for its first connection (initialConnectionTimeout in Cilium's pkg/kvstore/etcd.go).
 */
export function replacementNotes(): string[] {
  return [
    'Replacing the CA restarts the clustermesh-apiserver: its etcd reads the CA only at its start',
    "Hubble's certificates stay with the former CA until they are reissued",
    'Agents that wait for their first connection by then go on with the former CA, for up to 15 minutes or until they are restarted',
  ];
}

/** Tools that would put their own CA back; Helm's chart takes over the one that it finds. */
const RESTORERS = /^(cert-manager|Flux|Argo CD)/;

/**
 * Refuses to replace a CA that another tool would put back.
 * @param force the operator knows, and has stopped that tool
 * @throws MeshctlError `CertificateAuthority`, naming the owner
 */
export function requireReplaceable({ context, namespace, objects }: ClusterSnapshot, force = false): void {
  const owner = foreignOwner(objects.get(keyOf(secretRef(namespace, CA_SECRET))));
  if (force || !owner || !RESTORERS.test(owner)) return;
  throw new MeshctlError(
    'CertificateAuthority',
    `context "${context}": Secret ${namespace}/${CA_SECRET} is made by ${owner}, which would restore its own CA`,
    {
      hint: owner.startsWith('cert-manager')
        ? 'Change that Certificate or its issuer instead.'
        : 'Change the CA where it is managed instead.',
      details: { context, owner },
    },
  );
}

/** Secret cilium-ca as it is made, still without the CA. */
export function authoritySecret({ namespace }: ClusterSnapshot, how: 'generated' | 'copied'): KubeObject {
  const secret = emptySecret(secretRef(namespace, CA_SECRET), 'Opaque');
  const marks = { labels: { [MANAGED_BY]: FIELD_MANAGER }, annotations: { [CA_ORIGIN_ANNOTATION]: how } };
  return { ...secret, metadata: { ...secret.metadata, ...marks } };
}
