import { requireSettledIdentity } from '../../mesh/apiserver/pod-marks.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { connectCommand } from '../../mesh/command-line.ts';
import { saysAnswered, untoldDials } from '../../mesh/connect/former-answers.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { counted } from '../../mesh/counted.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { Contexts } from '../../mesh/faults/fault-advice.ts';
import { describeConflicts } from '../../mesh/objects/ownership.ts';
import { requireRoom } from '../../mesh/peers/file/planned-room.ts';
import { dialsThis, isDialledElsewhere } from '../../mesh/peers/namesakes.ts';
import { requireForcedAmong } from '../../mesh/plan/forcing.ts';
import { requireStaying } from '../../mesh/plan/going.ts';
import type { PeerEffect } from '../../mesh/plan/peer-effects.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { idleAmong, requireAskable, unprovedRenewals, waitWarnings } from '../../mesh/rotation/asked-servers.ts';
import { authorityEnds } from '../../mesh/rotation/authority-ends.ts';
import { rotationEffects } from '../../mesh/rotation/effects.ts';
import type { Lifetime } from '../../mesh/rotation/lifetime.ts';
import { planRotation, type RotationPhase } from '../../mesh/rotation/phases.ts';
import { strangersTo } from '../../mesh/rotation/rotated-certificates.ts';
import type { RotationInput } from '../../mesh/rotation/rotated-cluster.ts';
import { type RotationChoice, type RotationScope, scopeRotation } from '../../mesh/rotation/scope.ts';
import { unfinishedRotations } from '../../mesh/rotation/unfinished-rotation.ts';
import { silentContexts, unreachableCluster } from '../../mesh/status/mesh-status.ts';
import { reachedBy } from '../connect/reached-peers.ts';
import { readAccessibleMembers, readMembers } from '../connect/read-members.ts';
import { during, type Flow, issuingTime, type Target } from '../flow.ts';
import { firstFailure, type Unanswered } from '../where-it-succeeds.ts';
import { type Authorities, generateAuthority } from '../write/materialise.ts';

export interface RotateOptions extends RotationChoice {
  /** Of what is issued; absent fields: as it is. */
  asked: Lifetime;
  /** Clusters at a time. */
  parallel: number;
  /** For each step that has to become live. */
  waitMs: number;
  /** Clusters that fail at the first reading have no part in it; the others must be able to do without them. */
  spare?: boolean | undefined;
  /** The contexts of peers that were not named, for hints. */
  contextsOf?: ((peers: readonly string[]) => Promise<Contexts>) | undefined;
  /** Reads the clusters that were not named, where it would be refused without them. */
  readOthers?: ((targets: readonly Target[]) => Promise<readonly ClusterSnapshot[]>) | undefined;
}

/** A rotation that has been thought through; nothing is written yet. */
export interface PreparedRotation {
  targets: readonly Target[];
  /** Those that were spared. */
  spared: readonly Unanswered[];
  members: readonly Member[];
  scope: RotationScope;
  /** Those with something in them. */
  phases: readonly RotationPhase[];
  effects: readonly PeerEffect[];
}

/** Reads the clusters and plans. @throws MeshctlError what a rotation would be refused for */
export async function prepareRotation(
  flow: Flow,
  targets: readonly Target[],
  options: RotateOptions,
): Promise<PreparedRotation> {
  requireForcedAmong(
    options.force,
    targets.map(({ client }) => client.context),
  );
  const { members, ...found } = await during(
    flow,
    {
      doing: `Reading ${counted(targets.length, 'cluster')}`,
      done: `Read ${counted(targets.length, 'cluster')}`,
    },
    async () =>
      options.spare
        ? readAccessibleMembers(flow, targets, options.parallel)
        : { targets, members: await readMembers(targets, options.parallel), failed: [], unusable: [] },
  );
  const silent = [
    ...(options.silent ?? []),
    ...silentContexts(found.failed.map(({ context, error }) => unreachableCluster(context, error))),
  ];
  const all = { ...found, members };
  const planned = await planFor(flow, all, { ...options, silent });
  const steps = stepsOf(planned);
  const idle = idleAmong(members, steps);
  if (idle.length === 0) return planned;
  if (!options.spare) {
    requireAskable(members, steps);
    const { scope } = planned;
    return {
      ...planned,
      scope: { ...scope, warnings: [...scope.warnings, ...waitWarnings(members, steps)] },
    };
  }
  return withoutIdle(flow, all, idle, { ...options, silent });
}

/** Clusters as they were read, and what was left out of them. */
interface ReadClusters {
  targets: readonly Target[];
  members: readonly Member[];
  failed: readonly Unanswered[];
  unusable: readonly Unanswered[];
}

const stepsOf = ({ phases }: Pick<PreparedRotation, 'phases'>) => phases.flatMap(({ steps }) => steps);

/**
 * Plans without the clusters in which the rotation would have to wait for pods, as far as the others can do without them: who takes what
 * there is need not wait for what may never come.
 * @throws MeshctlError what is wrong in these, where the others cannot
 */
async function withoutIdle(
  flow: Flow,
  { targets, members, failed, unusable }: ReadClusters,
  idle: readonly Unanswered[],
  options: RotateOptions,
): Promise<PreparedRotation> {
  const isIdle = (context: string) => idle.some((one) => one.context === context);
  const rest: ReadClusters = {
    targets: targets.filter(({ client }) => !isIdle(client.context)),
    members: members.filter(({ snapshot }) => !isIdle(snapshot.context)),
    failed,
    unusable: [...unusable, ...idle],
  };
  if (rest.members.length === 0) throw firstFailure(flow, idle);
  try {
    return await planFor(flow, rest, options);
  } catch (error) {
    // It lacks them, and says that they are to be named; what keeps them from it is the reason.
    if (error instanceof MeshctlError && error.code === 'Usage') throw firstFailure(flow, idle);
    throw error;
  }
}

async function planFor(
  flow: Flow,
  { targets, members, failed, unusable }: ReadClusters,
  options: RotateOptions,
): Promise<PreparedRotation> {
  const snapshots = members.map(({ snapshot }) => snapshot);
  for (const snapshot of snapshots) requireSettledIdentity(snapshot, snapshots);
  const strangers = [...new Set(members.flatMap((member) => strangersTo(member, members)))];
  const contexts = strangers.length > 0 ? await options.contextsOf?.(strangers) : undefined;
  const isRefused = strangers.length > 0 && (options.ca || unfinishedRotations(snapshots).length > 0);
  // Who has the name of a peer and not the address that is dialled may be another one.
  const isDoubtful = snapshots.some((one) =>
    snapshots.some((other) => other !== one && isDialledElsewhere(one, other)),
  );
  const others = isRefused || isDoubtful ? await options.readOthers?.(targets) : undefined;
  if (isDoubtful) await requireSameAnswers(flow, targets, members, others ?? []);
  const scope = scopeRotation(members, { ...options, others }, flow.now(), contexts);
  const phases = planRotation(rotationInput(flow, { members, scope }, options));
  const steps = stepsOf({ phases });
  requireStaying(steps, snapshots);
  requireRoom(steps, snapshots);
  return {
    targets,
    spared: [...failed, ...unusable],
    members,
    scope: {
      ...scope,
      warnings: [
        ...scope.warnings,
        ...authorityEnds(members, steps, options, flow.now()),
        ...unprovedRenewals(members, steps),
      ],
    },
    phases: phases.filter((phase) => phase.steps.length > 0),
    effects: rotationEffects(members, steps, contexts, options.silent ?? []),
  };
}

/**
 * Who is dialled by a peer's name at an address that the peer has not, and answers, may be another cluster of its name and CA, which the
 * run would cut off.
 * @throws MeshctlError `Usage`
 */
async function requireSameAnswers(
  flow: Flow,
  targets: readonly Target[],
  members: readonly Member[],
  others: readonly ClusterSnapshot[],
): Promise<void> {
  const dials = members.flatMap((client) =>
    members
      .filter((server) => server !== client && dialsThis(client.snapshot, server.snapshot))
      .map((server) => ({ client, server })),
  );
  const untold = untoldDials(dials, [...members.map(({ snapshot }) => snapshot), ...others]);
  if (untold.length === 0) return;
  const reached = await reachedBy(flow, targets, untold);
  const dial = untold.find(({ client, server }) =>
    reached.get(client.snapshot.context)?.includes(server.identity.name),
  );
  if (!dial) return;
  const { client, server } = dial;
  const [from, to, name] = [client.snapshot.context, server.snapshot.context, server.identity.name];
  throw new MeshctlError(
    'Usage',
    `of ${name}, a peer of context "${from}", ${saysAnswered(client.snapshot, name, to)}`,
    {
      hint: `Name the context that leads there; or where that is the same cluster, have it dialled at the address that it has: ${connectCommand(from, to)}`,
      details: { name, contexts: [from, to] },
    },
  );
}

/** What the plan is made from, at any time of a rotation. */
export function rotationInput(
  flow: Flow,
  { members, scope }: Pick<PreparedRotation, 'members' | 'scope'>,
  { asked, peer, force }: RotateOptions,
  successors: RotationInput['successors'] = new Map(),
): RotationInput {
  const { replace, due } = scope;
  const resting = new Set(scope.midway.map(({ context }) => context));
  return { members, replace, due, successors, resting, asked, peer, force, now: flow.now() };
}

/** Generates the CAs that take the place of others. They are in memory only, until a phase puts them into the clusters. */
export async function makeSuccessors(flow: Flow, steps: readonly Step[]): Promise<Authorities> {
  const made = steps.map(async ({ write }): Promise<[string, Awaited<ReturnType<typeof generateAuthority>>][]> => {
    if (write?.method !== 'authority' || write.given === undefined) return [];
    return [[write.given, await generateAuthority(write, issuingTime(flow))]];
  });
  return new Map((await Promise.all(made)).flat());
}

/**
 * Refuses to overwrite what other tools keep.
 * @param forcing the command line that would do it all the same in these contexts
 * @throws MeshctlError `Conflict`, naming owners and keys
 */
export function requireUnowned(
  phases: readonly RotationPhase[],
  forcing: (contexts: readonly string[]) => string,
): void {
  const disputed = phases.flatMap(({ steps }) => steps).filter(({ conflicts = [] }) => conflicts.length > 0);
  const [first] = disputed;
  if (!first) return;
  const owners = [...new Set(disputed.flatMap(({ conflicts = [] }) => conflicts.map(({ manager }) => manager)))];
  const objects = new Map(disputed.map((step) => [`${step.cluster} ${step.object.name}`, step]));
  const words = [...objects.values()].map(
    ({ cluster, object, conflicts = [] }) => `context "${cluster}": ${describeConflicts(object, conflicts)}`,
  );
  throw new MeshctlError('Conflict', `${owners.join(' and ')} owns what would have to change: ${words.join('; ')}`, {
    hint: `Let the tool that issued them renew them; or take them over: ${forcing(disputed.map(({ cluster }) => cluster))}`,
    details: { owners, conflicts: disputed.flatMap(({ conflicts = [] }) => conflicts) },
  });
}
