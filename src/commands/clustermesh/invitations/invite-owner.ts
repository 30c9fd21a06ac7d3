import type { Target } from '../../../flows/flow.ts';
import { type InviteOptions, prepareInvite, writeInvite } from '../../../flows/invitation/invite.ts';
import { tryOnServer } from '../../../flows/write/try-on-server.ts';
import { fingerprintOf } from '../../../mesh/invitation/fingerprint.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import { type DryRun, type PlanFlags, planResult, refusalByRotation } from '../../plan-result.ts';
import { messageResult } from './message-result.ts';

/** Invites the owner of another cluster, or shows what that would write. */
export async function inviteOwner(
  context: CommandContext,
  target: Target,
  options: InviteOptions,
  { dryRun, output }: { dryRun: DryRun | undefined; output: PlanFlags['output'] },
): Promise<CommandResult> {
  const prepared = await prepareInvite(context, target, options);
  const { steps, message, renews, fingerprint } = prepared;
  if (dryRun) {
    const verdicts = dryRun === 'server' ? await tryOnServer(context, [target], steps) : undefined;
    const notes = { [target.client.context]: ['each run makes an id, a key and a Secret of its own: not these'] };
    const refused = await refusalByRotation(context, { steps, targets: [target] });
    return planResult({ steps, notes, ...(verdicts ? { verdicts } : {}) }, dryRun, output, refused);
  }
  await writeInvite(context, prepared);
  context.progress.info(`The CA of ${message.cluster.name} (yours): ${fingerprintOf(fingerprint)}`);
  return messageResult(context, message, message.invited, renews);
}
