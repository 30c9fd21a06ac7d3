import { serviceEndpoints } from '../apiserver/endpoints.ts';
import { caMark, hasCertificate } from '../apiserver/pod-marks.ts';
import { isUnfilled } from '../certificates/authority.ts';
import { replaceInBundle } from '../certificates/ca-bundle.ts';
import {
  AUTHORITY_VALIDITY_MS,
  type CertificateFacts,
  type CertificateSpec,
  type TlsSecretFacts,
} from '../certificates/certificate.ts';
import { certificateLackAt, saysCertificateLack } from '../certificates/certificate-lacks.ts';
import {
  endOf,
  reasonToReissue,
  type SecretCertificate,
  withoutAddresses,
} from '../certificates/cluster-certificates.ts';
import { requireSigner } from '../certificates/foreign-authority.ts';
import { presentLifetime, validityMarks } from '../certificates/kept-lifetime.ts';
import type { AuthorityPlan } from '../certificates/plan-authority.ts';
import { isSameKey, storedWith } from '../certificates/trust.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { capital } from '../counted.ts';
import { MeshctlError } from '../errors.ts';
import { type KubeObject, keyOf, type ObjectRef, refOf } from '../objects/kube-object.ts';
import { SERVER_CERT_SECRET, secretRef } from '../objects/names.ts';
import { conflictsOf, foreignOwner, managersOfData, toolOwner } from '../objects/ownership.ts';
import { emptySecret } from '../objects/secret-data.ts';
import { markChanges } from '../plan/diff.ts';
import { type Change, disputes, FIELD_MANAGER, type Step, TLS_KEYS } from '../plan/plan.ts';
import { describeLifetime, endWithCa, successorLifetime } from '../rotation/lifetime.ts';
import { acceptedInRotation, trustInRotation } from '../rotation/unfinished-rotation.ts';
import type { EnableInput } from './input.ts';
import { leftToOwner } from './left-to-owner.ts';

/** Whether the Service has what peers will dial; a load balancer may still be waiting for its address. */
export function awaitsAddress(snapshot: ClusterSnapshot): boolean {
  return serviceEndpoints(snapshot) === undefined;
}

/**
 * The mark of the CA that will be stored with etcd's certificate at its next start; undefined while that CA is yet to be
 * generated.
 */
export function caFingerprint(
  input: Pick<EnableInput, 'snapshot' | 'planned' | 'authority' | 'certificates' | 'now'>,
): string | undefined {
  const { snapshot, authority, certificates } = input;
  const server = certificates.find(({ secret }) => secret === SERVER_CERT_SECRET);
  const present = snapshot.tlsSecrets.get(SERVER_CERT_SECRET);
  if (!authority.certificate) return undefined;
  const stays = present && server && !reissueReason(present, server, server.spec, input);
  const both = authority.makes || stays ? [] : trustInRotation(snapshot).map(({ facts }) => facts);
  if (both.length > 0) return caMark(both);
  // Not a bundle by which programs go instead: the mark tells of rotations, and those do not reach it.
  const stored = present ? storedWith(present) : [];
  // What has the CA besides others is left as it is.
  const kept = stored.some(({ sha256 }) => sha256 === authority.certificate?.sha256);
  return caMark((stays && stored.length > 0) || kept ? stored : [authority.certificate]);
}

/**
 * What happens to the Secret of one certificate.
 * @param mayMove whether the load balancer may get another address by this plan, which only the run tells
 * @throws MeshctlError `CertificateAuthority` where it has to be issued and there is no CA that could
 */
export function certificateStep(input: EnableInput, certificate: SecretCertificate, mayMove = false): Step {
  const { snapshot, authority, force } = input;
  const { secret, spec } = certificate;
  const ref = secretRef(snapshot.namespace, secret);
  const before = snapshot.objects.get(keyOf(ref));
  const present = snapshot.tlsSecrets.get(secret);
  const base = { cluster: snapshot.context, object: ref, before };
  const ours = isOursToFill(before) || (isBroken(snapshot, before) && toolOwner(before) === undefined);
  const owner = force || ours ? undefined : foreignOwner(before);
  const needed = owner === undefined ? spec : withoutAddresses(spec, snapshot.namespace);
  const reason = reissueReason(present, certificate, needed, input);
  const until = `valid until ${present ? endOf(present.certificate) : 'an unknown day'}`;
  if (!reason) {
    const why = owner ? `${until}, made by ${owner}` : until;
    const perhaps = mayMove && secret === SERVER_CERT_SECRET && owner === undefined;
    const kept = { ...base, action: 'keep', changes: [] } as const;
    if (perhaps) return { ...kept, why: `${why}; ${ifMoved(snapshot)}`, isSpared: true };
    return owner ? { ...kept, why, isSpared: true } : { ...kept, why };
  }
  if (!authority.makes && isUsable(present, spec, input.now) && !canIssue(snapshot)) {
    return { ...base, action: 'keep', changes: [], why: `${until}; ${reason}, ${NOTHING_SIGNS}`, isSpared: true };
  }
  if (!authority.makes) requireSigner(snapshot, `certificate ${spec.commonName}`, input.now);
  const wanted = secret === SERVER_CERT_SECRET ? withPresentNames(spec, present?.certificate) : spec;
  const names = [...wanted.dnsNames, ...wanted.ipAddresses].join(', ');
  const pending = isPending(input, certificate) ? ", and the Service's address" : '';
  const kept = presentLifetime(snapshot, secret);
  const lifetime = successorLifetime(input.issuing ?? {}, kept);
  const caEnd = endWithCa(lifetime.validityMs, signerOf(authority, input.now), input.now);
  const words = describeLifetime(lifetime, kept, caEnd);
  const what = `certificate ${spec.commonName}${words ? ` (${words})` : ''}`;
  const marks = validityMarks(lifetime, caEnd, before);
  const changes: Change[] = [
    { path: 'data.tls.crt', to: `${what}${names ? ` for ${names}${pending}` : ''}` },
    ...markChanges(before, marks.marks ?? {}),
  ];
  const written = Object.values(TLS_KEYS).map((key) => ({ path: `data.${key}` }));
  // Another command may have set the mark, and an apply takes away its own alone.
  const takesMark = Object.values(marks.marks ?? {}).includes(null);
  const disputed = before ? conflictsOf(before, written) : [];
  const trusted = authority.makes ? [] : trustInRotation(snapshot);
  return {
    ...base,
    action: before ? 'update' : 'create',
    changes,
    why: reason,
    write: {
      method: 'issue',
      certificates: [{ spec: wanted, signer: snapshot.context, keys: TLS_KEYS, ...lifetime }],
      data: {},
      ...(trusted.length > 0 ? { trust: [{ key: TLS_KEYS.ca, certificates: trusted.map(({ pem }) => pem) }] } : {}),
      ...marks,
      secret: secretWithoutData(input, ref, before),
      // A patch takes over what somebody else has set, and leaves alone whose Secret it is; what another run has issued since, it does not.
      into: ours && (foreignOwner(before) || disputed.length > 0 || takesMark) ? 'exact' : 'apply',
    },
    // Keys of meshctl's own that somebody has written over meanwhile are taken back, asked or not.
    ...(ours ? disputes(isUnfilled(before) ? [] : disputed, true) : disputes(disputed, force)),
  };
}

/** The CA that will have signed what is issued, as far as its end can be told. */
function signerOf({ certificate, step }: AuthorityPlan, now: Date): Pick<CertificateFacts, 'notAfter'> | undefined {
  if (certificate || step?.write?.method !== 'authority') return certificate;
  return { notAfter: new Date(now.getTime() + (step.write.validityMs ?? AUTHORITY_VALIDITY_MS)) };
}

/**
 * Refuses to issue what the cluster's own programs would not accept: they go by a bundle that somebody else keeps, and the CA
 * that would sign is not in it.
 * @throws MeshctlError `CertificateAuthority`
 */
export function requireBundled(
  { context, caBundle }: ClusterSnapshot,
  { certificate: ca }: AuthorityPlan,
  steps: readonly Step[],
): void {
  const issues = steps.some(({ write }) => write?.method === 'issue' && write.certificates.length > 0);
  if (!issues || !caBundle?.authorities || caBundle.authorities.some((one) => isSameKey(one, ca))) return;
  const { object } = caBundle;
  const bring = meshctlCommand('clustermesh enable', { context }, ['--ca-cert', 'ca.crt', '--ca-key', 'ca.key']);
  throw new MeshctlError(
    'CertificateAuthority',
    `context "${context}": its programs go by the CAs of ${object}, and the one that is to issue its certificates is not among them, so nothing would connect`,
    {
      hint: ca ? `${capital(replaceInBundle(caBundle))}.` : `Bring one of them along, with its key: ${bring}`,
      details: { context, object },
    },
  );
}

/** Certificates that stay as they are although they should be issued anew: nothing can sign. */
export function keptUnsigned(steps: readonly Step[]): string[] {
  return steps.flatMap(({ action, object, why }) =>
    action === 'keep' && why.endsWith(NOTHING_SIGNS) ? [`Secret ${object.namespace}/${object.name}: ${why}`] : [],
  );
}

const NOTHING_SIGNS = 'but nothing can sign';

function ifMoved(snapshot: ClusterSnapshot): string {
  return canIssue(snapshot)
    ? 'reissued if the Service gets another address'
    : `the Service may get another address, ${NOTHING_SIGNS}`;
}

function canIssue({ ca }: ClusterSnapshot): boolean {
  return ca?.keyMatches ?? false;
}

/** Whether a certificate does what it is for, by the CA that is with it and for the names that it has. */
function isUsable(present: TlsSecretFacts | undefined, spec: CertificateSpec, now: Date): boolean {
  return (
    present?.ca !== undefined && !reasonToReissue(present, withoutNames(present.certificate, spec), present.ca, now)
  );
}

/** What it covers already counts as enough. */
function withoutNames({ dnsNames, ipAddresses }: CertificateFacts, spec: CertificateSpec): CertificateSpec {
  return { ...spec, dnsNames: [...dnsNames], ipAddresses: [...ipAddresses] };
}

/**
 * Whether what is in a Secret is meshctl's, whoever made the Secret: whoever applied what `render` printed owns the empty
 * fields, and means them to be filled.
 */
function isOursToFill(secret: KubeObject | undefined): boolean {
  return secret !== undefined && (isUnfilled(secret) || managersOfData(secret).includes(FIELD_MANAGER));
}

/** A Secret in which nothing is worth being kept: no program could start with it. */
function isBroken(snapshot: ClusterSnapshot, secret: KubeObject | undefined): boolean {
  return secret !== undefined && !hasCertificate(snapshot, secret.metadata.name);
}

/** As rendered: with its labels, and what the operator has set; what a tool makes stays the tool's by its marks. */
function secretWithoutData({ objects }: EnableInput, ref: ObjectRef, live: KubeObject | undefined): KubeObject {
  const rendered = objects.find((object) => keyOf(refOf(object)) === keyOf(ref));
  if (!rendered) return emptySecret(ref, 'kubernetes.io/tls');
  const { data: _data, ...secret } = rendered;
  return live && toolOwner(live) !== undefined ? leftToOwner(live, secret as KubeObject) : (secret as KubeObject);
}

function reissueReason(
  present: TlsSecretFacts | undefined,
  certificate: SecretCertificate,
  needed: CertificateSpec,
  input: Pick<EnableInput, 'snapshot' | 'planned' | 'authority' | 'now'>,
): string | undefined {
  const { certificate: ca, makes }: AuthorityPlan = input.authority;
  const there = present ?? certificateLackAt(input.snapshot, certificate.secret);
  if (!ca) return makes ? 'the CA is new' : typeof there === 'string' ? saysCertificateLack(there) : undefined;
  const accepted = makes ? [] : acceptedInRotation(input.snapshot);
  const reason = reasonToReissue(there, needed, ca, input.now, accepted);
  return (
    reason ??
    (needed === certificate.spec && isPending(input, certificate) ? 'the Service gets another address' : undefined)
  );
}

/** Whether the certificate has to cover an address that is not there yet. */
function isPending({ snapshot, planned }: Pick<EnableInput, 'snapshot' | 'planned'>, { secret }: SecretCertificate) {
  return (
    secret === SERVER_CERT_SECRET &&
    awaitsAddress(planned) &&
    (!awaitsAddress(snapshot) || !snapshot.tlsSecrets.has(secret))
  );
}

/** Names that an earlier certificate covered stay covered: peers may dial them. */
function withPresentNames(
  spec: CertificateSpec,
  present: Pick<CertificateFacts, 'dnsNames' | 'ipAddresses'> | undefined,
): CertificateSpec {
  if (!present) return spec;
  return {
    ...spec,
    dnsNames: [...new Set([...spec.dnsNames, ...present.dnsNames])],
    ipAddresses: [...new Set([...spec.ipAddresses, ...present.ipAddresses])],
  };
}
