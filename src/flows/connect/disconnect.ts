import { asPlanned, type Journal } from '../../kube/apply.ts';
import { withPatience } from '../../kube/patience.ts';
import { connectCommand } from '../../mesh/command-line.ts';
import { dialsThroughKvstoremesh } from '../../mesh/connect/direction.ts';
import { forget } from '../../mesh/connect/disconnect/dead-cluster.ts';
import type { Parting } from '../../mesh/connect/disconnect/disconnect-plan.ts';
import { stillLetIn } from '../../mesh/connect/disconnect/shut-out.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { KVSTOREMESH_PEERS_SECRET } from '../../mesh/objects/names.ts';
import { configuredPeers } from '../../mesh/peers/peers.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { during, type Flow } from '../flow.ts';
import { requireNoRotation } from '../rotation/rotation-hold.ts';
import { type ClusterWriter, createClusterWriter, targetsOfSteps } from '../write/apply-clusters.ts';
import { concernedByRollback } from '../write/before-rollback.ts';
import { nudgePods } from '../write/nudge.ts';
import { rollBackClusters } from '../write/roll-back.ts';
import { requireParted } from '../write/still-parted.ts';
import { requireWritten } from '../write/still-standing.ts';
import { warnOfMovedPods } from '../write/where-pods-are.ts';
import { relyOn, type WorkingClusters, whileAtWork } from '../write/working-run.ts';
import { awaitWhereReplaced } from './await-own-drained.ts';
import { awaitParted } from './await-parted.ts';
import type { DisconnectOptions, PreparedDisconnect } from './prepare-disconnect.ts';
import { readServerCertificates, renewedSince } from './renewed-meanwhile.ts';
import { tellParted } from './tell-parted.ts';

export interface DisconnectOutcome {
  parted: readonly { from: string; to: string }[];
  steps: readonly Step[];
  warnings: readonly string[];
  /** Whether all that was to be seen of it was seen: that etcds refuse the peers, and that agents have forgotten them. */
  verified: boolean;
  /** Whether a peer is known to be let in still, as no list of users can shut it out: that is seen, and not as it was meant. */
  letIn: boolean;
}

/**
 * Takes the peers out of every cluster, or puts every cluster back.
 * @throws MeshctlError what went wrong; `details.rollback` says what became of each cluster. `Timeout` when a peer is
 * still let in or reported at the end of the wait; nothing is put back for that
 */
export async function disconnectClusters(
  flow: Flow,
  prepared: PreparedDisconnect,
  options: DisconnectOptions,
): Promise<DisconnectOutcome> {
  const { targets, plan } = prepared;
  const { command = 'disconnect', since, doing, account, parallel } = options;
  const { peersOf, read } = partedIn(prepared);
  const run = { command, since, doing, targets: read, parallel, peersOf };
  if (plan.steps.every(({ action }) => action === 'keep')) {
    const unlooked = account
      ? []
      : await whileAtWork(flow, { ...run, written: [] }, () => relyOnParted(flow, prepared, parallel));
    options.onWritten?.();
    const unseen = [...new Set([...unlooked, ...(await awaitNothing(flow, prepared, options))])];
    for (const warning of unseen) flow.progress.warn(warning);
    return {
      parted: [],
      steps: plan.steps,
      warnings: [...prepared.warnings, ...unseen],
      ...seenBy(prepared, unseen),
    };
  }
  await requireNoRotation(flow, targets, plan.steps, { parallel });
  const written = options.rollback === false ? [] : targetsOfSteps(targets, plan.steps);
  const held: string[] = [];
  const write = async (working?: WorkingClusters) => {
    held.push(...(await awaitReplaceable(flow, prepared, options)));
    return writePartings(flow, prepared, options, working);
  };
  const { steps, journals } = await (account ? write() : whileAtWork(flow, { ...run, written }, write));
  options.onWritten?.();
  if (drains(prepared, options)) {
    flow.progress.info(
      'KVStoreMesh keeps the state of a lost peer for three minutes, and takes the same cluster up again only after that',
    );
  }
  const [unseen, moved] = await withPatience(flow.clock, options.waitMs, async () => {
    const notSeen = await awaitTaken(flow, prepared, options, journals);
    for (const warning of notSeen) flow.progress.warn(warning);
    return [notSeen, await warnOfMovedPods(flow, targets, prepared.effects)];
  });
  const warnings = [...prepared.warnings, ...held, ...unseen, ...moved];
  return { parted: prepared.parted, steps, warnings, ...seenBy(prepared, unseen) };
}

/**
 * Where hostAliases of a former peer go, pods are replaced, which is not to lose the requests to another one. Without a wait it is only said
 * that they are lost. @returns warnings
 */
async function awaitReplaceable(
  flow: Flow,
  { targets, partings, plan: { steps } }: PreparedDisconnect,
  { parallel, waitMs, replacingMs, leaving = [], readOthers }: DisconnectOptions,
): Promise<readonly string[]> {
  // Of one that leaves the pods go anyway.
  const staying = partings.filter(({ snapshot }) => !leaving.includes(snapshot.context));
  const held = await awaitWhereReplaced(
    flow,
    targets,
    staying.map(({ snapshot }) => snapshot),
    {
      steps,
      peersOf: (snapshot) => {
        const { undialled = [] } = partingOf(staying, snapshot.context) ?? {};
        return configuredPeers(snapshot).filter((peer) => !undialled.includes(peer));
      },
      waitMs: waitMs === undefined ? 0 : replacingMs,
      readOthers,
      parallel,
    },
  );
  for (const warning of held ?? []) flow.progress.warn(warning);
  // That takes minutes.
  if (held) await requireNoRotation(flow, targets, steps, { parallel });
  return held ?? [];
}

/** @param unseen what a wait has not seen come true, in words */
function seenBy({ partings }: PreparedDisconnect, unseen: readonly string[]) {
  const known = partings.flatMap(stillLetIn);
  return { verified: unseen.length === 0, letIn: unseen.some((words) => known.includes(words)) };
}

/** Writes all of it, or puts every cluster back, but for those where another run stands on what it finds there. */
async function writePartings(
  flow: Flow,
  prepared: PreparedDisconnect,
  options: DisconnectOptions,
  working?: WorkingClusters,
): Promise<Pick<ClusterWriter, 'steps' | 'journals'>> {
  const { targets, plan, partings } = prepared;
  const writer = createClusterWriter(flow, targets, options.parallel, options.account);
  const shown = await readServerCertificates(targets, options.parallel);
  try {
    const what = partings.length > 0 ? 'the peers' : 'what is left';
    await during(flow, { doing: `Removing ${what}`, done: `Removed ${what}` }, () =>
      writer.write(plan.steps, asPlanned, (target) =>
        nudgePods(flow, target, { pods: 'apiserver-and-agents', withdraw: true }),
      ),
    );
    // Whoever it is a part of has seen to that. All is written by now: who stops it here does not want it back.
    if (!options.account)
      await withPatience(flow.clock, options.waitMs, () =>
        relyOnParted(flow, prepared, options.parallel, working?.run),
      ).catch((error: unknown) => {
        if (!(error instanceof MeshctlError) || error.code !== 'Interrupted') throw error;
      });
    return writer;
  } catch (error) {
    if (options.account) throw error;
    const isBack = options.rollback !== false && writer.journals.some(({ entries }) => entries.length > 0);
    await rollBackClusters(flow, targets, writer.journals, error, {
      rollback: options.rollback,
      inUse: isBack ? await working?.beginRollback(concernedByRollback(writer.journals)) : undefined,
      mounted: true,
      parallel: options.parallel,
      mend: options.mend ?? ((context) => mendCommand(partings, context)),
      resumes: (context) => options.mend !== undefined || partedAtHand(partings, context).length === 0,
      effects: prepared.effects,
    });
    if (isBack)
      sayRenewed(flow, partings, renewedSince(shown, await readServerCertificates(targets, options.parallel)));
    throw error;
  }
}

/**
 * What it has found gone may be another run's work, which is taken back if that one fails: it is to be left to this one.
 * @returns what could not be seen, as warnings
 */
async function relyOnParted(
  flow: Flow,
  prepared: PreparedDisconnect,
  parallel: number,
  own?: string,
): Promise<string[]> {
  const { peersOf, read } = partedIn(prepared);
  const shared = await relyOn(flow, read, { parallel, wanted: 'gone', own, peersOf });
  return shared.length > 0 ? requireParted(flow, read, prepared.partings, parallel) : [];
}

/**
 * At the end, once more: a tool that makes what this has written to may have put it back meanwhile, also while etcds shut the peers
 * out already. Nothing is put back for that.
 * @param end.unseen what a wait has not seen
 * @returns the same, with what this could not see
 * @throws MeshctlError `Conflict`, naming what is there again
 */
async function requireStillSo(
  flow: Flow,
  prepared: PreparedDisconnect,
  { unseen, journals, parallel }: { unseen: readonly string[]; journals: readonly Journal[]; parallel: number },
): Promise<string[]> {
  const { read } = partedIn(prepared);
  try {
    const unlooked = [
      ...(await requireParted(flow, read, prepared.partings, parallel)),
      ...(await requireWritten(read, journals, parallel)),
    ];
    return [...new Set([...unseen, ...unlooked])];
  } catch (error) {
    // All is written and seen by now: who stops it here does not want it back.
    if (!(error instanceof MeshctlError) || error.code !== 'Interrupted') throw error;
    return [...unseen];
  }
}

/** The clusters that were read, without those that are given up as dead, and from whom each of them parts. */
export function partedIn({ targets, partings }: Pick<PreparedDisconnect, 'targets' | 'partings'>) {
  return {
    read: targets.filter(({ client }) => partingOf(partings, client.context) !== undefined),
    peersOf: (context: string) => peersOfParting(partings, context),
  };
}

/**
 * Where nothing is left to take out. Only what an earlier run did not live to see, an etcd that still lets a peer in or an agent that
 * still reports one, is waited for, and said.
 */
async function awaitNothing(
  flow: Flow,
  prepared: PreparedDisconnect,
  options: DisconnectOptions,
): Promise<readonly string[]> {
  const { targets } = prepared;
  if (options.waitMs === undefined) return [];
  const silent = { update() {}, tick() {}, done() {}, fail() {}, stop() {} };
  const look = { ...flow, progress: { ...flow.progress, start: () => silent } };
  try {
    const once = { timeoutMs: 0, parallel: options.parallel };
    if ((await awaitParted(look, targets, toBeSeen(prepared, options), once)).length === 0)
      return await requireStillSo(flow, prepared, { unseen: [], journals: [], parallel: options.parallel });
  } catch (error) {
    if (!(error instanceof MeshctlError) || error.code !== 'Timeout') throw error;
  }
  return awaitTaken(flow, prepared, options);
}

/**
 * Waits until it has taken effect. Where that ends early, all is written: what stands is said for each cluster.
 * @throws MeshctlError what the wait throws; where somebody has put back what was taken out, which is waited for in vain, `Conflict`
 */
async function awaitTaken(
  flow: Flow,
  prepared: PreparedDisconnect,
  options: DisconnectOptions,
  journals: readonly Journal[] = [],
): Promise<string[]> {
  const { waitMs: timeoutMs, parallel } = options;
  const toSee = toBeSeen(prepared, options);
  const still = (unseen: readonly string[]) => requireStillSo(flow, prepared, { unseen, journals, parallel });
  try {
    const { targets } = prepared;
    const unseen =
      timeoutMs === undefined ? [] : await awaitParted(flow, targets, toSee, { timeoutMs, parallel }).catch(lookWhy);
    return await still(unseen);
  } catch (error) {
    tellParted(flow, prepared, error);
    throw error;
  }

  async function lookWhy(error: unknown): Promise<never> {
    await still([]).catch((why: unknown) => {
      if (why instanceof MeshctlError && why.code === 'Conflict') throw why;
    });
    throw error;
  }
}

/** What is to be waited for: an etcd that goes lets nobody in. */
function toBeSeen({ partings }: PreparedDisconnect, { leaving = [] }: DisconnectOptions): Parting[] {
  return partings.map((one) => (leaving.includes(one.snapshot.context) ? { ...one, unserved: [] } : one));
}

/**
 * Whether a KVStoreMesh loses a peer that it had. It then waits for agents to let go first, and takes the peer up again
 * only when it is through with that (mesh/objects/last-change.ts). That of a cluster that leaves goes with all that it has.
 */
function drains({ partings, plan }: PreparedDisconnect, { leaving = [] }: DisconnectOptions): boolean {
  return partings.some(
    ({ snapshot, undialled }) =>
      undialled.length > 0 &&
      !leaving.includes(snapshot.context) &&
      dialsThroughKvstoremesh(snapshot) &&
      plan.steps.some(({ cluster, object, action }) => {
        return cluster === snapshot.context && object.name === KVSTOREMESH_PEERS_SECRET && action !== 'keep';
      }),
  );
}

/** Whose certificates were renewed while they were disconnected: what was restored is from before. */
function sayRenewed(
  { progress }: Pick<Flow, 'progress'>,
  partings: readonly Parting[],
  renewed: readonly string[],
): void {
  for (const { snapshot } of partings) {
    const { context } = snapshot;
    const peers = partedAtHand(partings, context).filter((peer) => renewed.includes(peer));
    if (peers.length === 0) continue;
    const says = `the certificates of ${peers.join(', ')} were renewed meanwhile, and those that were restored for dialling may not be accepted any more`;
    progress.warn(`context "${context}": ${says} → ${connectCommand(context, peers)}`);
  }
}

/** What connects a cluster again; without the other side at hand only going on helps. */
function mendCommand(partings: readonly Parting[], context: string): string {
  const others = partedAtHand(partings, context);
  return others.length === 0 ? forget(context, peersOfParting(partings, context)) : connectCommand(context, others);
}

/** The contexts of those from whom a cluster parts that part from it too. */
function partedAtHand(partings: readonly Parting[], context: string): string[] {
  return partingOf(partings, context)?.partners.map((partner) => partner.context) ?? [];
}

function peersOfParting(partings: readonly Parting[], context: string): string[] {
  const own = partingOf(partings, context);
  return [...new Set([...(own?.undialled ?? []), ...(own?.unserved ?? [])])];
}

function partingOf(partings: readonly Parting[], context: string): Parting | undefined {
  return partings.find(({ snapshot }) => snapshot.context === context);
}
