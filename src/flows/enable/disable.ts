import { asPlanned, type Journal } from '../../kube/apply.ts';
import { withPatience } from '../../kube/patience.ts';
import { loadTemplates, templateRefs } from '../../manifests/load.ts';
import { recordedIdentity } from '../../mesh/apiserver/recorded-identity.ts';
import { ciliumMissing } from '../../mesh/cilium/cilium-missing.ts';
import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import {
  keepsCertificates,
  planDisable,
  requireNoFurtherRemovals,
  rotationNotes,
  usersOfAuthority,
} from '../../mesh/enable/plan-disable.ts';
import type { PodsLeft } from '../../mesh/enable/remaining-pods.ts';
import { stayingNotes } from '../../mesh/enable/staying.ts';
import { keyOf } from '../../mesh/objects/kube-object.ts';
import { apiserverDeploymentRef } from '../../mesh/objects/names.ts';
import { requireNoneJoined } from '../../mesh/peers/joined-peers.ts';
import { peersOfOthers } from '../../mesh/peers/peer-choices.ts';
import { knownPeers } from '../../mesh/peers/peers.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { readPodsLeft } from '../../snapshot/nodes.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { invitationsEndingWith } from '../invitation/pending.ts';
import { leaveDeadRotation, requireNoRotation } from '../rotation/rotation-hold.ts';
import { tellWhatStands } from '../write/roll-back.ts';
import { requireWritten } from '../write/still-standing.ts';
import { tellChanged } from '../write/tell-changed.ts';
import { writeSteps } from '../write/write-steps.ts';
import { awaitFormerPodsGone, awaitPodsGone } from './await-pods-gone.ts';
import { awaitRemoved } from './await-removed.ts';

export interface DisableOptions {
  keepCertificates: boolean;
  /** For the pods to go; undefined: nothing is waited for. */
  waitMs: number | undefined;
  /** As that of a disconnect. */
  replacingMs?: number | undefined;
  /** Whether the command that this is a part of goes on with it when it is run again; default true. */
  resumes?: boolean;
  /** Hears that all is removed, before what goes by itself is waited for. */
  onRemoved?: (() => void) | undefined;
  /** Names of the peers from which the run has parted it before. */
  parted?: readonly string[] | undefined;
}

/** What disable would remove from one cluster. */
export interface DisableDraft {
  snapshot: ClusterSnapshot;
  /** The cluster's own name, the one that its peers know. */
  name: string;
  /** Names of the clusters that it dials or lets in. */
  peers: readonly string[];
  /** Those of them that belong to other owners. */
  ofOthers: readonly string[];
  steps: readonly Step[];
  notes: readonly string[];
  /** Pods that an earlier removal has left, or another hand's. */
  left: PodsLeft | undefined;
}

/** Reads the cluster and plans; writes nothing. @throws MeshctlError `CiliumMissing` */
export async function draftDisable(flow: Flow, target: Target, options: DisableOptions): Promise<DisableDraft> {
  const { client, namespace } = target;
  const templates = await loadTemplates(flow.installation);
  const possible = templateRefs(templates, namespace);
  const refs = [...possible, ...usersOfAuthority(namespace)];
  const snapshot = await during(
    flow,
    { doing: `${client.context}: reading the cluster`, done: `${client.context}: read the cluster` },
    () => readSnapshot(client, { namespace, purpose: 'connect', refs }),
  );
  if (!snapshot.ciliumConfig) throw ciliumMissing(snapshot);
  const left = await readPodsLeft(client, snapshot);
  const { steps } = planDisable({ snapshot, possible, keepCertificates: options.keepCertificates });
  return {
    snapshot,
    name: recordedIdentity(snapshot).name ?? clusterNameOf(snapshot),
    peers: knownPeers(snapshot),
    ofOthers: peersOfOthers(snapshot),
    steps,
    left,
    notes: [
      ...stayingNotes(snapshot, steps),
      ...rotationNotes(snapshot, steps),
      ...(await invitationsEndingWith(flow, { client, namespace })),
    ],
  };
}

/**
 * Removes what is there by now and waits until the pods have gone. Nothing is put back on failure: the next run goes on
 * where this one stopped.
 * @param agreed the plan, which may be old: its peers were disconnected, and other clusters disabled, before this one's turn
 * @returns what was removed
 * @throws MeshctlError `Conflict` where peers have come that it does not name, or more would go than it says
 */
export async function disableCluster(
  flow: Flow,
  target: Target,
  agreed: DisableDraft,
  options: DisableOptions,
): Promise<DisableDraft> {
  for (let round = 1; ; round++) {
    const final = await draftAsAgreed(flow, target, agreed, options);
    await requireNoRotation(flow, [target], final.steps);
    if (await removeAll(flow, target, final, { ...options, isLast: round === MOST_ROUNDS })) {
      if (!keepsCertificates(final.steps)) await leaveDeadRotation(target);
      return final;
    }
  }
}

/**
 * Plans anew, by what is there now.
 * @throws MeshctlError `Conflict` where that is more than what was agreed to
 */
export async function draftAsAgreed(
  flow: Flow,
  target: Target,
  agreed: DisableDraft,
  options: DisableOptions,
): Promise<DisableDraft> {
  const now = await draftDisable(flow, target, options);
  requireNoneJoined([{ before: agreed.snapshot, now: now.snapshot, parted: options.parted }]);
  requireNoFurtherRemovals(target.client.context, { agreed: agreed.steps, now: now.steps });
  return now;
}

/** Somebody else writes to the cluster while it is read: more rounds than this are a fight. */
const MOST_ROUNDS = 5;

/** @returns false where nothing was removed, because what says who is connected had changed since it was read */
async function removeAll(
  flow: Flow,
  target: Target,
  { steps, snapshot }: DisableDraft,
  { waitMs, resumes, isLast, onRemoved }: DisableOptions & { isLast: boolean },
): Promise<boolean> {
  const removals = steps.filter(({ action }) => action === 'delete');
  if (removals.length === 0) {
    // An earlier run has removed all, and may not have lived to see the pods go.
    const isGone = !snapshot.objects.has(keyOf(apiserverDeploymentRef(snapshot.namespace)));
    if (isGone && waitMs !== undefined) await awaitFormerPodsGone(flow, target, waitMs);
    return true;
  }
  const { client } = target;
  const journals: Journal[] = [];
  const remove = async (): Promise<boolean> => {
    const { error, journal } = await writeSteps(flow, client, removals, {
      materialise: asPlanned,
    });
    journals.push(journal);
    if (!error) return true;
    if (error.code === 'Conflict' && journal.entries.length === 0 && !isLast) return false;
    tellWhatStands(flow, [journal], error, resumes);
    throw error;
  };
  const count = removals.length === 1 ? 'one object' : `${removals.length} objects`;
  const isRemoved = await during(
    flow,
    {
      doing: `${client.context}: removing ${count}`,
      done: (removed) => `${client.context}: ${removed ? `removed ${count}` : 'something has changed meanwhile'}`,
      good: (removed) => removed,
    },
    remove,
  );
  if (!isRemoved) return false;
  onRemoved?.();
  try {
    const unseen = await withPatience(flow.clock, waitMs, async () => {
      if (waitMs !== undefined) await awaitGone(flow, target, removals, waitMs);
      return requireWritten([target], journals, 1);
    });
    for (const words of unseen) flow.progress.warn(words);
  } catch (error) {
    // Who stops it while it only waits is to know that all of it is gone.
    if (flow.signal.aborted) tellWhatStands(flow, journals, error, resumes);
    tellChanged(error, removals);
    throw error;
  }
  return true;
}

/** Waits until what was removed is gone, with the pods of its Deployment. */
async function awaitGone(flow: Flow, target: Target, removals: readonly Step[], waitMs: number): Promise<void> {
  await awaitRemoved(flow, target.client, removals, waitMs);
  if (removals.some(({ object }) => object.kind === 'Deployment')) await awaitPodsGone(flow, target, waitMs);
}
