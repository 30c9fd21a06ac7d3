import pLimit from 'p-limit';
import { linkSignals } from '../../kube/http/linked-signal.ts';
import { withPatience } from '../../kube/patience.ts';
import type { Direction } from '../../mesh/connect/direction.ts';
import { byWhoIsTold } from '../../mesh/connect/disconnect/disconnect-plan.ts';
import { oneStepEach } from '../../mesh/enable/plan-disable.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { AppliedMesh } from '../../mesh/file/applied-mesh.ts';
import { requireNoneEndangered } from '../../mesh/peers/joined-peers.ts';
import type { Hazard } from '../../mesh/plan/agreement.ts';
import { mergeEffects } from '../../mesh/plan/peer-effects.ts';
import { isChange } from '../../mesh/plan/plan.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { type ConnectRunOptions, connectClusters } from '../connect/connect.ts';
import { type DisconnectOutcome, disconnectClusters, partedIn } from '../connect/disconnect.ts';
import { draftAsAgreed } from '../enable/disable.ts';
import { type EnableOutcome, enableCluster } from '../enable/enable.ts';
import { during, type Flow } from '../flow.ts';
import { allOrFirstError } from '../parallel.ts';
import { requireNoRotation } from '../rotation/rotation-hold.ts';
import { applyGlobalService } from '../services/service-global.ts';
import type { RunAccount } from '../write/apply-clusters.ts';
import { concernedByRollback } from '../write/before-rollback.ts';
import type { PlannedCluster } from '../write/require-none-joined.ts';
import { rollBackClusters } from '../write/roll-back.ts';
import { requireStanding, requireThere, requireWritten } from '../write/still-standing.ts';
import { relyOn, type WorkingClusters, whileAtWork } from '../write/working-run.ts';
import { awaitKept } from './await-kept.ts';
import { clustersInUse } from './clusters-in-use.ts';
import { concernsOf } from './concerns.ts';
import { clearMarks, disableInTurn, leaveOptions } from './disable-pruned.ts';
import { planConnections } from './plan-connections.ts';
import type { FileOptions, MemberDraft, PreparedMesh } from './prepare-mesh.ts';
import { type PreparedPrune, shownClearing } from './prune.ts';
import { changedDrafts, standConnected } from './require-applicable.ts';
import { type Unforeseen, unforeseenOf } from './unforeseen.ts';
import { mendAfterFailure, requirePrunable, sayWhatIsLeft, sayWhatMayBeLeft } from './what-is-left.ts';
import { changedTargets, targetsOf } from './written-clusters.ts';

export interface ApplyMeshOptions extends FileOptions, Pick<ConnectRunOptions, 'proof' | 'proofMs'> {
  /** False leaves what stands when something fails. */
  rollback: boolean;
  /** The command line that goes on with it; absent where what it read cannot be read again. */
  goOn: string | undefined;
  /**
   * Asks for what becomes of connections and pods, of which the plan that was agreed to could not know: at what address a load
   * balancer is, say, is known once it is there.
   * @param hazardsNow reads once more what of that is no end of connections, after an answer
   */
  agree(
    unforeseen: Unforeseen,
    planned: readonly PlannedCluster[],
    hazardsNow: () => Promise<readonly Hazard[]>,
  ): Promise<void>;
}

/**
 * Brings clusters to what their files say: enables, connects (serve, prove, dial), makes services global, then cuts what is
 * pruned. Either all of that stands at the end, or every cluster is put back; only what was enabled in a cluster that has gone
 * from the file is taken away afterwards.
 * @throws MeshctlError what went wrong; `details.rollback` says what became of each cluster
 */
export async function applyMesh(
  flow: Flow,
  prepared: PreparedMesh,
  prune: PreparedPrune,
  options: ApplyMeshOptions,
): Promise<AppliedMesh> {
  const written = options.rollback ? changedTargets(prepared, prune) : [];
  const targets = targetsOf(prepared, prune);
  const partsOf = prune.parting && partedIn(prune.parting).peersOf;
  return whileAtWork(flow, { command: 'apply', targets, written, parallel: options.parallel, partsOf }, (working) =>
    applyAtWork(flow, prepared, prune, { ...options, working }),
  );
}

async function applyAtWork(
  flow: Flow,
  prepared: PreparedMesh,
  prune: PreparedPrune,
  { working, ...options }: ApplyMeshOptions & { working: WorkingClusters },
): Promise<AppliedMesh> {
  const account: RunAccount = { journals: [], run: working.run };
  const state: RunState = { isWritten: false };
  const targets = targetsOf(prepared, prune);
  const disabled: string[] = [];
  try {
    const applied = await carryOut(flow, prepared, prune, { ...options, account, state });
    const { removed, still } = await disableInTurn(flow, prune, {
      ...options,
      parted: applied.parted?.parted ?? [],
      disabled,
    });
    await clearMarks(flow, targets, prune, options.parallel);
    const { parted, ...made } = applied;
    const { ended, shutOut } = byWhoIsTold(parted?.parted ?? [], prune.parting?.partings ?? []);
    return {
      ...made,
      parted: ended,
      shutOut,
      disabled: disabled.filter((name) => still.every(({ cluster }) => cluster !== name)),
      stillEnabled: still,
      steps: [...applied.steps, ...oneStepEach(parted?.steps ?? [], removed), ...shownClearing(prune)],
    };
  } catch (error) {
    if (state.isWritten) sayWhatIsLeft(flow, prune, disabled, error);
    else {
      const isBack = options.rollback && account.journals.some(({ entries }) => entries.length > 0);
      // First: whoever finds this run's work from then on is told.
      const relied = isBack ? await working.beginRollback(concernedByRollback(account.journals, state.directions)) : [];
      await rollBackClusters(flow, targets, account.journals, error, {
        rollback: options.rollback,
        mounted: true,
        parallel: options.parallel,
        inUse: options.rollback
          ? new Map([...relied, ...(await clustersInUse(flow, prepared, state.directions, account))])
          : undefined,
        mend: mendAfterFailure(prune, options),
        resumes: () => true,
        effects: mergeEffects([...concernsOf(prepared).effects, ...(prune.parting?.effects ?? [])]),
      });
    }
    throw error;
  }
}

/** How far a run has come. */
interface RunState {
  /** Once it is written, nothing is put back any more. */
  isWritten: boolean;
  /** Who was let in where, once that began. */
  directions?: readonly Direction[];
}

interface RunOptions extends ApplyMeshOptions {
  account: RunAccount;
  state: RunState;
}

async function carryOut(
  flow: Flow,
  prepared: PreparedMesh,
  prune: PreparedPrune,
  options: RunOptions,
): Promise<
  Omit<AppliedMesh, 'parted' | 'shutOut' | 'disabled' | 'stillEnabled'> & { parted: DisconnectOutcome | undefined }
> {
  const { drafts, services, extraServices, connections } = prepared;
  const changed = changedDrafts(drafts);
  // Also of clusters whose turn comes late.
  await requireNoRotation(flow, changedTargets(prepared, prune), undefined, { parallel: options.parallel });
  await requirePrunable(flow, prune);
  const enabled = await enableAll(flow, changed, options);
  const kept = drafts.filter((one) => !changed.includes(one));
  // Before anything is proved to them.
  const unready = await awaitKept(flow, kept, options);
  const connected = standConnected(prepared) ? undefined : await connectAll(flow, prepared, options);
  const unseen = await withPatience(flow.clock, options.waitMs, () =>
    relyOnKept(flow, prepared, { kept, isConnected: connected !== undefined }, options),
  );
  const serviceSteps = [...services.steps, ...extraServices];
  if (serviceSteps.some(isChange)) {
    await during(flow, { doing: 'Making services global', done: 'The services are as the file says' }, () =>
      applyGlobalService(
        flow,
        prepared.members.map(({ target }) => target),
        serviceSteps,
        { rollback: options.rollback, account: options.account },
      ),
    );
  }
  const { account, parallel } = options;
  unseen.push(
    ...(await withPatience(flow.clock, options.waitMs, () =>
      requireWritten(targetsOf(prepared, prune), account.journals, parallel),
    )),
  );
  for (const words of unseen) flow.progress.warn(words);
  for (const { target, draft } of prune.leaving) await draftAsAgreed(flow, target, draft, leaveOptions(options));
  sayWhatMayBeLeft(flow, prune);
  const parted =
    prune.parting &&
    (await disconnectClusters(flow, prune.parting, {
      ...options,
      // Of a disconnect it is another flag.
      force: undefined,
      replacingMs: options.waitMs,
      leaving: prune.leaving.map(({ target }) => target.client.context),
      onWritten: () => {
        options.state.isWritten = true;
      },
    }));
  options.state.isWritten = true;
  const isUnready = unready.length > 0 || prepared.scaledDown.length > 0;
  return {
    enabled: enabled.map(({ context, cluster, service }) => ({
      cluster: cluster.name,
      context,
      endpoints: service.endpoints,
    })),
    connections: connected?.connections ?? [],
    parted,
    steps: [
      ...kept.flatMap(({ draft }) => draft.plan.steps),
      ...enabled.flatMap(({ steps }) => steps),
      ...(connected?.steps ?? [...connections.now.serve.steps, ...connections.now.dial.steps]),
      ...serviceSteps,
    ],
    warnings: [
      ...enabled.flatMap(({ warnings }) => warnings),
      ...(connected?.warnings ?? connections.now.warnings),
      ...unready,
      ...unseen,
      ...(parted?.warnings ?? []),
    ],
    verified: !isUnready && (parted?.verified ?? true),
    failed: isUnready || parted?.letIn === true,
  };
}

/**
 * What was found as the files say may be another run's work, which it takes back if it fails: it is to be left to this one.
 * @returns what could not be seen, as warnings
 */
async function relyOnKept(
  flow: Flow,
  { members, connections }: PreparedMesh,
  { kept, isConnected }: { kept: readonly MemberDraft[]; isConnected: boolean },
  { account, parallel }: RunOptions,
): Promise<string[]> {
  const targets = members.map(({ target }) => target);
  // Whatever its connections are, what they stand on is to stay.
  const shared = await relyOn(flow, targets, { parallel, wanted: 'there', own: account.run });
  if (shared.length === 0) return [];
  const unseen: string[] = [];
  for (const { member, draft } of kept) {
    if (!shared.includes(member.target.client.context)) continue;
    unseen.push(...(await requireThere(member.target, draft.plan.steps)));
  }
  if (!isConnected) unseen.push(...(await requireStanding(flow, targets, connections.now.directions, parallel)));
  return unseen;
}

/** All in parallel; when one fails, the others stop, since nothing of it is to stand. What went wrong in them as well is said. */
async function enableAll(
  flow: Flow,
  drafts: readonly MemberDraft[],
  { account, parallel }: RunOptions,
): Promise<EnableOutcome[]> {
  const limit = pLimit(parallel);
  const linked = linkSignals(flow.signal);
  let first: { error: unknown } | undefined;
  const own = { ...flow, signal: linked.signal };
  const work = drafts.map(({ member, options, draft }) =>
    limit(async () => {
      try {
        linked.signal.throwIfAborted();
        return [await enableCluster(own, member.target, options, draft, account)];
      } catch (error) {
        if (first && comesOf(error, first.error)) return [];
        first ??= { error };
        linked.abort(error);
        throw error;
      }
    }),
  );
  try {
    return (await allOrFirstError(work, flow.progress)).flat();
  } finally {
    linked.unlink();
  }
}

/** Whether work has ended for a failure elsewhere, which it hands on, at times as the cause of what it was waiting for. */
function comesOf(error: unknown, first: unknown): boolean {
  if (!(error instanceof MeshctlError && first instanceof MeshctlError)) return error === first;
  return error.message === first.message || error.cause === first;
}

/** Reads the clusters as they are by now, and connects them by what their Services have. */
async function connectAll(
  flow: Flow,
  { members, snapshots, spec, connections }: PreparedMesh,
  { state, ...options }: RunOptions,
) {
  const limit = pLimit(options.parallel);
  const planNow = async () => {
    const read = await during(flow, { doing: 'Reading the clusters again', done: 'Read the clusters again' }, () =>
      Promise.all(
        members.map((member) =>
          limit(async () => {
            const { client, namespace } = member.target;
            return { ...member, snapshot: await readSnapshot(client, { namespace, purpose: 'connect' }) };
          }),
        ),
      ),
    );
    const ways = { ...options, proof: options.proof !== false, enabled: true };
    const { now } = await planConnections(flow, spec, read, ways);
    return { read, now, unforeseen: unforeseenOf(connections.now, now) };
  };
  const { read, now, unforeseen } = await planNow();
  if (!unforeseen.steps.some(isChange)) return undefined;
  for (const words of unforeseen.warnings) flow.progress.warn(words);
  requireNoneEndangered(
    read.flatMap(({ snapshot: now }) => {
      const before = snapshots.find(({ context }) => context === now.context);
      return before ? [{ before, now }] : [];
    }),
    unforeseen.effects,
  );
  await options.agree(unforeseen, read, async () => (await planNow()).unforeseen.hazards);
  state.directions = now.directions;
  return connectClusters(flow, now, options);
}
