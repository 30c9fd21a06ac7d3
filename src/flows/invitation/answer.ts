import { clientSpec } from '../../mesh/certificates/cluster-certificates.ts';
import { presentLifetime } from '../../mesh/certificates/kept-lifetime.ts';
import type { Direction } from '../../mesh/connect/direction.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { describeCluster } from '../../mesh/invitation/described-cluster.ts';
import type { Seals } from '../../mesh/invitation/judge.ts';
import { MESSAGE_API, MESSAGE_KIND, type Message, type SignedMessage } from '../../mesh/invitation/message.ts';
import { parseMessage } from '../../mesh/invitation/parse-message.ts';
import type { Authority } from '../../pki/authority.ts';
import { certifyKey } from '../../pki/issue.ts';
import { readRequest } from '../../pki/request.ts';
import type { KeptInvitation } from './read-invitations.ts';
import { signMessage } from './sign-message.ts';

/** A message that is accepted, with what this cluster is and keeps. */
export interface Accepted {
  message: SignedMessage;
  seals: Seals;
  own: Member;
  peer: Member;
  kept: KeptInvitation | undefined;
  authority: Authority;
  /** PEM, the one that signs first. */
  certificates: string;
  now: Date;
  /** By which the certificate is dated. */
  issuing: Date;
}

/**
 * What goes back: this cluster, and the certificate that was asked for.
 * @param incoming how the other cluster will dial this one
 */
export function answerOf(
  { message, own, seals, authority, certificates, now, issuing }: Accepted,
  { credential }: Pick<Direction, 'credential'>,
  parts: Pick<Message, 'step' | 'request'>,
): SignedMessage {
  const { validityMs } = presentLifetime(own.snapshot);
  const certificate = certifyKey(authority, clientSpec(credential.user), readRequest(message.request ?? ''), {
    now: issuing,
    ...(validityMs === undefined ? {} : { validityMs }),
  });
  const content: Message = {
    ...parts,
    id: message.id,
    issued: new Date(now),
    expires: message.expires,
    answers: { cluster: message.cluster.name, ca: seals.ca?.sha256 ?? '', message: seals.digest },
    cluster: describeCluster(own, certificates),
    certificate,
  };
  return signMessage(content, authority, now);
}

/** A message that was printed before, from what is kept of it. */
export function asMessage(sent: Record<string, unknown>): SignedMessage {
  const document = { apiVersion: MESSAGE_API, kind: MESSAGE_KIND, ...sent };
  return parseMessage(JSON.stringify(document), 'what was printed before');
}
