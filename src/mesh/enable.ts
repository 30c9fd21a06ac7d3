import { replicasOf, runsKvstoremesh } from './apiserver-deployment.ts';
import { requireSigner } from './certificate-authority.ts';
import type { CertificateSpec } from './certificates.ts';
import { reasonToReissue, type SecretCertificate } from './cluster-certificates.ts';
import { applyChanges } from './diff.ts';
import { serviceEndpoints } from './endpoints.ts';
import type { ClusterIdentity } from './identity.ts';
import { type KubeObject, keyOf, refOf } from './kube-object.ts';
import {
  APISERVER,
  apiserverDeploymentRef,
  apiserverServiceRef,
  CA_SECRET,
  SERVER_CERT_SECRET,
  secretRef,
} from './names.ts';
import { defaultNodePort } from './node-port.ts';
import { FIELD_MANAGER, type Plan, type Step, TLS_KEYS } from './plan.ts';
import { emptySecret } from './secret-data.ts';
import { detectServiceExposure, type ServiceExposure, type ServiceType } from './service-type.ts';
import type { ClusterSnapshot } from './snapshot.ts';

/** What the operator may choose; absent means: as it is in the cluster, else the default. */
export interface EnableChoices {
  serviceType?: ServiceType | undefined;
  serviceAnnotations?: Readonly<Record<string, string>> | undefined;
  nodePort?: number | undefined;
  replicas?: number | undefined;
  kvstoremesh?: boolean | undefined;
}

/** The choices as they come out for one cluster. */
export interface EnableSettings {
  exposure: ServiceExposure;
  /** Only with type NodePort. */
  nodePort?: number | undefined;
  replicas: number;
  kvstoremesh: boolean;
}

interface ServiceSpec {
  type?: ServiceType;
  ports?: { nodePort?: number }[];
}

/**
 * Choices, then what is in the cluster, then defaults: a run without flags never turns back what an earlier run with flags
 * made, and never moves a Service that peers already dial.
 */
export function settleEnable(
  snapshot: ClusterSnapshot,
  identity: ClusterIdentity,
  choices: EnableChoices,
): EnableSettings {
  const deployment = snapshot.objects.get(keyOf(apiserverDeploymentRef(snapshot.namespace)));
  const exposure = settleExposure(snapshot, choices);
  return {
    exposure,
    ...(exposure.type === 'NodePort' ? { nodePort: settleNodePort(snapshot, identity, choices) } : {}),
    replicas: choices.replicas ?? replicasOf(deployment) ?? 1,
    kvstoremesh: choices.kvstoremesh ?? runsKvstoremesh(deployment) ?? true,
  };
}

function liveService(snapshot: ClusterSnapshot): KubeObject | undefined {
  return snapshot.objects.get(keyOf(apiserverServiceRef(snapshot.namespace)));
}

function settleExposure(snapshot: ClusterSnapshot, choices: EnableChoices): ServiceExposure {
  const live = liveService(snapshot);
  const liveType = (live?.spec as ServiceSpec | undefined)?.type;
  const detected = detectServiceExposure(snapshot);
  const base: ServiceExposure = choices.serviceType
    ? {
        type: choices.serviceType,
        // The cloud's annotations keep a load balancer private however its type was chosen.
        annotations: choices.serviceType === 'LoadBalancer' ? detected.annotations : {},
        evidence: ['--service-type'],
      }
    : live && liveType
      ? { type: liveType, annotations: ownAnnotations(live, detected), evidence: ['the Service exists with this type'] }
      : detected;
  return { ...base, annotations: { ...base.annotations, ...choices.serviceAnnotations } };
}

/** Annotations to go on applying: those that an earlier run set and still belong to meshctl, else the detected ones. */
function ownAnnotations(live: KubeObject, detected: ServiceExposure): Readonly<Record<string, string>> {
  const applied = live.metadata.managedFields?.find(
    ({ manager, operation }) => manager === FIELD_MANAGER && operation === 'Apply',
  );
  if (!applied) return detected.annotations;
  const fields = (applied.fieldsV1?.['f:metadata'] as Record<string, Record<string, unknown>> | undefined)?.[
    'f:annotations'
  ];
  const names = Object.keys(fields ?? {}).map((field) => field.replace(/^f:/, ''));
  const present = live.metadata.annotations ?? {};
  return Object.fromEntries(names.flatMap((name) => (present[name] === undefined ? [] : [[name, present[name]]])));
}

function settleNodePort(snapshot: ClusterSnapshot, identity: ClusterIdentity, choices: EnableChoices): number {
  const live = liveService(snapshot)?.spec as ServiceSpec | undefined;
  const livePort = live?.type === 'NodePort' ? live.ports?.[0]?.nodePort : undefined;
  return choices.nodePort ?? livePort ?? defaultNodePort(identity.id);
}

/** What the plan of one cluster is made from. */
export interface EnableInput {
  snapshot: ClusterSnapshot;
  /** All objects as rendered for this cluster; those of certificates without data. */
  objects: readonly KubeObject[];
  certificates: readonly SecretCertificate[];
  now: Date;
}

/**
 * The ordered steps that turn a cluster into one with the rendered clustermesh-apiserver: the CA, the Service (its address
 * goes into the server certificate), certificates, everything that the pods refer to, and the Deployment at the end.
 */
export function planEnable(input: EnableInput): Plan {
  const { snapshot, objects, certificates } = input;
  const isService = (object: KubeObject): boolean => object.kind === 'Service' && object.metadata.name === APISERVER;
  const certificateNames = new Set(certificates.map(({ secret }) => secret));
  const isCertificate = (object: KubeObject): boolean =>
    object.kind === 'Secret' && certificateNames.has(object.metadata.name);
  const others = objects.filter((object) => !isService(object) && !isCertificate(object));
  return {
    steps: [
      authorityStep(snapshot),
      ...objects.filter(isService).map((object) => applyStep(snapshot, object, 'peers dial it')),
      ...certificates.map((certificate) => certificateStep(input, certificate)),
      ...others
        .filter(({ kind }) => kind !== 'Deployment')
        .map((object) => (isShared(object) ? createStep(snapshot, object) : applyStep(snapshot, object))),
      ...others.filter(({ kind }) => kind === 'Deployment').map((object) => applyStep(snapshot, object)),
    ],
  };
}

/** Whether the Service has what peers will dial; a load balancer may still be waiting for its address. */
export function awaitsAddress(snapshot: ClusterSnapshot): boolean {
  return serviceEndpoints(snapshot) === undefined;
}

/** Objects that connect fills: enable makes them once and leaves what is in them. */
function isShared(object: KubeObject): boolean {
  return object.kind === 'Secret' || (object.kind === 'ConfigMap' && object.metadata.name !== 'cilium-config');
}

function authorityStep(snapshot: ClusterSnapshot): Step {
  const ref = secretRef(snapshot.namespace, CA_SECRET);
  const live = snapshot.objects.get(keyOf(ref));
  const base = { cluster: snapshot.context, object: ref, changes: [] };
  if (snapshot.ca || live) return { ...base, action: 'keep', why: 'the cluster has a CA', before: live };
  const secret = emptySecret(ref, 'Opaque');
  return {
    ...base,
    action: 'create',
    why: 'the cluster has no CA yet',
    write: { method: 'authority', commonName: 'Cilium CA', secret },
  };
}

function applyStep(snapshot: ClusterSnapshot, object: KubeObject, purpose = ''): Step {
  const ref = refOf(object);
  const before = snapshot.objects.get(keyOf(ref));
  const base = { cluster: snapshot.context, object: ref, before, wanted: object };
  if (!before) return { ...base, action: 'create', changes: [], why: purpose, write: { method: 'apply', object } };
  const changes = applyChanges(before, object, FIELD_MANAGER);
  if (changes.length === 0) return { ...base, action: 'keep', changes, why: 'as wanted' };
  return { ...base, action: 'update', changes, why: purpose || 'differs', write: { method: 'apply', object } };
}

function createStep(snapshot: ClusterSnapshot, object: KubeObject): Step {
  const ref = refOf(object);
  const before = snapshot.objects.get(keyOf(ref));
  const base = { cluster: snapshot.context, object: ref, changes: [], before };
  if (before) return { ...base, action: 'keep', why: 'holds the peers' };
  return { ...base, action: 'create', why: 'will hold the peers', write: { method: 'create', object } };
}

function certificateStep({ snapshot, now }: EnableInput, { secret, spec }: SecretCertificate): Step {
  const ref = secretRef(snapshot.namespace, secret);
  const before = snapshot.objects.get(keyOf(ref));
  const present = snapshot.tlsSecrets.get(secret);
  const base = { cluster: snapshot.context, object: ref, before };
  const reason = snapshot.ca ? reasonToReissue(present, spec, snapshot.ca.certificate, now) : 'the CA is new';
  // A new CA is made in this very plan; one that is there must be able to sign.
  if (reason && snapshot.objects.has(keyOf(secretRef(snapshot.namespace, CA_SECRET)))) {
    requireSigner(snapshot, `certificate ${spec.commonName}`);
  }
  if (!reason)
    return { ...base, action: 'keep', changes: [], why: `valid until ${dayOf(present?.certificate.notAfter)}` };
  const wanted = secret === SERVER_CERT_SECRET ? withPresentNames(spec, present?.certificate) : spec;
  const names = [...wanted.dnsNames, ...wanted.ipAddresses].join(', ');
  const pending = secret === SERVER_CERT_SECRET && awaitsAddress(snapshot) ? ", and the Service's address" : '';
  return {
    ...base,
    action: before ? 'update' : 'create',
    changes: [{ path: 'data.tls.crt', to: `certificate ${spec.commonName}${names ? ` for ${names}${pending}` : ''}` }],
    why: reason,
    write: {
      method: 'issue',
      certificates: [{ spec: wanted, signer: snapshot.context, keys: TLS_KEYS }],
      data: {},
      secret: emptySecret(ref, 'kubernetes.io/tls'),
      // Whoever applied what `render` printed owns the empty fields, and means them to be filled.
      into: isUnfilled(before) ? 'patch' : 'apply',
    },
  };
}

/** A Secret as `render` prints it: the API server demands the keys, but there is nothing in them. */
function isUnfilled(secret: KubeObject | undefined): boolean {
  return secret !== undefined && Object.values(secret.data ?? {}).every((value) => value === '');
}

/** Names that an earlier certificate covered stay covered: peers may dial them. */
function withPresentNames(
  spec: CertificateSpec,
  present: Pick<CertificateSpec, 'dnsNames' | 'ipAddresses'> | undefined,
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
