import { readJudgedInvitations, readPeersByOwner } from '../../../flows/invitation/read-invitations.ts';
import { whereItSucceeds } from '../../../flows/where-it-succeeds.ts';
import { unlessForbidden } from '../../../kube/unless-refused.ts';
import { isOutdated } from '../../../mesh/invitation/outdated.ts';
import { standingOf } from '../../../mesh/invitation/record.ts';
import { standingOfUnreadable } from '../../../mesh/invitation/unreadable.ts';
import { invitationIds, invitationNotes, invitationsText } from '../../../views/invitation/invitations-view.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import {
  unreachableData,
  warnOfMissing,
  withAnsweringClusters,
  withUnanswered,
} from '../../targets/several-clusters.ts';
import type { INVITATIONS_LIST } from './list-spec.ts';

/** `meshctl clustermesh invitations list`: how far each invitation has come. */
export async function run(context: CommandContext, flags: FlagsOf<typeof INVITATIONS_LIST>): Promise<CommandResult> {
  return withAnsweringClusters(context, flags, async (targets, silent) => {
    const { done, failed } = await whereItSucceeds(context, targets, async (target) => ({
      context: target.client.context,
      kept: await readJudgedInvitations(target, context.signal),
      peers: await unlessForbidden(readPeersByOwner(target, context.signal)),
    }));
    const now = context.now();
    const invitations = printable(
      done.flatMap(({ context: name, kept, peers }) =>
        [
          ...kept.judged.map(({ record, isVoid }, index) => {
            const later = kept.judged.slice(index + 1).map((one) => one.record);
            const isOld = peers !== undefined && isOutdated(record, later, peers);
            return standingOf(record, name, now, { isVoid, isOld });
          }),
          ...kept.unreadable.map((one) => standingOfUnreadable(one, name)),
        ].map((one) => ({ context: name, ...one })),
      ),
    );
    const unanswered = [...silent, ...failed];
    const result = withUnanswered(
      {
        kind: 'InvitationList',
        data: { clusters: printable(done.map(({ context: name }) => ({ context: name }))), invitations },
        text: (theme) => invitationsText(invitations, theme, { read: done.length > 0 }),
        exitCode: invitations.some(({ state }) => state === 'unreadable') ? 1 : 0,
      },
      unanswered,
    );
    if (flags.output !== 'name' && flags.headers) return result;
    for (const note of invitationNotes(invitations)) context.progress.warn(note);
    warnOfMissing(context, printable(unreachableData(unanswered)));
    return {
      ...result,
      text: (theme) =>
        flags.output === 'name' ? invitationIds(invitations).join('\n') : invitationsText(invitations, theme, flags),
    };
  });
}
