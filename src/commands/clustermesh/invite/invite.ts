import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { dryRunOf } from '../../plan-result.ts';
import { readerOfOthers } from '../../targets/other-clusters.ts';
import { withOneCluster } from '../../targets/several-clusters.ts';
import { offeredEndpoints } from '../invitations/invitation-values.ts';
import { inviteOwner } from '../invitations/invite-owner.ts';
import type { INVITE } from './invite-spec.ts';

/** `meshctl clustermesh invite`: prints an invitation for the owner of another cluster. */
export async function run(context: CommandContext, flags: FlagsOf<typeof INVITE>): Promise<CommandResult> {
  const { output } = flags;
  const dryRun = dryRunOf(flags);
  const options = { validMs: flags.valid, invited: flags.peer, endpoints: offeredEndpoints(flags.endpoint) };
  return withOneCluster(context, flags, (target) => {
    const readOthers = readerOfOthers(context, flags, [target]);
    return inviteOwner(context, target, { ...options, readOthers }, { dryRun, output });
  });
}
