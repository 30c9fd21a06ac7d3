import type { Journal } from '../../kube/apply.ts';
import { withPatience } from '../../kube/patience.ts';
import { loadTemplates } from '../../manifests/load.ts';
import {
  hostPort,
  lackOfServingNodes,
  loadBalancerHosts,
  reachableEndpoints,
  serviceEndpoints,
} from '../../mesh/apiserver/endpoints.ts';
import { formerName } from '../../mesh/apiserver/pod-marks.ts';
import { lackOfAgents } from '../../mesh/cilium/agents.ts';
import { formatVersion } from '../../mesh/cilium/versions/versions.ts';
import { awaitsAddress } from '../../mesh/enable/certificates.ts';
import { mayHaveStrays } from '../../mesh/enable/effects/lost-addresses.ts';
import { addressAnnotations } from '../../mesh/enable/exposure/address-annotations.ts';
import { isFoundation, requireNoConflicts } from '../../mesh/enable/plan-enable.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { REMOTE_USERS_CONFIGMAP, SERVER_CERT_SECRET } from '../../mesh/objects/names.ts';
import { hasServed } from '../../mesh/peers/concerned-peers.ts';
import { requireNoneEndangered } from '../../mesh/peers/joined-peers.ts';
import { kvstoremeshDials } from '../../mesh/peers/peers.ts';
import { answersWherePodsAre } from '../../mesh/peers/restarts/moved-serving.ts';
import { effectsAt, type PeerEffect } from '../../mesh/plan/peer-effects.ts';
import { isChange, type Step } from '../../mesh/plan/plan.ts';
import { awaitOwnDrained, replacesApiserver } from '../connect/await-own-drained.ts';
import { during, type Flow, issuingTime, type Target } from '../flow.ts';
import { requireNoRotation } from '../rotation/rotation-hold.ts';
import type { RunAccount } from '../write/apply-clusters.ts';
import { type Authorities, materialise, readAuthorities } from '../write/materialise.ts';
import { nudgePods } from '../write/nudge.ts';
import { tellWhatStands } from '../write/roll-back.ts';
import { requireThere, requireWritten } from '../write/still-standing.ts';
import { warnOfMovedPods, warnOfMovedPodsAfter, withPodsNow } from '../write/where-pods-are.ts';
import { relyOn } from '../write/working-run.ts';
import { writeSteps } from '../write/write-steps.ts';
import { applyWithMove } from './apply-with-move.ts';
import { awaitAddress, awaitOtherAddress, awaitRollout } from './await-apiserver.ts';
import { draftEnable, draftFrom, type EnableDraft, type EnableOptions } from './draft-enable.ts';
import { UNREPLACED, wayOnWithNewAuthority, withNextRun, withWriteHint } from './failed-enable.ts';
import { requireDiallersConnected, warnOfUnmoved } from './move-peers.ts';
import { proveReissued } from './prove-reissued.ts';
import { requireTakeable } from './require-takeable.ts';

/** What became of one cluster. */
export interface EnableOutcome {
  context: string;
  cluster: { name: string; id: number };
  ciliumVersion: string;
  service: { type: string; evidence: readonly string[]; endpoints: readonly string[] };
  kvstoremesh: boolean;
  /** Why nothing here can be connected all the same, as a clause: no agent runs, or no node serves the NodePort. */
  lack?: string | undefined;
  /** Where no node serves it: `check` fails of that. */
  unserved?: true;
  /** What became of the connections with known peers. */
  peers: readonly PeerEffect[];
  /** In the order in which they were done, `keep` included. */
  steps: readonly Step[];
  /** What the plan could not know, as its Service was not there yet: to be told beside the warnings of that. */
  warnings: readonly string[];
}

/** Reads one cluster and plans; changes nothing. */
export async function draftEnableCluster(flow: Flow, target: Target, options: EnableOptions): Promise<EnableDraft> {
  const { context } = target.client;
  const templates = await loadTemplates(flow.installation);
  return during(flow, { doing: `${context}: reading the cluster`, done: `${context}: read the cluster` }, () =>
    draftEnable(flow, target, templates, options),
  );
}

/** Plans anew from what was read, by what is known of other clusters since. */
export async function draftWithOthers(
  flow: Flow,
  { snapshot, releasePeers }: EnableDraft,
  options: EnableOptions,
): Promise<EnableDraft> {
  return draftFrom(snapshot, await loadTemplates(flow.installation), options, flow.now(), releasePeers);
}

/**
 * Whether a plan hangs on what other clusters say: what they dial, and as whom. They are read only then, since a
 * kubeconfig may lead to many.
 */
export function concernsOthers({
  authority,
  effects,
  identity,
  move,
  rotation,
  plan: { steps },
  snapshot,
}: EnableDraft): boolean {
  const served = hasServed(snapshot);
  // A peer may trust another CA than what is left here tells.
  const changesTrust = authority.makes || !snapshot.tlsSecrets.has(SERVER_CERT_SECRET);
  const restoresUsers = steps.some(({ action, object }) => action !== 'keep' && object.name === REMOTE_USERS_CONFIGMAP);
  // They take part in it: their certificates tell how far it is, and they are to be named.
  if (rotation) return true;
  // It may be another's name by now.
  if (formerName(snapshot, identity) !== undefined) return true;
  return (
    // By new pods of this cluster alone every peer's connection ends and comes back, whoever it is.
    move !== undefined ||
    effects.some(({ becomes }) => becomes !== 'kept' && becomes !== 'moved') ||
    mayHaveStrays(snapshot, steps) ||
    (served && (restoresUsers || changesTrust))
  );
}

/**
 * Refuses, before anybody is asked, what a run would end with before it writes anything: to overwrite what others have set, and to
 * move peers that are not connected.
 * @throws MeshctlError `Conflict`; `Incompatible` names the peers
 */
export async function requireStartable(
  flow: Flow,
  target: Target,
  { snapshot, plan, move }: EnableDraft,
  { force, forcing, viaHelm }: Pick<EnableOptions, 'force' | 'forcing' | 'viaHelm'>,
): Promise<void> {
  if (!force) requireNoConflicts(snapshot, plan.steps, forcing?.(snapshot.context), viaHelm);
  if (move) await requireDiallersConnected(flow, target, move);
}

/**
 * Enables Cluster Mesh in one cluster: first the CA and the Service, whose address the server certificate must cover, then
 * everything else, then waits for the pods. Nothing is put back on failure: the next run goes on where this one stopped.
 * @param account of a run that this is a part of, which may put it back
 * @param onFoundation hears that the CA and the Service are there
 */
export async function enableCluster(
  flow: Flow,
  target: Target,
  options: EnableOptions,
  draft: EnableDraft,
  account?: RunAccount,
  onFoundation?: () => void,
): Promise<EnableOutcome> {
  const journals: Journal[] = account?.journals ?? [];
  try {
    return await enableIn(flow, target, options, draft, { journals, onFoundation, run: account?.run });
  } catch (error) {
    const command = wayOnWithNewAuthority(target, options, draft, journals);
    if (!account && journals.length > 0) await warnOfMovedPodsAfter(flow, [target], draft.effects);
    if (!account) tellWhatStands(flow, journals, error, command && `it continues from there ${UNREPLACED}: ${command}`);
    throw error instanceof MeshctlError ? withNextRun(error, target, draft, { journals, command }) : error;
  }
}

async function enableIn(
  flow: Flow,
  target: Target,
  options: EnableOptions,
  draft: EnableDraft,
  {
    journals,
    onFoundation,
    run,
  }: { journals: Journal[]; onFoundation: (() => void) | undefined; run: string | undefined },
): Promise<EnableOutcome> {
  const { context } = target.client;
  const { force, forcing, viaHelm } = options;
  if (!force) requireNoConflicts(draft.snapshot, draft.plan.steps, forcing?.(context), viaHelm);

  const foundation = draft.plan.steps.filter(isFoundation);
  const isFounded = foundation.some(isChange);
  await requireNoRotation(flow, [target], draft.plan.steps);
  await requireTakeable(flow, target, draft.plan.steps, options.force === true);
  await applyAll(flow, target, foundation, options, givenAuthorities(options), journals);
  onFoundation?.();
  const pending = awaitsAddress(draft.planned);
  if (pending && draft.settings.exposure.type === 'LoadBalancer') await awaitAddress(flow, target, options.waitMs);

  const asked = otherAddress(draft, foundation);
  const ofAddress = asked ? await awaitOtherAddress(flow, target, asked, options.waitMs) : [];

  const changed = pending || isFounded;
  let final = changed ? await draftAgain(flow, target, options, draft) : draft;
  const held = replacesApiserver(final.snapshot, final.plan.steps)
    ? await awaitOwnDrained(flow, target, final.snapshot, { waitMs: options.waitMs, others: options.others })
    : undefined;
  // That takes minutes.
  if (held) final = await draftAgain(flow, target, options, draft);
  // Of one thing the plan may have said it, what has come of it, and the plan that was made anew.
  const warnings = [...new Set([...ofAddress, ...final.ofAddress])]
    .filter((words) => !draft.ofAddress.includes(words))
    .map((words) => `${context}: ${words}`);
  const naming = options.naming ?? (async (found) => found);
  warnings.push(...(held ? await naming(held) : []));
  for (const words of warnings) flow.progress.warn(words);
  const rest = final.plan.steps.filter((step) => !isFoundation(step));
  const authorities = await readAuthorities([target], rest);
  const apply = (steps: readonly Step[]) => applyAll(flow, target, steps, options, authorities, journals);
  if (final.move)
    await applyWithMove(flow, target, { apply, rest, move: final.move, waitMs: options.waitMs, journals });
  else await apply(rest);
  // Those that lose their connection with the pods read the CA when they notice it: by then the kubelets are to have brought the new one.
  if (draft.authority.replaces) await nudgePods(flow, target, { pods: 'apiserver-and-agents', all: true });
  await awaitRollout(flow, target, options.waitMs);
  warnings.push(...(await proveReissued(flow, target, final, { steps: rest, waitMs: options.waitMs })));
  const lookAgain = async () => {
    if (![...foundation, ...rest].every(isChange)) {
      // Of peers it stands on nothing: who takes those away or back is another matter.
      await relyOn(flow, [target], { parallel: 1, wanted: 'there', own: run, peersOf: () => [] });
    }
    return [
      ...(await requireThere(target, [...foundation, ...rest])),
      ...(await requireWritten([target], journals, 1)),
    ].slice(0, 1);
  };
  const unseen = await withPatience(flow.clock, options.waitMs, lookAgain);
  for (const words of unseen) flow.progress.warn(words);
  warnings.push(...unseen);
  if (final.settings.kvstoremesh && kvstoremeshDials(draft.snapshot) === false)
    warnings.push(...(await warnOfUnmoved(flow, target, options.others ?? [], naming)));

  // By new pods other nodes may serve than those that did when this was planned.
  const isElsewhere = answersWherePodsAre(final.snapshot) && [...foundation, ...rest].some(isChange);
  const served = isElsewhere ? await withPodsNow(flow, target, final.snapshot) : final.snapshot;
  const service = serviceEndpoints(served);
  const endpoints = service?.hosts.map((host) => hostPort(host, service.port)) ?? [];
  const reached = reachableEndpoints(served)?.map(({ host, port }) => hostPort(host, port)) ?? [];
  warnings.push(...(await warnOfMovedPods(flow, [target], draft.effects)));
  const unserved = lackOfServingNodes(served)?.says;
  const lack = lackOfAgents(final.snapshot)?.says ?? unserved;
  // The first look says why: by the second one, the Service is there because of it.
  const { type, evidence } = draft.settings.exposure;
  return {
    context,
    cluster: { name: final.identity.name, id: final.identity.id },
    ciliumVersion: formatVersion(final.install.version),
    service: {
      type,
      evidence,
      endpoints,
    },
    kvstoremesh: final.settings.kvstoremesh,
    ...(lack ? { lack } : {}),
    ...(unserved ? { unserved: true } : {}),
    peers: effectsAt(reached, draft.effects),
    steps: [...foundation, ...rest],
    warnings,
  };
}

/** What of the load balancer's address these steps ask to be otherwise; undefined where it is not touched. */
function otherAddress({ settings }: EnableDraft, steps: readonly Step[]) {
  const step = steps.find(({ object, action }) => action !== 'keep' && object.kind === 'Service');
  if (!step || settings.exposure.type !== 'LoadBalancer') return undefined;
  const service = step.before;
  const former = service ? loadBalancerHosts(service) : [];
  const isAsked = step.changes.some(({ path }) => path === 'spec.loadBalancerIP') || service === undefined;
  const wished = isAsked ? settings.loadBalancerIp : undefined;
  const isMoved = former.length > 0 && addressAnnotations(step).length > 0;
  return wished !== undefined || isMoved ? { wished, former } : undefined;
}

/** The CA that the operator brought along, for the step that puts it into the cluster. */
export function givenAuthorities({ givenAuthority }: EnableOptions): Authorities {
  return new Map(givenAuthority ? [[givenAuthority.key, givenAuthority.authority]] : []);
}

/**
 * With the CA and the Service in place: what is left depends on what they have become.
 * @param agreed the plan so far
 * @throws MeshctlError `Conflict` where what is left would cut off peers that have come since
 */
async function draftAgain(
  flow: Flow,
  target: Target,
  options: EnableOptions,
  agreed: EnableDraft,
): Promise<EnableDraft> {
  const templates = await loadTemplates(flow.installation);
  const rest = { ...options, givenAuthority: undefined, replaceAuthority: false };
  const final = await draftEnable(flow, target, templates, rest);
  requireNoneEndangered([{ before: agreed.snapshot, now: final.snapshot }], final.effects);
  return final;
}

async function applyAll(
  flow: Flow,
  { client }: Target,
  steps: readonly Step[],
  { force, forcing }: EnableOptions,
  authorities: Authorities,
  journals: Journal[],
): Promise<void> {
  const writes = steps.filter(isChange);
  if (writes.length === 0) return;
  const apply = async (): Promise<void> => {
    const { error, journal } = await writeSteps(flow, client, steps, {
      materialise: (step) => materialise(step, authorities, issuingTime(flow)),
      force,
    });
    journals.push(journal);
    if (error) throw withWriteHint(error, forcing?.(client.context));
  };
  const count = writes.length === 1 ? 'one object' : `${writes.length} objects`;
  await during(
    flow,
    { doing: `${client.context}: applying ${count}`, done: `${client.context}: applied ${count}` },
    apply,
  );
}
