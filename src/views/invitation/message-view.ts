import { stringify } from 'yaml';
import { MESSAGE_API, MESSAGE_KIND, messageData, type SignedMessage } from '../../mesh/invitation/message.ts';
import { shownTime } from '../../mesh/invitation/validity.ts';

const ABOUT: Readonly<Record<SignedMessage['step'], string>> = {
  invitation: 'wants to join its cluster with yours',
  reply: 'has accepted your invitation',
  confirmation: 'has accepted your reply',
};

/** A message as the document that is handed over; its comments say what it is for. No key is in it. */
export function messageText(message: SignedMessage): string {
  const { step, cluster, expires } = message;
  const document = { apiVersion: MESSAGE_API, kind: MESSAGE_KIND, ...messageData(message) };
  return [
    `# The owner of cluster "${cluster.name}" ${ABOUT[step]}. Save this as ${step}.yaml, and have meshctl accept it`,
    '# (clustermesh accept) in your cluster.',
    `# Nothing in it is secret. It is good until ${shownTime(expires)}, once.`,
    stringify(document, { aliasDuplicateObjects: false, lineWidth: 0 }).trimEnd(),
  ].join('\n');
}
