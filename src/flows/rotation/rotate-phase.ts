import pLimit from 'p-limit';
import type { Journal, JournalEntry } from '../../kube/apply.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef, keyOf, type ObjectRef } from '../../mesh/objects/kube-object.ts';
import { SERVER_CERT_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { secretText } from '../../mesh/objects/secret-data.ts';
import { type Step, TLS_KEYS } from '../../mesh/plan/plan.ts';
import type { RotationPhase } from '../../mesh/rotation/phases.ts';
import { awaitOwnDrained } from '../connect/await-own-drained.ts';
import { awaitRollout } from '../enable/await-apiserver.ts';
import { during, type Flow, issuingTime, type Target } from '../flow.ts';
import { allOrFirstError } from '../parallel.ts';
import { type ClusterWriter, createClusterWriter } from '../write/apply-clusters.ts';
import { prepareWrites, readyWrite } from '../write/issued-writes.ts';
import { type Authorities, materialise, readAuthorities } from '../write/materialise.ts';
import { nudgePods } from '../write/nudge.ts';
import { rollBackClusters } from '../write/roll-back.ts';
import type { RotateOptions } from './prepare-rotation.ts';
import { proofsAfter, proofsOf, proofsOfServers } from './proofs.ts';
import { proveAll } from './prove-all.ts';

/** One phase of a rotation, for the clusters as they were read for it. */
export interface PhaseRun {
  phase: RotationPhase;
  members: readonly Member[];
  /** For the progress line. */
  title: string;
  /** The CAs that this run has made. */
  authorities: Authorities;
  /** The contexts whose own certificates are not proved, see `mesh/rotation/asked-servers.ts`. */
  unproved: ReadonlySet<string>;
  /** Reads the clusters again. @throws MeshctlError when a peer has come that would be cut off */
  look: () => Promise<Member[]>;
  /** Whether an attempt at this phase was taken back. */
  isAgain: boolean;
  /** The command that goes on. */
  mend: (context: string) => string;
}

type Limits = Pick<RotateOptions, 'parallel' | 'waitMs'>;

/** Carries a phase out, or puts every cluster back to what it was before it. @throws MeshctlError what went wrong */
export async function runPhase(flow: Flow, targets: readonly Target[], run: PhaseRun, limits: Limits): Promise<void> {
  const writer = createClusterWriter(flow, targets, limits.parallel);
  try {
    await during(flow, { doing: run.title, done: run.title }, (task) => {
      const say = (clause: string) => task.update(`${run.title}: ${clause}`);
      return carryOut(flow, targets, run, { ...limits, writer, say });
    });
  } catch (error) {
    await rollBackClusters(flow, targets, restartsFirst(writer.journals), error, { mounted: true, mend: run.mend });
    throw error;
  }
}

/**
 * The writes with the marks of pods before all others, so that they are taken back last: pods that start then are to read what the
 * mark says, which is in the Secrets by then.
 */
function restartsFirst(journals: readonly Journal[]): Journal[] {
  const only = (isIt: (entry: JournalEntry) => boolean) =>
    journals.map(({ cluster, entries }) => ({ cluster, entries: entries.filter(isIt) }));
  const isRestart = ({ ref }: JournalEntry) => ref.kind === 'Deployment';
  return [...only(isRestart), ...only((entry) => !isRestart(entry))];
}

interface PhaseWork extends Limits {
  writer: ClusterWriter;
  say: (clause: string) => void;
}

async function carryOut(flow: Flow, targets: readonly Target[], run: PhaseRun, work: PhaseWork): Promise<void> {
  const { phase, members, look } = run;
  const { writer, say } = work;
  const authorities = new Map([...(await readAuthorities(targets, phase.steps)), ...run.authorities]);
  const make = (step: Step) => materialise(step, authorities, issuingTime(flow));
  const nudge = (target: Target) => nudgePods(flow, target, { pods: 'apiserver-and-agents', all: true });
  const restarts = phase.steps.filter(({ write }) => write?.method === 'restart');
  const rest = phase.steps.filter((step) => !restarts.includes(step));
  const others = await Promise.all(rest.map((step) => withWholeAuthority(targets, step)));
  const ready = await prepareWrites(others, make);
  if (phase.name === 'peers') await proveAll(flow, targets, proofsAfter(members, others, ready), work);
  // Nobody may stop trusting the former CA before every pod shows a certificate of the new one.
  if (phase.name === 'let-go') await proveAll(flow, targets, proofsOf(members), work);
  say('writing');
  await writer.write(others, async (step) => readyWrite(ready, step), nudge);
  const shown = members.filter(({ snapshot }) => !run.unproved.has(snapshot.context));
  if (phase.name === 'leaves') await proveAll(flow, targets, proofsOfServers(shown, others, ready), work);
  const critical = phase.name === 'leaves' || phase.name === 'let-go';
  if (critical) await look();
  if (restarts.length === 0) return;
  const limit = pLimit(work.parallel);
  const restarted = targets.filter(({ client }) => restarts.some(({ cluster }) => cluster === client.context));
  const each = (act: (target: Target) => Promise<unknown>) =>
    allOrFirstError(
      restarted.map((target) => limit(() => act(target))),
      flow.progress,
    );
  // Pods of that very mark may be there, of a phase that was just taken back: they would stay, with what they have read.
  if (run.isAgain) await each((target) => awaitRollout(flow, target, work.waitMs));
  const read = members.map(({ snapshot }) => snapshot);
  await each(async (target) => {
    const member = members.find(({ snapshot }) => snapshot.context === target.client.context);
    const held =
      member && (await awaitOwnDrained(flow, target, member.snapshot, { waitMs: work.waitMs, others: read }));
    for (const warning of held ?? []) flow.progress.warn(warning);
  });
  const asWritten = (target: Target) => requireTrustAsWritten(target, members, writer);
  await each(asWritten);
  say('replacing the pods of the clustermesh-apiserver');
  await writer.write(restarts, make, async () => {});
  await each((target) => awaitRollout(flow, target, work.waitMs));
  // Each pod has read it at some time since.
  await each(asWritten);
  if (critical) await look();
}

/**
 * Sees that the CAs beside a server's certificate are those that this phase has left there, or found there: by the mark of its pods
 * everybody takes their etcd to have read them, and it reads what is mounted when it starts (etcd's --trusted-ca-file).
 * @throws MeshctlError `Conflict` where someone has written to it since
 */
async function requireTrustAsWritten(
  { client, namespace }: Target,
  members: readonly Member[],
  { journals }: ClusterWriter,
): Promise<void> {
  const ref = secretRef(namespace, SERVER_CERT_SECRET);
  const own = journals
    .filter(({ cluster }) => cluster === client.context)
    .flatMap(({ entries }) => entries)
    .findLast((entry) => keyOf(entry.ref) === keyOf(ref));
  const server = members.find(({ snapshot }) => snapshot.context === client.context);
  const meant = own ? own.after : server?.snapshot.objects.get(keyOf(ref));
  const live = await client.get(ref);
  if (secretText(live, TLS_KEYS.ca) !== secretText(meant, TLS_KEYS.ca)) throw changedSince(client.context, ref);
}

/** Somebody else has written to what a phase stands on: it is planned anew. */
function changedSince(context: string, ref: ObjectRef): MeshctlError {
  return new MeshctlError('Conflict', `context "${context}": ${describeRef(ref)} was changed meanwhile`, {
    hint: 'Run the same command again.',
    details: { context, object: describeRef(ref) },
  });
}

/**
 * A step that replaces a CA, with the Secret as it is, key and all: snapshots have no private key of a CA, and one that was
 * put back without it could never sign again.
 * @throws MeshctlError `Conflict` where someone has written to it since the plan was made
 */
async function withWholeAuthority(targets: readonly Target[], step: Step): Promise<Step> {
  if (step.write?.method !== 'authority') return step;
  const target = targets.find(({ client }) => client.context === step.cluster);
  const before = await target?.client.get(step.object);
  if (before?.metadata.resourceVersion === step.before?.metadata.resourceVersion) return { ...step, before };
  throw changedSince(step.cluster, step.object);
}
