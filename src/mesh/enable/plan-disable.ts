import type { CertificateFacts } from '../certificates/certificate.ts';
import { CERTIFICATE_SECRETS } from '../certificates/cluster-certificates.ts';
import { isSameKey, issuerOf, storedWith } from '../certificates/trust.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { enumerated } from '../counted.ts';
import { MeshctlError } from '../errors.ts';
import { describeRef, type KubeObject, keyOf, type ObjectRef, refOf } from '../objects/kube-object.ts';
import { APISERVER, CA_SECRET, secretRef } from '../objects/names.ts';
import { foreignOwner, isOurs, managersOfData } from '../objects/ownership.ts';
import { neededBy, templateSpec } from '../objects/workload.ts';
import { PEER_SECRETS } from '../peers/peers.ts';
import { heldBy, isGoing } from '../plan/going.ts';
import { FIELD_MANAGER, type Plan, type Step } from '../plan/plan.ts';
import { describeUnfinished, provenRotation } from '../rotation/unfinished-rotation.ts';
import { deletionOf, namesPeers } from './deletion.ts';

/** Secrets of Hubble, whose certificates Cilium's chart signs with the same CA (templates/hubble/tls-helm). */
const HUBBLE_SECRETS = [
  'hubble-server-certs',
  'hubble-relay-client-certs',
  'hubble-relay-server-certs',
  'hubble-ui-client-certs',
  'hubble-metrics-server-certs',
];

/** What disable has to read beside everything that enable can make: who else uses the CA. */
export function usersOfAuthority(namespace: string): ObjectRef[] {
  return HUBBLE_SECRETS.map((name) => secretRef(namespace, name));
}

export interface DisableInput {
  snapshot: ClusterSnapshot;
  /** Everything that enable can make. */
  possible: readonly ObjectRef[];
  /** Leave the certificates and the CA, so that a later enable goes on with them. */
  keepCertificates: boolean;
}

/**
 * The ordered removal of what meshctl made, and of nothing else: first who dials and is let in, then what serves, then what that
 * needed, the CA at the end.
 */
export function planDisable({ snapshot, possible, keepCertificates }: DisableInput): Plan {
  const authority = secretRef(snapshot.namespace, CA_SECRET);
  const present = [...possible, authority].flatMap((ref) => snapshot.objects.get(keyOf(ref)) ?? []);
  const ordered = [...present].sort((a, b) => rankOf(a) - rankOf(b));
  const removals = ordered
    .filter(({ metadata }) => metadata.name !== CA_SECRET)
    .map((object) => removalStep(snapshot, object, keepCertificates));
  const steps = sparingWhatStays(removals);
  const live = snapshot.objects.get(keyOf(authority));
  return { steps: live ? [...steps, authorityStep(snapshot, live, steps, keepCertificates)] : steps };
}

function removalStep(snapshot: ClusterSnapshot, object: KubeObject, keepCertificates: boolean): Step {
  const base = { cluster: snapshot.context, object: refOf(object), changes: [], before: object };
  const reason = reasonToKeep(object, keepCertificates);
  if (reason) return { ...base, action: 'keep', why: reason, isSpared: true };
  const why = isGoing(object) ? `is being deleted already${heldBy(object)}` : 'meshctl made it';
  const write = deletionOf(object);
  return { ...base, action: 'delete', why, write };
}

/** What the pods of a Deployment that stays cannot start without stays with it: its tool may count on it, and not make it. */
function sparingWhatStays(steps: readonly Step[]): Step[] {
  const needed = steps.flatMap(({ action, object, before }) =>
    action === 'keep' && object.kind === 'Deployment' ? neededBy(templateSpec(before)) : [],
  );
  return steps.map((step) => {
    const { write: _write, ...base } = step;
    const isNeeded = needed.some(({ kind, name }) => kind === step.object.kind && name === step.object.name);
    return step.action === 'delete' && isNeeded ? { ...base, action: 'keep', why: STILL_NEEDED, isSpared: true } : step;
  });
}

/** Why something of meshctl's stays beside a Deployment of another tool's. */
export const STILL_NEEDED = 'the pods that stay cannot start without it';

function reasonToKeep(object: KubeObject, keepCertificates: boolean): string | undefined {
  const owner = foreignOwner(object);
  if (owner) return `made by ${owner}`;
  if (!isOurs(object)) return 'meshctl did not make it';
  const others = managersOfData(object).filter((manager) => manager !== FIELD_MANAGER);
  if (others.length > 0) return `${others.join(', ')} put something into it`;
  return keepCertificates && isCertificate(object) ? '--keep-certificates' : undefined;
}

function authorityStep(
  snapshot: ClusterSnapshot,
  live: KubeObject,
  steps: readonly Step[],
  keepCertificates: boolean,
): Step {
  const base = { cluster: snapshot.context, object: refOf(live), changes: [], before: live };
  const reason = reasonToKeep(live, false) ?? (keepCertificates ? '--keep-certificates' : whoUses(snapshot, steps));
  if (reason) return { ...base, action: 'keep', why: reason, isSpared: true };
  // The key is not read, and goes all the same.
  const changes = snapshot.ca?.hasKey === false ? [] : [{ path: 'data.ca.key' }];
  return { ...base, action: 'delete', changes, why: 'meshctl put the CA there', write: { method: 'delete' } };
}

/**
 * Why the CA stays for others, as a clause: Secrets that stay with certificates that it signed, which only it can renew; that have it
 * beside theirs, as the chart writes it there at its next upgrade (templates/hubble/tls-helm: `ca.crt` is what Secret cilium-ca has by then,
 * `tls.crt` stays); or that may not be read.
 */
function whoUses(snapshot: ClusterSnapshot, steps: readonly Step[]): string | undefined {
  const { tlsSecrets, namespace, ca, unread } = snapshot;
  const removed = new Set(steps.flatMap(({ action, object }) => (action === 'delete' ? [object.name] : [])));
  const isOurCa = (one: CertificateFacts | undefined) => isSameKey(one, ca?.certificate);
  const staying = [...tlsSecrets].filter(([name]) => !removed.has(name));
  const signed = staying.filter(([, facts]) => isOurCa(issuerOf(facts)));
  const beside = staying.filter((one) => !signed.includes(one) && storedWith(one[1]).some(isOurCa));
  const unseen = usersOfAuthority(namespace).filter((ref) => unread?.has(keyOf(ref)));
  const clauses = [
    ...(signed.length > 0 ? [`it signed ${enumerated(signed.map(([name]) => name))}`] : []),
    ...(beside.length > 0
      ? [`${enumerated(beside.map(([name]) => name))} ${beside.length === 1 ? 'has' : 'have'} it`]
      : []),
    ...(unseen.length > 0 ? [`whether it signed ${unseen.map(({ name }) => name).join(' or ')} may not be read`] : []),
  ];
  return clauses.length > 0 ? clauses.join('; ') : undefined;
}

/**
 * Refuses to remove what the plan that was agreed to keeps, or does not know. Objects that say who is connected go by who that is:
 * disconnecting changes them.
 * @throws MeshctlError `Conflict`, naming the objects
 */
export function requireNoFurtherRemovals(
  context: string,
  { agreed, now }: { agreed: readonly Step[]; now: readonly Step[] },
): void {
  const removed = (steps: readonly Step[]) =>
    steps.filter(({ action, object }) => action === 'delete' && !namesPeers(object)).map(({ object }) => object);
  const known = new Set(removed(agreed).map(keyOf));
  const further = removed(now).filter((object) => !known.has(keyOf(object)));
  if (further.length === 0) return;
  const objects = further.map(describeRef);
  const shown = objects.length > 3 ? `${objects.length} objects` : objects.join(', ');
  const kept = agreed.some(({ action, object }) => action === 'keep' && keyOf(object) === keyOf(further[0] ?? object));
  throw new MeshctlError(
    'Conflict',
    `context "${context}": ${shown} would be removed too by now, which the plan ${kept ? 'keeps' : 'does not know'}`,
    { hint: 'Run the same command again: its plan says it.', details: { context, objects } },
  );
}

/**
 * What becomes of a rotation in whose middle a cluster leaves: with its certificates it ends; where they are kept it goes on
 * when the cluster is enabled again.
 */
export function rotationNotes(snapshot: ClusterSnapshot, steps: readonly Step[]): string[] {
  const rotation = provenRotation(snapshot);
  const isKept = steps.some(({ action, object }) => action === 'keep' && object.name === CA_SECRET);
  if (!rotation || !isKept) return [];
  const goOn = meshctlCommand('clustermesh certs rotate', { context: snapshot.context }, [
    ...(rotation.stage === 'trusting' ? ['--ca'] : []),
  ]);
  return [`${describeUnfinished(rotation)}; what is kept stays as it is; once enabled again, continue with: ${goOn}`];
}

/** Whether certificates of the mesh stay, so that a rotation in whose middle they are goes on with them. */
export function keepsCertificates(steps: readonly Step[]): boolean {
  return steps.some(({ action, object }) => action === 'keep' && CERTIFICATE_SECRETS.includes(object.name));
}

function isCertificate({ kind, metadata }: KubeObject): boolean {
  return kind === 'Secret' && !PEER_SECRETS.some((name) => name === metadata.name);
}

const ORDER: readonly ((object: KubeObject) => boolean)[] = [
  (object) => namesPeers(refOf(object)),
  ({ kind }) => kind === 'ServiceMonitor',
  ({ kind }) => kind === 'PodDisruptionBudget',
  ({ kind }) => kind === 'Deployment',
  ({ kind, metadata }) => kind === 'Service' && metadata.name === APISERVER,
  ({ kind }) => kind === 'Service',
  ({ kind }) => kind === 'ClusterRoleBinding',
  ({ kind }) => kind === 'ClusterRole',
  ({ kind }) => kind === 'ServiceAccount',
];

function rankOf(object: KubeObject): number {
  const rank = ORDER.findIndex((matches) => matches(object));
  return rank < 0 ? ORDER.length : rank;
}

/**
 * One step for each object: what is taken out of an object that is removed right after need not be shown, nor that an
 * object stays which parting changes or removes.
 */
export function oneStepEach(parting: readonly Step[], removals: readonly Step[]): Step[] {
  const keyed = ({ cluster, object }: Step) => JSON.stringify([cluster, keyOf(object)]);
  const going = new Set(removals.filter(({ action }) => action !== 'keep').map(keyed));
  const shown = parting.filter((step) => !going.has(keyed(step)) && step.action !== 'keep');
  const parted = new Set(shown.map(keyed));
  const known = new Set(removals.map(keyed));
  const kept = parting.filter((step) => step.action === 'keep' && !known.has(keyed(step)));
  return [...shown, ...kept, ...removals.filter((step) => !parted.has(keyed(step)))];
}
