import { stringify } from 'yaml';
import { MESSAGE_API, MESSAGE_KIND, messageData, type SignedMessage } from '../../mesh/invitation/message.ts';
import { shownTime } from '../../mesh/invitation/validity.ts';

const ABOUT: Readonly<Record<SignedMessage['step'], string>> = {
  invitation: 'wants to join its cluster with yours',
  reply: 'has accepted your invitation',
  confirmation: 'has accepted your reply',
};

/**
 * A message as the document that is handed over; its comments say what it is for. No key is in it.
 * @param renews whether it invites a cluster that is joined already
 */
export function messageText(message: SignedMessage, renews = false): string {
  const { step, cluster, expires } = message;
  const document = { apiVersion: MESSAGE_API, kind: MESSAGE_KIND, ...messageData(message) };
  const about = renews ? 'wants to renew the certificates by which it and your cluster are joined' : ABOUT[step];
  return [
    `# The owner of cluster "${cluster.name}" ${about}. Save this as ${step}.yaml, and have meshctl accept it`,
    '# (clustermesh accept) in your cluster.',
    `# Nothing in it is secret. It is good until ${shownTime(expires)}, once.`,
    stringify(document, { aliasDuplicateObjects: false, lineWidth: 0 }).trimEnd(),
  ].join('\n');
}
