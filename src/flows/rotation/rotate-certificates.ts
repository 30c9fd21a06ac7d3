import pLimit from 'p-limit';
import { meshctlCommand } from '../../mesh/command-line.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { capital } from '../../mesh/counted.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { type Contexts, contextOf } from '../../mesh/faults/fault-advice.ts';
import { CA_SECRET } from '../../mesh/objects/names.ts';
import { undoneAdvice } from '../../mesh/objects/undone-advice.ts';
import { isChange, type Step } from '../../mesh/plan/plan.ts';
import { askedServers, isAsked, unprovedAmong } from '../../mesh/rotation/asked-servers.ts';
import { expiredIn } from '../../mesh/rotation/expiry.ts';
import { finishedBy, hasWork, numberOfPhase, planRotation, type RotationPhase } from '../../mesh/rotation/phases.ts';
import {
  certificatesFrom,
  presentAuthority,
  strangersTo,
  type TrustedAuthority,
} from '../../mesh/rotation/rotated-certificates.ts';
import { successorName } from '../../mesh/rotation/rotated-cluster.ts';
import { type PartedPeer, partedPeers } from '../../mesh/rotation/scope.ts';
import { readCertificate } from '../../pki/read.ts';
import { readMembers } from '../connect/read-members.ts';
import { requireProvable } from '../connect/require-provable.ts';
import { awaitRollout } from '../enable/await-apiserver.ts';
import { during, type Flow } from '../flow.ts';
import { allOrFirstError } from '../parallel.ts';
import type { Authorities } from '../write/materialise.ts';
import { warnOfMovedPods, warnOfMovedPodsAfter } from '../write/where-pods-are.ts';
import {
  makeSuccessors,
  type PreparedRotation,
  type RotateOptions,
  requireUnowned,
  rotationInput,
} from './prepare-rotation.ts';
import { credentialIn } from './proofs.ts';
import { type PhaseRun, runPhase } from './rotate-phase.ts';
import { type HeldClusters, whileHeld } from './rotation-hold.ts';
import {
  forcingCommand,
  type Progress,
  type Rotation,
  renewedBy,
  resumeCommand,
  sayWhatStands,
  TO_CONTINUE,
} from './what-stands.ts';

export interface RotationOutcome {
  certificates: readonly Rotation[];
  /** As they were carried out, phase by phase. */
  steps: readonly Step[];
  /** Who has parted with whom by the end of it, also while it ran. */
  parted: readonly PartedPeer[];
}

/** More rounds than phases: someone else writes all the time. */
const MOST_ROUNDS = 12;
/** So often a phase is tried anew because someone else was faster. */
const MOST_CONFLICTS = 3;

/**
 * Carries a rotation out phase by phase. Before each phase the clusters are read and planned anew, so that it goes on from
 * what is there. A phase that fails is put back; those before it stay, because everything works between two of them.
 * @throws MeshctlError what went wrong; `details.renewed` says what was renewed before; `Conflict` where another rotation is at work
 */
export async function rotateCertificates(
  flow: Flow,
  prepared: PreparedRotation,
  options: RotateOptions,
): Promise<RotationOutcome> {
  requireUnowned(prepared.phases, (contexts) => forcingCommand(prepared, options, contexts));
  const marked = prepared.phases.some(hasWork) ? prepared.targets : [];
  return whileHeld(flow, marked, options.parallel, (held) => rotateHeld(flow, prepared, options, held));
}

async function rotateHeld(
  flow: Flow,
  prepared: PreparedRotation,
  options: RotateOptions,
  held: HeldClusters,
): Promise<RotationOutcome> {
  const progress = { steps: [] as Step[], members: prepared.members };
  const { steps } = progress;
  try {
    await requireAllProvable(flow, prepared, options);
    const authorities = await makeSuccessors(
      flow,
      prepared.phases.flatMap((phase) => phase.steps),
    );
    const successors = successorsIn(authorities, prepared);
    await carryOut(flow, prepared, options, { authorities, successors, progress, held });
    await warnOfMovedPods(flow, prepared.targets, prepared.effects);
    return { certificates: renewedBy(steps), steps, parted: partedPeers(progress.members) };
  } catch (error) {
    await warnOfMovedPodsAfter(flow, prepared.targets, prepared.effects);
    await sayWhatStands(flow, prepared, options, { ...progress, error });
    throw error;
  }
}

interface Made {
  authorities: Authorities;
  successors: ReadonlyMap<string, TrustedAuthority>;
  progress: Progress;
  held: HeldClusters;
}

async function carryOut(
  flow: Flow,
  prepared: PreparedRotation,
  options: RotateOptions,
  { authorities, successors, progress, held }: Made,
): Promise<void> {
  const { targets, scope } = prepared;
  const known = knownAuthorities(prepared.members, successors);
  const title = titles(prepared.phases);
  const unproved = unprovedAmong(
    prepared.members,
    prepared.phases.flatMap((phase) => phase.steps),
  );
  const goOn = (further: readonly string[] = []) => resumeCommand(prepared, options, progress.steps, further);
  let members = prepared.members;
  let conflicts = 0;
  for (let round = 1; ; round++) {
    const phases = planRotation(rotationInput(flow, { members, scope }, options, successors));
    const phase = phases.find(hasWork);
    if (!phase) return;
    if (round > MOST_ROUNDS) throw neverDone(members, phase.steps, flow.now());
    requireUnowned(phases, (contexts) => forcingCommand(prepared, options, contexts));
    const look = async (): Promise<Member[]> => {
      await held.requireHeld();
      const seen = await readMembers(targets, options.parallel, prepared.members);
      const changing = seen.filter(({ snapshot }) => scope.changing.has(snapshot.context));
      await requireNoNewPeers(changing, seen, { ...options, goOn, letGo: finishedBy(progress.steps) });
      requireKnownAuthorities(seen, known);
      return seen;
    };
    await held.say(title(phase));
    const run: PhaseRun = {
      phase,
      members,
      title: title(phase),
      authorities,
      unproved,
      look,
      isAgain: conflicts > 0,
      mend: () => goOn(),
    };
    try {
      await runPhase(flow, targets, run, options);
      progress.steps.push(...phase.steps);
    } catch (error) {
      const overtaken = error instanceof MeshctlError && error.code === 'Conflict' && error.details.stop !== true;
      if (!overtaken || ++conflicts > MOST_CONFLICTS) throw error;
      flow.progress.warn(`${error.message}: someone else changed it first; reading again`);
    }
    members = await look();
    progress.members = members;
  }
}

/** `Phase 2 of 5: …`, by the phases that the plan had at the beginning. */
function titles(phases: readonly RotationPhase[]): (phase: RotationPhase) => string {
  const planned = phases.filter(hasWork).map(({ title }) => title);
  return ({ title }) => {
    const number = numberOfPhase(title, planned);
    return number === undefined ? capital(title) : `${number}: ${title}`;
  };
}

function successorsIn(authorities: Authorities, { members }: PreparedRotation): Map<string, TrustedAuthority> {
  return new Map(
    members.flatMap(({ snapshot: { context } }): [string, TrustedAuthority][] => {
      const made = authorities.get(successorName(context));
      return made ? [[context, { facts: readCertificate(made.certificate), pem: made.certificate }]] : [];
    }),
  );
}

/** Each server must be able to be proved, and, where its pods are to be replaced, be complete before that. */
async function requireAllProvable(
  flow: Flow,
  { targets, members, phases }: PreparedRotation,
  { waitMs, parallel }: RotateOptions,
): Promise<void> {
  const steps = phases.flatMap((phase) => phase.steps);
  const servers = askedServers(steps);
  const { proved, restarted } = servers;
  const unproved = unprovedAmong(members, steps);
  const limit = pLimit(parallel);
  const looks = targets.map((target) =>
    limit(async () => {
      const { context } = target.client;
      const server = members.find(({ snapshot }) => snapshot.context === context);
      if (!server || !isAsked(server.snapshot, servers) || unproved.has(context)) return;
      const [credential] = certificatesFrom(server, members)
        .filter(({ peer }) => peer !== undefined || !proved.has(context))
        .map(credentialIn);
      if (credential) {
        const text = `${context}: checking whether its etcd can be queried`;
        await during(flow, { doing: text, done: `${context}: its etcd can be queried` }, (task) =>
          requireProvable(flow, target, { credential, cluster: server.identity.name, timeoutMs: waitMs }, (clause) =>
            task.update(`${text}: ${clause}`),
          ),
        );
      }
      if (restarted.has(context)) await awaitRollout(flow, target, waitMs);
    }),
  );
  await allOrFirstError(looks, flow.progress);
}

/** Every CA that may be met: what was trusted at the beginning, and the successors of this run. */
function knownAuthorities(
  members: readonly Member[],
  successors: ReadonlyMap<string, TrustedAuthority>,
): ReadonlyMap<string, ReadonlySet<string>> {
  return new Map(
    members.map((member) => {
      const { context } = member.snapshot;
      const successor = successors.get(context);
      return [context, new Set([...authoritiesOf(member, members), ...(successor ? [successor.facts.sha256] : [])])];
    }),
  );
}

function authoritiesOf(member: Member, members: readonly Member[]): string[] {
  const beside = certificatesFrom(member, members).flatMap(({ facts }) => facts?.authorities ?? []);
  return [...presentAuthority(member).map(({ facts }) => facts), ...beside].map(({ sha256 }) => sha256);
}

/** A CA that was not there before is another operator's: two rotations at once would take each other's CA away. */
function requireKnownAuthorities(members: readonly Member[], known: ReadonlyMap<string, ReadonlySet<string>>): void {
  for (const member of members) {
    const { context, namespace } = member.snapshot;
    if (authoritiesOf(member, members).every((sha256) => known.get(context)?.has(sha256))) continue;
    throw new MeshctlError('Conflict', `context "${context}": someone else is replacing the CA at the same time`, {
      hint: 'Wait until that is done, then run the same command again.',
      details: { context, object: `Secret ${namespace}/${CA_SECRET}`, stop: true },
    });
  }
}

/** A peer that came after the beginning may have been given a certificate of the former CA, and trust that one only. */
async function requireNoNewPeers(
  changing: readonly Member[],
  members: readonly Member[],
  {
    contextsOf,
    goOn,
    letGo,
  }: RotateOptions & { goOn: (further: readonly string[]) => string; letGo: readonly string[] },
): Promise<void> {
  for (const member of changing) {
    const strangers = strangersTo(member, members);
    if (strangers.length === 0) continue;
    const { context } = member.snapshot;
    const known = (await contextsOf?.(strangers)) ?? (new Map() as Contexts);
    const theirs = strangers.map((peer) => contextOf(known, peer));
    const former = letGo.includes(context)
      ? 'perhaps with the former CA, which is not trusted any more'
      : 'with the former CA, which therefore stays trusted';
    throw new MeshctlError(
      'Conflict',
      `context "${context}": ${strangers.join(', ')} was connected meanwhile, ${former}`,
      {
        hint: `${TO_CONTINUE} with all peers: ${goOn(theirs)}`,
        details: { context, peers: strangers, stop: true },
      },
    );
  }
}

function neverDone(members: readonly Member[], steps: readonly Step[], now: Date): MeshctlError {
  const contexts = members.map(({ snapshot }) => snapshot.context);
  const expired = expiredIn(members, now);
  if (expired.length > 0) {
    return new MeshctlError('CertificateAuthority', `what was just issued is not valid: ${expired.join('; ')}`, {
      hint: `See when the CAs expire, which certificates never outlive: ${meshctlCommand('clustermesh certs list', { context: contexts })}`,
      details: { contexts, stop: true },
    });
  }
  return new MeshctlError('Conflict', 'someone else keeps changing what was just written', {
    hint: undoneAdvice(
      steps.filter(isChange).map(({ cluster, before }) => ({ context: cluster, says: '', live: before })),
    ),
    details: { contexts, stop: true },
  });
}
