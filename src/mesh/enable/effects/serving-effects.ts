import { replicasOf, scaleUpCommand } from '../../apiserver/deployment.ts';
import { mendMisfit } from '../../apiserver/mend-misfit.ts';
import { misfitsOf } from '../../apiserver/misfits.ts';
import { endsAllFirst } from '../../apiserver/replacement.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { firstOf } from '../../counted.ts';
import { type KubeObject, keyOf, type ObjectRef, objectIn } from '../../objects/kube-object.ts';
import {
  apiserverDeploymentRef,
  apiserverServiceRef,
  KVSTOREMESH_PEERS_SECRET,
  REMOTE_CERT_SECRET,
  SERVER_CERT_SECRET,
} from '../../objects/names.ts';
import { overlaps } from '../../objects/ownership.ts';
import { serviceSpec } from '../../objects/service.ts';
import { changesTo } from '../../plan/diff.ts';
import type { PeerEffect } from '../../plan/peer-effects.ts';
import type { Change, Step } from '../../plan/plan.ts';
import { isRecord } from '../../record.ts';
import { settingsAbout, unsetCommand } from '../kept-settings.ts';
import { enableOnceGone } from '../unfinished-disable.ts';
import { isHarmless, servesPeers } from './harmless-changes.ts';

export interface ServingInput {
  snapshot: ClusterSnapshot;
  steps: readonly Step[];
  /** The objects as they are rendered: what serves peers. */
  rendered: readonly KubeObject[];
  /** The same with what the operator has set. */
  objects: readonly KubeObject[];
}

type Effect = Pick<PeerEffect, 'becomes' | 'why' | 'mend'>;

/**
 * What becomes of all peers by what serves them. What meshctl renders serves; whatever is made otherwise may not, but for
 * fields that are known to be harmless. Putting back what serves lets peers in again.
 */
export function servingEffects(input: ServingInput): Effect[] {
  const { snapshot, objects } = input;
  const live = (ref: ObjectRef) => snapshot.objects.get(keyOf(ref));
  const wanted = (ref: ObjectRef) => objectIn(objects, ref);
  const [before, after] = [live, wanted].map((get) => shutOut(snapshot, get)) as [Effect[], Effect[]];
  const repaired =
    after.length === 0 ? before.map(({ why }): Effect => ({ becomes: 'restored', why: `until now ${why}` })) : [];
  return [...after, ...repaired, ...riskyEffects(input), ...replacementEffects(input)];
}

/** By what nobody gets in. */
function shutOut(snapshot: ClusterSnapshot, get: (ref: ObjectRef) => KubeObject | undefined): Effect[] {
  const { context, namespace } = snapshot;
  const [service, deployment] = [get(apiserverServiceRef(namespace)), get(apiserverDeploymentRef(namespace))];
  const cut = (why: string, mend: string): Effect => ({ becomes: 'cut', why, mend });
  return [
    ...(deployment === undefined ? [cut('this cluster has no clustermesh-apiserver', enableOnceGone([snapshot]))] : []),
    ...(replicasOf(deployment) === 0
      ? [cut("this cluster's clustermesh-apiserver has 0 replicas", scaleUpCommand({ context, namespace }, deployment))]
      : []),
    ...misfitsOf(service, deployment).map((misfit) =>
      cut(misfit.says.replaceAll(/\bits\b/g, "this cluster's"), mendMisfit({ context, namespace }, misfit)),
    ),
  ];
}

/** Changes that are the operator's own, and of which nobody knows what they do to peers. */
function riskyEffects({ snapshot, steps, rendered, objects }: ServingInput): Effect[] {
  return steps.flatMap(({ action, object: ref, changes }): Effect[] => {
    const [own, wanted] = [rendered, objects].map((list) => objectIn(list, ref));
    if (action === 'keep' || !servesPeers(ref) || !own || !wanted) return [];
    const differences = [...changesTo(own, wanted), ...changesTo(wanted, own)].map(({ path }) => path);
    const done: readonly Change[] = action === 'create' ? changesTo({}, wanted) : changes;
    const isOwn = (change: Change) =>
      differences.some((one) => overlaps(one, change.path)) ||
      isReadByCloud(snapshot.objects.get(keyOf(ref)), wanted, change.path) ||
      isOtherTrust(change);
    const risky = done.filter((change) => isOwn(change) && !isHarmless(ref, change));
    if (risky.length === 0) return [];
    const settings = [...new Set(risky.flatMap(({ path }) => settingsAbout(wanted, path)))];
    const paths = firstOf(risky.map(({ path }) => path));
    const why = `${ref.kind} ${ref.name} changes in ${paths}`;
    return [
      { becomes: 'unknown', why, ...(settings.length > 0 ? { mend: unsetCommand(snapshot.context, settings) } : {}) },
    ];
  });
}

/** Whoever has given a load balancer its address may give it another one by the annotations, whoever wants them so. */
function isReadByCloud(live: KubeObject | undefined, wanted: KubeObject, path: string): boolean {
  const isBalanced = [live, wanted].every((one) => one?.kind === 'Service' && serviceSpec(one).type === 'LoadBalancer');
  return isBalanced && path.startsWith('metadata.annotations.');
}

/**
 * What etcd and KVStoreMesh go by who comes in, and who is dialled, where somebody has it from elsewhere: those whom that lets
 * in may be shut out by what is rendered.
 */
function isOtherTrust({ path, from }: Change): boolean {
  if (!/\.volumes\[(etcd-server-secrets|kvstoremesh-secrets)\]/.test(path)) return false;
  const names = typeof from === 'string' && path.endsWith('.name') ? [from] : sourcesIn(from);
  return names.some((name) => !OWN_SOURCES.includes(name));
}

/** What meshctl and Cilium's chart mount there by themselves. */
const OWN_SOURCES: readonly string[] = [SERVER_CERT_SECRET, REMOTE_CERT_SECRET, KVSTOREMESH_PEERS_SECRET];

/** The names of all objects that any part of a projected volume takes files from. */
function sourcesIn(part: unknown): string[] {
  if (Array.isArray(part)) return part.flatMap(sourcesIn);
  if (!isRecord(part)) return [];
  const { name, secretName } = part;
  const isVolume = 'projected' in part || 'secret' in part || 'configMap' in part;
  const own = [secretName, isVolume ? undefined : name].filter((one) => typeof one === 'string');
  return [...own, ...Object.values(part).flatMap(sourcesIn)];
}

/** New pods of which nobody knows yet whether they work, for which all the former ones are ended first. */
function replacementEffects({ snapshot, steps, objects }: ServingInput): Effect[] {
  const ref = apiserverDeploymentRef(snapshot.namespace);
  const step = steps.find(({ action, object }) => action === 'update' && keyOf(object) === keyOf(ref));
  const wanted = objectIn(objects, ref);
  const replaces = step?.changes.some(({ path }) => path.startsWith('spec.template'));
  if (!wanted || !replaces) return [];
  if (!endsAllFirst(wanted)) return [];
  const why = "all pods of this cluster's clustermesh-apiserver end before new ones are ready";
  const mend = unsetCommand(snapshot.context, settingsAbout(wanted, 'spec.strategy'));
  return [{ becomes: 'unknown', why, mend }];
}
