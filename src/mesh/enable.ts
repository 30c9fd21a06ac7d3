import { requireSigner } from './certificate-authority.ts';
import type { CertificateFacts, CertificateSpec } from './certificates.ts';
import { reasonToReissue, type SecretCertificate } from './cluster-certificates.ts';
import { meshctlCommand } from './command-line.ts';
import { applyChanges } from './diff.ts';
import { isIpAddress, serviceEndpoints } from './endpoints.ts';
import { MeshctlError } from './errors.ts';
import { type KubeObject, keyOf, type ObjectRef, refOf } from './kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  APISERVER,
  CA_SECRET,
  KVSTOREMESH_PEERS_SECRET,
  SERVER_CERT_SECRET,
  secretRef,
  serviceHostname,
} from './names.ts';
import { conflictsOf, describeConflicts, foreignOwner, isOurs, managersOfData, withoutOwnMarks } from './ownership.ts';
import { peersIn } from './peer-config.ts';
import { type CertificateOrder, FIELD_MANAGER, type Plan, type Step, TLS_KEYS } from './plan.ts';
import type { AuthorityPlan } from './plan-authority.ts';
import { emptySecret, secretTexts } from './secret-data.ts';
import type { ClusterSnapshot } from './snapshot.ts';

/** Names on the pods the CA that their etcd has read: another one is another template, so they are replaced. */
export const POD_CA_ANNOTATION = 'meshctl.io/ca';

/** What the plan of one cluster is made from. */
export interface EnableInput {
  snapshot: ClusterSnapshot;
  /** All objects as rendered for this cluster; those of certificates without data. */
  objects: readonly KubeObject[];
  certificates: readonly SecretCertificate[];
  authority: AuthorityPlan;
  /** Everything that other options would render: what meshctl made of it and is not rendered goes. */
  possible: readonly ObjectRef[];
  /** Of certificates that are issued; absent: the defaults. */
  issuing?: Pick<CertificateOrder, 'validityMs' | 'keySize'> | undefined;
  /** Take over what others have made. */
  force: boolean;
  now: Date;
}

/**
 * The ordered steps that turn a cluster into one with the rendered clustermesh-apiserver: the CA, the Service (its address
 * goes into the server certificate), certificates, everything that the pods refer to, the Deployment, and at the end the
 * removal of what earlier options needed.
 */
export function planEnable(input: EnableInput): Plan {
  const { objects, certificates } = input;
  const isService = (object: KubeObject): boolean => object.kind === 'Service' && object.metadata.name === APISERVER;
  const certificateNames = new Set(certificates.map(({ secret }) => secret));
  const isCertificate = (object: KubeObject): boolean =>
    object.kind === 'Secret' && certificateNames.has(object.metadata.name);
  const others = objects.filter((object) => !isService(object) && !isCertificate(object));
  return {
    steps: [
      input.authority.step,
      ...objects.filter(isService).map((object) => applyStep(input, object, 'peers dial it')),
      ...certificates.map((certificate) => certificateStep(input, certificate)),
      ...others
        .filter(({ kind }) => kind !== 'Deployment')
        .map((object) => (isShared(object) ? createStep(input, object) : applyStep(input, object))),
      ...others.filter(({ kind }) => kind === 'Deployment').map((object) => applyStep(input, object)),
      ...leftoverSteps(input),
    ],
  };
}

/**
 * Refuses a plan that would overwrite what others have set.
 * @throws MeshctlError `Conflict`, naming owners and fields
 */
export function requireNoConflicts({ context }: ClusterSnapshot, steps: readonly Step[]): void {
  const disputed = steps.flatMap(({ conflicts = [], before, object }) =>
    conflicts.length > 0 ? [{ owner: foreignOwner(before), words: describeConflicts(object, conflicts) }] : [],
  );
  if (disputed.length === 0) return;
  const owners = [...new Set(disputed.flatMap(({ owner }) => owner ?? []))];
  const whose = owners.length > 0 ? `${owners.join(' and ')} owns` : 'others own';
  throw new MeshctlError(
    'Conflict',
    `context "${context}": ${whose} fields that would have to change: ${disputed.map(({ words }) => words).join('; ')}`,
    {
      hint: owners.some((owner) => owner.startsWith('Helm'))
        ? `Take the fields over with --force-conflicts, or let Helm do it: ${meshctlCommand('clustermesh enable', { context }, ['--via-helm'])}`
        : 'Change them where they are managed, or take the fields over with --force-conflicts.',
      details: { context, conflicts: steps.flatMap(({ conflicts = [] }) => conflicts) },
    },
  );
}

/** Whether the Service has what peers will dial; a load balancer may still be waiting for its address. */
export function awaitsAddress(snapshot: ClusterSnapshot): boolean {
  return serviceEndpoints(snapshot) === undefined;
}

/**
 * What goes into {@link POD_CA_ANNOTATION}: the certificate that etcd will find beside its own at the next start.
 * Undefined while the CA is yet to be generated.
 */
export function caFingerprint({
  snapshot,
  authority,
  certificates,
  now,
}: Omit<EnableInput, 'objects' | 'possible' | 'force'>) {
  const server = certificates.find(({ secret }) => secret === SERVER_CERT_SECRET);
  const present = snapshot.tlsSecrets.get(SERVER_CERT_SECRET);
  const stays = server && authority.certificate && !reissueReason(present, server.spec, authority, now);
  const trusted = stays ? present?.ca : authority.certificate;
  return trusted && caMark(trusted);
}

/** The value of {@link POD_CA_ANNOTATION} for pods that started with a CA. */
export function caMark({ sha256 }: CertificateFacts): string {
  return sha256.slice(0, 16);
}

/** The {@link POD_CA_ANNOTATION} of a Deployment's pods, if it has one. */
export function podCaMark(deployment: KubeObject | undefined): string | undefined {
  const spec = deployment?.spec as { template?: { metadata?: { annotations?: Record<string, string> } } } | undefined;
  return spec?.template?.metadata?.annotations?.[POD_CA_ANNOTATION];
}

/** Objects that connect fills: enable makes them once and leaves what is in them. */
function isShared(object: KubeObject): boolean {
  return object.kind === 'Secret' || (object.kind === 'ConfigMap' && object.metadata.name !== 'cilium-config');
}

function applyStep({ snapshot, force }: EnableInput, object: KubeObject, purpose = ''): Step {
  const ref = refOf(object);
  const before = snapshot.objects.get(keyOf(ref));
  const owner = force ? undefined : foreignOwner(before);
  const wanted = owner === undefined ? object : withoutOwnMarks(object);
  const base = { cluster: snapshot.context, object: ref, before, wanted };
  const write = { method: 'apply', object: wanted } as const;
  if (!before) return { ...base, action: 'create', changes: [], why: purpose, write };
  const changes = applyChanges(before, wanted, FIELD_MANAGER);
  if (changes.length === 0) return { ...base, action: 'keep', changes, why: owner ? `made by ${owner}` : 'as wanted' };
  const rolls = changes.some(({ path }) => path.endsWith(POD_CA_ANNOTATION));
  const why = purpose || (rolls ? 'differs; etcd reads its CA only at its start' : 'differs');
  return { ...base, action: 'update', changes, why, write, ...disputes(before, changes, force) };
}

function disputes(before: KubeObject | undefined, changes: Step['changes'], force: boolean): Pick<Step, 'conflicts'> {
  const conflicts = before && !force ? conflictsOf(before, changes) : [];
  return conflicts.length > 0 ? { conflicts } : {};
}

function createStep({ snapshot }: EnableInput, object: KubeObject): Step {
  const ref = refOf(object);
  const before = snapshot.objects.get(keyOf(ref));
  const base = { cluster: snapshot.context, object: ref, changes: [], before };
  if (before) return { ...base, action: 'keep', why: 'holds the peers' };
  return { ...base, action: 'create', why: 'will hold the peers', write: { method: 'create', object } };
}

function certificateStep(input: EnableInput, { secret, spec }: SecretCertificate): Step {
  const { snapshot, authority, force, now } = input;
  const ref = secretRef(snapshot.namespace, secret);
  const before = snapshot.objects.get(keyOf(ref));
  const present = snapshot.tlsSecrets.get(secret);
  const base = { cluster: snapshot.context, object: ref, before };
  const ours = isOursToFill(before);
  const owner = force || ours ? undefined : foreignOwner(before);
  // Peers reach what others have made by its name in the mesh: their certificates cover no addresses.
  const needed = owner === undefined ? spec : withoutAddresses(spec, snapshot.namespace);
  const reason = reissueReason(present, needed, authority, now);
  if (!reason) {
    const until = `valid until ${dayOf(present?.certificate.notAfter)}`;
    return { ...base, action: 'keep', changes: [], why: owner ? `${until}, made by ${owner}` : until };
  }
  // A CA that comes with this very plan has its key; one that is there must be able to sign.
  if (authority.step.action === 'keep') requireSigner(snapshot, `certificate ${spec.commonName}`);
  const wanted = secret === SERVER_CERT_SECRET ? withPresentNames(spec, present?.certificate) : spec;
  const names = [...wanted.dnsNames, ...wanted.ipAddresses].join(', ');
  const pending = secret === SERVER_CERT_SECRET && awaitsAddress(snapshot) ? ", and the Service's address" : '';
  const changes = [
    { path: 'data.tls.crt', to: `certificate ${spec.commonName}${names ? ` for ${names}${pending}` : ''}` },
  ];
  return {
    ...base,
    action: before ? 'update' : 'create',
    changes,
    why: reason,
    write: {
      method: 'issue',
      certificates: [{ spec: wanted, signer: snapshot.context, keys: TLS_KEYS, ...input.issuing }],
      data: {},
      secret: secretWithoutData(input, ref),
      into: ours && foreignOwner(before) ? 'patch' : 'apply',
    },
    ...disputes(before, changes, force || ours),
  };
}

/**
 * Whether what is in a Secret is meshctl's, whoever made the Secret: whoever applied what `render` printed owns the empty
 * fields, and means them to be filled.
 */
function isOursToFill(secret: KubeObject | undefined): boolean {
  return secret !== undefined && (isUnfilled(secret) || managersOfData(secret).includes(FIELD_MANAGER));
}

/** A Secret as `render` prints it: the API server demands the keys, but there is nothing in them. */
function isUnfilled(secret: KubeObject): boolean {
  return Object.values(secret.data ?? {}).every((value) => value === '');
}

/** As rendered: with its labels, and what the operator has set. */
function secretWithoutData({ objects }: EnableInput, ref: ObjectRef): KubeObject {
  const rendered = objects.find((object) => keyOf(refOf(object)) === keyOf(ref));
  if (!rendered) return emptySecret(ref, 'kubernetes.io/tls');
  const { data: _data, ...secret } = rendered;
  return secret as KubeObject;
}

function reissueReason(
  present: Parameters<typeof reasonToReissue>[0],
  spec: CertificateSpec,
  { step, certificate }: AuthorityPlan,
  now: Date,
): string | undefined {
  if (certificate) return reasonToReissue(present, spec, certificate, now);
  return step.action === 'keep' ? (present ? undefined : 'there is no certificate yet') : 'the CA is new';
}

/** What earlier options needed and these do not. Secrets with peers in them stay: connect moves those. */
function leftoverSteps({ snapshot, objects, possible }: EnableInput): Step[] {
  const rendered = new Set(objects.map((object) => keyOf(refOf(object))));
  return possible
    .filter((ref) => !rendered.has(keyOf(ref)))
    .flatMap((ref): Step[] => {
      const before = snapshot.objects.get(keyOf(ref));
      if (!before || !isOurs(before)) return [];
      const base = { cluster: snapshot.context, object: ref, changes: [], before };
      const peers = isPeersSecret(ref) ? peersIn(secretTexts(before)) : [];
      if (peers.length > 0) return [{ ...base, action: 'keep', why: `holds ${peers.join(', ')}` }];
      return [{ ...base, action: 'delete', why: 'these options do not need it', write: { method: 'delete' } }];
    });
}

function isPeersSecret({ kind, name }: ObjectRef): boolean {
  return kind === 'Secret' && (name === AGENT_PEERS_SECRET || name === KVSTOREMESH_PEERS_SECRET);
}

function withoutAddresses(spec: CertificateSpec, namespace: string): CertificateSpec {
  const own = [serviceHostname(namespace), '*.mesh.cilium.io'];
  return {
    ...spec,
    dnsNames: spec.dnsNames.filter((name) => own.includes(name)),
    ipAddresses: spec.ipAddresses.filter((ip) => !isIpAddress(ip)),
  };
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

function dayOf(date: Date | undefined): string {
  return date?.toISOString().slice(0, 10) ?? 'an unknown day';
}

/** Steps after which the Service gets its address; everything else needs the CA and that address. */
export function isFoundation({ object }: Step): boolean {
  return object.name === CA_SECRET || (object.kind === 'Service' && object.name === APISERVER);
}
