import { meshctlCommand } from '../../mesh/command-line.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { isAway, MeshctlError } from '../../mesh/errors.ts';
import { SHARED_USER } from '../../mesh/objects/names.ts';
import { peerCertificateKeys } from '../../mesh/peers/file/peer-config.ts';
import { isForcedIn } from '../../mesh/plan/forcing.ts';
import { isChange, type Step } from '../../mesh/plan/plan.ts';
import { expiredIn } from '../../mesh/rotation/expiry.ts';
import { finishedBy } from '../../mesh/rotation/phases.ts';
import { rotateCommand } from '../../mesh/rotation/rotate-command.ts';
import { partedPeers } from '../../mesh/rotation/scope.ts';
import { unfinishedRotations } from '../../mesh/rotation/unfinished-rotation.ts';
import type { Flow } from '../flow.ts';
import { tellChanged } from '../write/tell-changed.ts';
import { lookAgain } from './look-again.ts';
import type { PreparedRotation, RotateOptions } from './prepare-rotation.ts';

/** How the hint begins that leads on from where a rotation stopped. */
export const TO_CONTINUE = 'To continue';

/** How the key of a peer's CA ends. */
const PEER_CA = peerCertificateKeys('').ca;

/** What was made anew. */
export interface Rotation {
  context: string;
  secret: string;
  subject: string;
  peer?: string | undefined;
}

/** How far a rotation has come. */
export interface Progress {
  /** Of the phases that are done. */
  steps: Step[];
  /** As they were read last. */
  members: readonly Member[];
}

/**
 * The command line that goes on with a run. Until the new CA is in place, only --ca goes on to it; a plain run would go back.
 * @param steps of the phases that are done
 * @param further contexts of clusters that are to take part too
 */
export function resumeCommand(
  prepared: PreparedRotation,
  options: RotateOptions,
  steps: readonly Step[],
  further: readonly string[] = [],
): string {
  const isAhead = prepared.scope.replace.size > 0 && !steps.some(({ write }) => write?.method === 'authority');
  // What else was asked for holds for the rest too.
  return rotateCommand([...contextsOf(prepared), ...further], { ...options, ca: isAhead });
}

/** The run's own command line, by which it would take over what others own. */
export function forcingCommand(
  prepared: PreparedRotation,
  options: RotateOptions,
  contexts: readonly string[],
): string {
  const all = contextsOf(prepared);
  const force = all.filter((context) => contexts.includes(context) || isForcedIn(options.force, context));
  return rotateCommand(all, { ...options, ca: prepared.scope.replace.size > 0, force });
}

const contextsOf = ({ targets }: PreparedRotation): string[] => targets.map(({ client }) => client.context);

/** Tells what an ended run has done, who is cut off by it as far as a look sees, and how to go on; the first goes into the error too. */
export async function sayWhatStands(
  flow: Flow,
  prepared: PreparedRotation,
  options: RotateOptions,
  { steps, members, error }: Progress & { error: unknown },
): Promise<void> {
  const renewed = renewedBy(steps);
  if (error instanceof MeshctlError) error.details.renewed = renewed;
  tellChanged(error, steps);
  const what = renewed.map(({ context, subject, peer }) => `${context}: ${subject}${peer ? ` (for ${peer})` : ''}`);
  const began = steps.some(isChange);
  const isLeft = error instanceof MeshctlError && leftIn(error.details.rollback);
  const besides = isLeft ? ', besides what could not be rolled back' : '';
  flow.progress.warn(
    `${renewed.length > 0 ? `Renewed before it stopped: ${what.join(', ')}` : 'Nothing was renewed before it stopped'}${besides}`,
  );
  if (!began && !isLeft) {
    // All is as before, and what an earlier run had begun is so too.
    const resume = resumeCommand(prepared, options, steps);
    const isGoingOn = sayUnfinished(flow, prepared, members, resume);
    if (!isGoingOn && error instanceof MeshctlError && isAway(error)) flow.progress.warn(`${TO_CONTINUE}: ${resume}`);
    return;
  }
  const effect = await whoIsCut(flow, prepared, options, members);
  if (effect !== undefined) flow.progress.warn(effect);
  for (const { context, says, hint } of partedPeers(members))
    flow.progress.warn(`context "${context}": ${says} → ${hint}`);
  if (!began) return;
  const over = finishedBy(steps);
  if (over.length > 0) flow.progress.warn(endWords(prepared, over));
  const open = [...prepared.scope.changing].filter((context) => !over.includes(context));
  if (over.length > 0 && open.length === 0) return;
  const where = over.length > 0 ? ` in ${open.join(', ')}` : '';
  const trusted = open.length > 0 && !isLeft ? [`The new CA and the former one are both trusted${where}`] : [];
  // An error that names who has to take part now says itself how it goes on.
  const isSaid = error instanceof MeshctlError && error.hint?.startsWith(TO_CONTINUE) === true;
  const wayOn = `${TO_CONTINUE}: ${resumeCommand(prepared, options, steps)}`;
  // Who stopped it gets that as the error's hint, and in its document.
  const isStopped = error instanceof MeshctlError && error.code === 'Interrupted' && error.hint === undefined;
  if (isStopped) error.hint = wayOn;
  const goOn = isSaid || isStopped ? [] : [wayOn];
  if (trusted.length + goOn.length > 0) flow.progress.warn([...trusted, ...goOn].join('. '));
}

/**
 * Which clusters a run that has done nothing leaves in the middle of a rotation, each with its phase, and how that goes on.
 * @returns whether any does
 */
function sayUnfinished(flow: Flow, { scope }: PreparedRotation, members: readonly Member[], resume: string): boolean {
  const found = unfinishedRotations(members.map(({ snapshot }) => snapshot));
  // What the run itself would have gone on with goes on as it was asked for.
  for (const { context, says, hint } of found)
    flow.progress.warn(`context "${context}": ${says}. ${TO_CONTINUE}: ${scope.changing.has(context) ? resume : hint}`);
  return found.length > 0;
}

/** Of clusters that have let go of a CA, the last that a rotation does: nothing is gone on with, but a look is not amiss. */
function endWords(prepared: PreparedRotation, over: readonly string[]): string {
  const look = meshctlCommand('clustermesh check', { context: contextsOf(prepared) }, ['--category', 'tls']);
  return `The rotation has come to its end in ${over.join(', ')}, where only the present CA is trusted. Whether anything is left → ${look}`;
}

/** As far as it is known; undefined where nobody dials anybody. */
async function whoIsCut(
  flow: Flow,
  prepared: PreparedRotation,
  options: RotateOptions,
  members: readonly Member[],
): Promise<string | undefined> {
  const expired = expiredIn(members, flow.now());
  if (expired.length > 0) return `Whoever uses these is cut off: ${expired.join('; ')}`;
  const seen = await lookAgain(flow, prepared, options);
  if (seen === 'nobody-dials') return undefined;
  const status = meshctlCommand('clustermesh status', { context: contextsOf(prepared) });
  // What was looked at: an etcd takes a certificate. That is not the way there.
  if (seen === 'let-in')
    return `No certificate cuts anybody off between these clusters: each takes those that the others hold. Whether they are connected → ${status}`;
  return `Whether a peer is cut off is not known: ${seen.unknown} → ${status}`;
}

/** Whether a phase stands in part: it could not be taken back everywhere. */
function leftIn(rollback: unknown): boolean {
  const clusters = Array.isArray(rollback) ? (rollback as readonly { outcome?: unknown }[]) : [];
  return clusters.some(({ outcome }) => outcome === 'incomplete');
}

/** The certificates and CAs that steps have made. */
export function renewedBy(steps: readonly Step[]): Rotation[] {
  return steps.flatMap(({ cluster: context, object: { name: secret }, write }): Rotation[] => {
    if (write?.method === 'authority') return [{ context, secret, subject: write.commonName }];
    if (write?.method !== 'issue') return [];
    const copied = (write.copies ?? []).map(({ keys }) => ({ subject: SHARED_USER, keys }));
    const issued = write.certificates.map(({ spec, keys }) => ({ subject: spec.commonName, keys }));
    return [...issued, ...copied].map(({ subject, keys }) => {
      const peer = keys.ca.endsWith(PEER_CA) ? keys.ca.slice(0, -PEER_CA.length) : undefined;
      return { context, secret, subject, ...(peer === undefined ? {} : { peer }) };
    });
  });
}
