import { MeshctlError } from '../../mesh/errors.ts';
import type { Seals } from '../../mesh/invitation/judge.ts';
import { digestedText, type Message, type SignedMessage, signedText } from '../../mesh/invitation/message.ts';
import type { Authority } from '../../pki/authority.ts';
import { signingPair } from '../../pki/issue.ts';
import { certificatesOf } from '../../pki/pem.ts';
import { readBundle, readTlsFiles } from '../../pki/read.ts';
import { readRequest } from '../../pki/request.ts';
import { digestOf, isSignedBy, signText } from '../../pki/signed-text.ts';
import { requireAuthority } from '../../snapshot/read-snapshot.ts';
import type { Target } from '../flow.ts';

/** Signs a message with the CA of the cluster that it is from. */
export function signMessage(message: Message, authority: Authority, now: Date): SignedMessage {
  return { ...message, signature: signText(signedText(message), signingPair(authority, now).key) };
}

/** The digest by which the answer to a message names it. */
export function messageDigest(message: SignedMessage): string {
  return digestOf(digestedText(message));
}

/** Looks at all that is signed in a message. @param key PEM: the one that its certificate is to be for */
export function sealsOf(message: SignedMessage, key: string | undefined): Seals {
  const { cluster, request, certificate, signature } = message;
  const [ca] = readBundle(cluster.ca);
  const files = certificate === undefined ? undefined : readTlsFiles({ certificate, privateKey: key, ca: cluster.ca });
  const facts = typeof files?.certificate === 'object' ? files.certificate : undefined;
  return {
    isSigned: ca?.isCa === true && isSignedBy(signedText(message), signature, cluster.ca),
    ca,
    digest: messageDigest(message),
    ...(request === undefined ? {} : { isRequestSound: isSound(request) }),
    ...(files && facts
      ? { certificate: { facts, isFromCa: files.signedByCa, isForKey: files.privateKey === 'matches' } }
      : {}),
  };
}

function isSound(request: string): boolean {
  try {
    readRequest(request);
    return true;
  } catch (error) {
    if (error instanceof MeshctlError) return false;
    throw error;
  }
}

/** The CA of a cluster with its key, and its certificates in the order of messages: the one that signs first. */
export async function readSigner(
  { client, namespace }: Target,
  now: Date,
): Promise<{ authority: Authority; certificates: string }> {
  const authority = await requireAuthority(client, namespace);
  const { certificate } = signingPair(authority, now);
  const others = certificatesOf(authority.certificate).map((one) => `${one.toString().trim()}\n`);
  const certificates = [...new Set([certificate, ...others])].join('');
  return { authority, certificates };
}
