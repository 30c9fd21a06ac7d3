import type { Journal } from '../../kube/apply.ts';
import { apiserverDeployment, apiserverService } from '../../mesh/apiserver/live.ts';
import { mendMisfit } from '../../mesh/apiserver/mend-misfit.ts';
import { misfitsOf } from '../../mesh/apiserver/misfits.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { nodePortAdvice } from '../../mesh/enable/exposure/node-port.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef } from '../../mesh/objects/kube-object.ts';
import { apiserverServiceRef, CA_SECRET } from '../../mesh/objects/names.ts';
import { isChange } from '../../mesh/plan/plan.ts';
import type { Target } from '../flow.ts';
import type { EnableDraft, EnableOptions } from './draft-enable.ts';
import { GO_ON } from './explain-rollout.ts';

/** How a run goes on that has replaced a CA. */
export const UNREPLACED = 'without --replace-ca, which would make a new CA once more';

/**
 * Where a run has replaced the CA by one that it has made: the same command would make another one, and cut off whoever has been
 * connected since.
 * @returns the command that goes on
 */
export function wayOnWithNewAuthority(
  { client: { context } }: Target,
  { givenAuthority, withoutReplacing }: EnableOptions,
  { authority }: EnableDraft,
  journals: readonly Journal[],
): string | undefined {
  if (!authority.replaces || givenAuthority) return undefined;
  const isMade = journals.some(({ entries }) => entries.some(({ ref }) => ref.name === CA_SECRET));
  if (!isMade) return undefined;
  return withoutReplacing?.(context) ?? meshctlCommand('clustermesh enable', { context });
}

/** What a run that failed says of how to go on. @param command of a run that has replaced a CA */
export function withNextRun(
  error: MeshctlError,
  { client: { context } }: Target,
  { plan, snapshot }: EnableDraft,
  { journals, command }: { journals: readonly Journal[]; command: string | undefined },
): MeshctlError {
  // Nothing was left to write: an earlier run has, and what it did not live to see was waited for.
  const isWritten = journals.every(({ entries }) => entries.length === 0) && !plan.steps.some(isChange);
  if (error.code === 'Interrupted' && isWritten) error.details.awaited = [context];
  const known = withMisfitHint(error, snapshot);
  if (command !== undefined)
    known.hint = known.hint?.replace(GO_ON, `Run it again ${UNREPLACED}.`) ?? `To continue: ${command}`;
  return known;
}

/** What the API server refused, with what mends it. @param forcing the command that takes fields over */
export function withWriteHint(error: MeshctlError, forcing: string | undefined): MeshctlError {
  return withForcingHint(withNodePortHint(error), forcing);
}

/** A field that somebody has set since it was read, or that managedFields did not tell of. */
function withForcingHint(error: MeshctlError, forcing: string | undefined): MeshctlError {
  const { code, message, details, cause } = error;
  if (forcing === undefined || code !== 'Conflict' || details.conflicts === undefined) return error;
  return new MeshctlError(code, message, { hint: `Take the fields over: ${forcing}`, details, cause });
}

/** A Service that cannot be applied because of what others made of it: a port of theirs stands beside the one that is wanted. */
function withMisfitHint(error: MeshctlError, snapshot: ClusterSnapshot): MeshctlError {
  const { context, namespace } = snapshot;
  const service = apiserverServiceRef(namespace);
  if (error.code !== 'Rejected' || error.hint !== undefined || !error.message.includes(describeRef(service)))
    return error;
  const [misfit] = misfitsOf(apiserverService(snapshot), apiserverDeployment(snapshot));
  if (!misfit) return error;
  const { code, message, details, cause } = error;
  return new MeshctlError(code, message, { hint: mendMisfit({ context, namespace }, misfit), details, cause });
}

/** A node port that the API server does not give, which nobody could see before. */
function withNodePortHint(error: MeshctlError): MeshctlError {
  const { code, message, details, cause } = error;
  const hint = code === 'Rejected' ? nodePortAdvice(message) : undefined;
  return hint === undefined ? error : new MeshctlError(code, message, { hint, details, cause });
}
