/**
 * The messages by which two owners join their clusters, each with rights in its own cluster only. They are documents of
 * kind ClusterMeshInvitation; whoever reads one gains nothing: there is no key in it and nothing that opens a door.
 */

export const MESSAGE_API = 'meshctl.io/v1alpha1';
export const MESSAGE_KIND = 'ClusterMeshInvitation';

/**
 * - invitation: who invites, and a request for the certificate by which it will dial.
 * - reply: who has accepted, that certificate, and a request of its own.
 * - confirmation: the certificate for that request.
 */
export const MESSAGE_STEPS = ['invitation', 'reply', 'confirmation'] as const;
export type MessageStep = (typeof MESSAGE_STEPS)[number];

/** What a message tells of the cluster that it is from: all by which the other one judges whether they go together. */
export interface DescribedCluster {
  name: string;
  id: number;
  /** Absent where its image does not tell. */
  ciliumVersion?: string | undefined;
  /** Keys of its cilium-config that clusters of a mesh must, or should, agree in. */
  settings: Readonly<Record<string, string>>;
  /** Ranges of addresses as CIDRs; absent where they could not be read. */
  podRanges?: readonly string[] | undefined;
  podPools?: readonly string[] | undefined;
  /** Absent where the cluster does not tell. */
  serviceRanges?: readonly string[] | undefined;
  nodeAddresses: readonly string[];
  /** `host:port` at which its clustermesh-apiserver is dialled; its certificate will hold these hosts. */
  endpoints: readonly string[];
  /** Its CA as PEM; of several certificates the first is the one that signs. */
  ca: string;
}

/** Which message another one answers. */
export interface Answered {
  /** The name of the cluster that it is from. */
  cluster: string;
  /** SHA-256 of that cluster's CA certificate, as its receiver saw it; hexadecimal. */
  ca: string;
  /** SHA-256 of the message. */
  message: string;
}

export interface Message {
  step: MessageStep;
  /** The same in all messages of one invitation. */
  id: string;
  issued: Date;
  /** Of the invitation: no message of it is taken later. */
  expires: Date;
  /** The cluster that alone may accept, by its name; absent: whoever gets it. */
  invited?: string | undefined;
  cluster: DescribedCluster;
  /** PEM. */
  request?: string | undefined;
  /** PEM: signed by the CA of the cluster that the message is from, for the one that it is to. */
  certificate?: string | undefined;
  answers?: Answered | undefined;
}

/** A message with the signature by the CA of its cluster, in base64. */
export interface SignedMessage extends Message {
  signature: string;
}

/** A message as the fields of its document, in the order in which people read them. */
export function messageData({ issued, expires, ...message }: Message | SignedMessage): Record<string, unknown> {
  const { step, id, invited, answers, cluster, request, certificate } = message;
  return withoutAbsent({
    step,
    id,
    issued: issued.toISOString(),
    expires: expires.toISOString(),
    invited,
    answers,
    cluster: withoutAbsent({ ...cluster }),
    request,
    certificate,
    signature: 'signature' in message ? message.signature : undefined,
  });
}

/** What is signed: the same text for the same content, however the document is written, and no text of any other use. */
export function signedText(message: Message): string {
  const { signature: _signature, ...content } = messageData(message);
  return `${MESSAGE_API} ${MESSAGE_KIND}\n${JSON.stringify(inOrder(content))}`;
}

/** The text of which a digest names a message. */
export function digestedText(message: SignedMessage): string {
  return `${signedText(message)}\n${message.signature}`;
}

function withoutAbsent(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, one]) => [key, inOrder(one)]));
}
