import { MESSAGE_KIND, messageData, type SignedMessage } from '../../../mesh/invitation/message.ts';
import { shownTime } from '../../../mesh/invitation/validity.ts';
import { messageText } from '../../../views/invitation/message-view.ts';
import type { CommandContext, CommandResult } from '../../command.ts';

/**
 * A message for the other owner as a result, with what is to be done with it on stderr.
 * @param renews whether it invites a cluster that is joined already
 */
export function messageResult(
  { progress }: CommandContext,
  message: SignedMessage,
  to: string | undefined,
  renews = false,
): CommandResult {
  const whom = to === undefined ? 'the owner of the other cluster' : `the owner of ${to}`;
  progress.info(`Hand the ${message.step} to ${whom}, who accepts it before ${shownTime(message.expires)}`);
  return { kind: MESSAGE_KIND, data: messageData(message), text: () => messageText(message, renews) };
}
