import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { oneStepEach } from '../../mesh/enable/plan-disable.ts';
import type { PodsLeft } from '../../mesh/enable/remaining-pods.ts';
import { type StillEnabled, stillEnabled } from '../../mesh/enable/staying.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { joinedBy, partedFrom } from '../../mesh/peers/joined-peers.ts';
import { knownPeers } from '../../mesh/peers/peers.ts';
import type { PeerEffect } from '../../mesh/plan/peer-effects.ts';
import { isChange, type Step } from '../../mesh/plan/plan.ts';
import { disconnectClusters } from '../connect/disconnect.ts';
import {
  clustersOfParting,
  type DisconnectOptions,
  type PreparedDisconnect,
  prepareDisconnect,
} from '../connect/prepare-disconnect.ts';
import type { Flow, Target } from '../flow.ts';
import { requireNoRotation } from '../rotation/rotation-hold.ts';
import type { EndingDials } from '../services/read-lost-backends.ts';
import type { PlannedCluster } from '../write/require-none-joined.ts';
import type { OpenElsewhere } from '../write/take-marks-away.ts';
import { tellChanged } from '../write/tell-changed.ts';
import { whileAtWork } from '../write/working-run.ts';
import { type DisableDraft, type DisableOptions, disableCluster, draftAsAgreed } from './disable.ts';
import { sayTurns, turnAccount } from './leaving-turns.ts';

/** Clusters that are disconnected at a time. */
const PARALLEL = 4;

/** What is to be done about the peers of a cluster that leaves, before anything else. */
export interface LeavingPeers {
  /** The cluster's own side, and the other side of those that shall and can be disconnected; absent where it has no peers. */
  prepared?: PreparedDisconnect | undefined;
  /** Names of those that will go on pointing here. */
  remaining: readonly string[];
  /** Names of those that only have a user for it: no connection with them ends. */
  unconnected: readonly string[];
}

/** A cluster with what is to go there, and what becomes of its peers. */
export interface LeavingCluster {
  target: Target;
  draft: DisableDraft;
  peers: LeavingPeers;
}

/** One that has left. */
export interface LeaveOutcome {
  context: string;
  name: string;
  remaining: readonly string[];
  /** Whether its peers were seen to have forgotten it, and it them, as far as that was to be looked at. */
  verified: boolean;
  /** Whether one of them is known to be let in still, see {@link DisconnectOutcome}. */
  letIn: boolean;
  /** Why it has Cluster Mesh all the same. */
  still: StillEnabled | undefined;
  /** Pods that serve all the same, where their end was not waited for. */
  left: PodsLeft | undefined;
  /** What is to be known of what was done, beside that. */
  warnings: readonly string[];
  steps: Step[];
}

/**
 * Plans that a cluster forgets its peers, and that those within reach forget it.
 * @param reachable the peers to be disconnected on their side too; without any, only the cluster's own side is planned
 * @param readOthers reads what else the kubeconfig leads to
 */
export async function prepareLeavingPeers(
  flow: Flow,
  source: Target,
  { peers, snapshot }: DisableDraft,
  reachable: readonly Target[],
  readOthers?: () => Promise<readonly ClusterSnapshot[]>,
): Promise<PreparedDisconnect | undefined> {
  // Of others that dial it, it has nothing that it could forget.
  const named = knownPeers(snapshot).filter((peer) => peers.includes(peer));
  if (named.length + reachable.length === 0) return undefined;
  const request = { source, destinations: reachable, mode: 'bidirectional' } as const;
  // What it has itself leaves the mesh with it; only those that it tells may have let others in by it.
  const others = reachable.length > 0 ? readOthers : undefined;
  const leaving = [source.client.context];
  return prepareDisconnect(flow, request, { parallel: PARALLEL, named, leaving, readOthers: others });
}

/** The plan: connections first, then what enable has made. */
export function leavingSteps({ draft, peers }: LeavingCluster): Step[] {
  return oneStepEach(peers.prepared?.plan.steps ?? [], draft.steps);
}

/** All connections of a cluster that leaves end, and those between others that stand on what its peers had for it. */
export function leavingEffects({ target, draft, peers }: LeavingCluster): PeerEffect[] {
  const cluster = target.client.context;
  const connected = draft.peers.filter((peer) => !peers.unconnected.includes(peer));
  const own = connected.map((peer): PeerEffect => {
    const points = peers.remaining.includes(peer);
    const why = points ? 'this cluster leaves the mesh; the peer still dials it' : 'this cluster leaves the mesh';
    return { cluster, peer, becomes: 'cut', why };
  });
  const isOwn = (effect: PeerEffect) => effect.cluster === cluster && draft.peers.includes(effect.peer);
  const elsewhere = peers.prepared?.effects.filter((effect) => !isOwn(effect)) ?? [];
  return [...own, ...elsewhere];
}

/** What is to be known of the peers before they are parted: what undoes it there, and what goes on all the same. */
export function leavingWarnings(leaving: readonly LeavingCluster[]): string[] {
  return [...new Set(leaving.flatMap(({ peers }) => peers.prepared?.warnings ?? []))];
}

/** That pods serve that a plan of objects does not name: of each cluster that has some. */
export function leftWarnings(leaving: readonly LeavingCluster[]): string[] {
  return leaving.flatMap(({ target, draft }) => podsLeftWords(target.client.context, draft.left));
}

function podsLeftWords(context: string, left: PodsLeft | undefined): string[] {
  return left ? [`context "${context}": ${left.says} → ${left.hint}`] : [];
}

/** The dials that end, and those that go on to clusters that have left. */
export function endingBy(leaving: readonly LeavingCluster[]): EndingDials {
  return {
    partings: leaving.flatMap(({ peers }) => peers.prepared?.partings ?? []),
    leaves: leaving.map(({ draft: { snapshot, name }, peers: { remaining } }) => ({ snapshot, name, remaining })),
  };
}

/** Every cluster that the plans write to, once. */
export function leavingTargets(leaving: readonly LeavingCluster[]): Target[] {
  const targets = leaving.flatMap(({ target, peers }) => peers.prepared?.targets ?? [target]);
  return [...new Map(targets.map((target) => [target.client.context, target])).values()];
}

/** Every cluster that one plan writes to, as it was read; the one that leaves as it was before anybody was asked. */
export function clustersOfLeaving({ target, draft, peers }: LeavingCluster): PlannedCluster[] {
  const others = peers.prepared ? clustersOfParting(peers.prepared).filter((one) => one.target !== target) : [];
  return [{ target, snapshot: draft.snapshot }, ...others];
}

/** What is said of clusters that leave in turn. */
export interface TurnWords {
  /** Opens the other clusters: a run that was killed may have marked peers that know nothing of its cluster any more. */
  elsewhere: OpenElsewhere;
  /** The command line that does the same with other clusters. @param contexts of these */
  goOn(contexts: readonly string[]): string;
  /** What is to be known of peers that go on, once clusters have left. @param contexts of these */
  standing(contexts: readonly string[]): readonly string[];
}

/**
 * Lets one cluster after the other leave. What is to be known of those that have left is said also where another one could not.
 * @throws MeshctlError why one could not; `details` names those that have left by then (`disabled`), it (`failed`), and those whose
 * turn has not come (`notBegun`), and what was removed (`changed`)
 */
export async function leaveInTurn(
  flow: Flow,
  leaving: readonly LeavingCluster[],
  { goOn, standing, elsewhere, ...options }: DisableOptions & TurnWords,
): Promise<LeaveOutcome[]> {
  await requireNoRotation(flow, leavingTargets(leaving), leaving.flatMap(leavingSteps));
  const done: LeaveOutcome[] = [];
  const sayStanding = () => {
    for (const words of standing(done.map(({ context }) => context))) flow.progress.warn(words);
  };
  for (const one of leaving) {
    try {
      done.push(await leaveMesh(flow, one, options, elsewhere));
    } catch (error) {
      sayStanding();
      const rest = leaving.slice(done.length).map(({ target }) => target.client.context);
      const account = turnAccount(
        done.map(({ context }) => context),
        rest,
      );
      if (leaving.length > 1) sayTurns(flow, account, goOn(rest));
      if (error instanceof MeshctlError) Object.assign(error.details, account);
      tellChanged(
        error,
        done.flatMap(({ steps }) => steps),
      );
      throw error;
    }
  }
  sayStanding();
  return done;
}

/**
 * Disconnects a cluster, then removes what enable has made: an agent that still dials what is gone would report it as failing.
 * @throws MeshctlError why it could not
 */
async function leaveMesh(
  flow: Flow,
  one: LeavingCluster,
  options: DisableOptions,
  elsewhere: OpenElsewhere,
): Promise<LeaveOutcome> {
  const targets = [one.target];
  // Killed in between, it leaves a cluster that has no peer and is not disabled: its mark there tells whoever looks.
  const run = { command: 'disable' as const, since: flow.now(), doing: `Disabling ${one.draft.name}` };
  // Also where only peers have anything to forget: by what it says there the next run knows that they may be marked.
  const written = leavingSteps(one).some(isChange) ? targets : [];
  return whileAtWork(flow, { ...run, targets, written, peersOf: () => [], elsewhere }, () =>
    leaveAtWork(flow, one, options, run),
  );
}

async function leaveAtWork(
  flow: Flow,
  { target, draft, peers }: LeavingCluster,
  options: DisableOptions,
  run: Pick<DisconnectOptions, 'command' | 'since' | 'doing'>,
): Promise<LeaveOutcome> {
  // Others may have left before it, which takes its time; that the plan holds is to be known before any peer is parted.
  if (peers.prepared) await draftAsAgreed(flow, target, draft, options);
  const { context } = target.client;
  let isWritten = false;
  const onWritten = () => {
    isWritten = true;
  };
  let isRemoved = false;
  const onRemoved = () => {
    isRemoved = true;
  };
  const { waitMs, replacingMs } = options;
  const parting = { ...run, parallel: PARALLEL, waitMs, replacingMs, leaving: [context], onWritten };
  try {
    const parted = peers.prepared && (await disconnectClusters(flow, peers.prepared, parting));
    const final = await disableCluster(flow, target, draft, {
      ...{ ...options, onRemoved },
      parted: partedFrom(draft.name, parted?.parted ?? []),
    });
    const steps = oneStepEach(parted?.steps ?? [], final.steps);
    const { verified = true, letIn = false, warnings = [] } = parted ?? {};
    const still = stillEnabled(final.snapshot, final.steps);
    const left = options.waitMs === undefined ? final.left : undefined;
    const known = [...draft.notes, ...warnings, ...podsLeftWords(context, left)];
    return {
      context,
      name: draft.name,
      remaining: peers.remaining,
      verified,
      letIn,
      still,
      left,
      warnings: known,
      steps,
    };
  } catch (error) {
    if (isWritten) tellChanged(error, peers.prepared?.plan.steps ?? []);
    const joined = joinedBy(error);
    const all = peers.prepared?.parted.flatMap(({ from, to }) => (from === draft.name ? [to] : [])) ?? [];
    // One of them that has come again is not kept out.
    const parted = all.filter((peer) => !joined.includes(peer));
    if (isWritten && parted.length > 0) {
      const does = isRemoved ? 'waits for what is left of it' : 'disables it';
      // Of peers that have come the refusal says how it goes on: by a plan that names them.
      const next = joined.length > 0 ? '' : `; the next run of the same command ${does}, without looking at them again`;
      flow.progress.warn(`context "${context}": it is disconnected from ${parted.join(', ')}, which is kept${next}`);
    }
    throw error;
  }
}
