import { meshctlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { describeRef, type KubeObject, refOf } from '../objects/kube-object.ts';
import { secretRef } from '../objects/names.ts';
import { MANAGED_BY } from '../objects/ownership.ts';
import { emptySecret, encodeText, secretText } from '../objects/secret-data.ts';
import type { Edit, Step } from '../plan/plan.ts';
import { shownTime } from './validity.ts';

/**
 * What a cluster keeps of an invitation, in a Secret of its own in Cilium's namespace: the key that the other owner signs a
 * certificate for, until it is in use, and how far it has come.
 */
export interface InvitationRecord {
  id: string;
  role: 'inviter' | 'guest';
  state: InvitationState;
  issued: Date;
  expires: Date;
  /**
   * The other cluster, once it is known; `ca` is the SHA-256 of its CA certificate. An inviter that is still `invited` has
   * begun to accept this one's reply, and takes no other one's.
   */
  peer?: { name: string; id: number; ca: string } | undefined;
  /** The message that was printed last, as its document. */
  sent: Record<string, unknown>;
  /** SHA-256 of it, and of the message that it answers. */
  sentDigest: string;
  /** Of replies that were printed before it, for the same key: the other owner may have one of them. */
  earlierDigests?: readonly string[] | undefined;
  received?: string | undefined;
  /** At which the other cluster is to dial this one. */
  endpoints: readonly string[];
  /** Whether somebody has named them; else they are those of the Service, wherever that goes. */
  given?: boolean | undefined;
  /** Whether the two were joined already when it was made or accepted here. */
  renews?: boolean | undefined;
}

/**
 * - invited: the inviter waits for the reply. - replied: the guest waits for the confirmation.
 * - confirmed: the inviter is done; the guest waits for the message that it has printed. - joined: the guest is done.
 * - revoked: the guest takes no message of it any more, not even the invitation once again. Of an inviter nothing is left
 *   then, for whom a message of an unknown invitation is refused anyway.
 */
export type InvitationState = 'invited' | 'replied' | 'confirmed' | 'joined' | 'revoked';

/** By which the Secrets are found. */
export const INVITATION_LABEL = 'meshctl.io/invitation';
const RECORD_KEY = 'record.json';
const PRIVATE_KEY = 'tls.key';

/** The Secret that keeps an invitation. */
export function invitationRef(namespace: string, id: string) {
  return secretRef(namespace, `meshctl-invitation-${id}`);
}

/** The Secret of a record. @param privateKey PEM; absent once it is in use elsewhere */
export function invitationSecret(namespace: string, record: InvitationRecord, privateKey?: string): KubeObject {
  const secret = emptySecret(invitationRef(namespace, record.id), 'Opaque');
  return {
    ...secret,
    metadata: { ...secret.metadata, labels: { [MANAGED_BY]: 'meshctl', [INVITATION_LABEL]: record.role } },
    data: {
      [RECORD_KEY]: encodeText(JSON.stringify(record)),
      ...(privateKey === undefined ? {} : { [PRIVATE_KEY]: encodeText(privateKey) }),
    },
  };
}

/** A patch that brings a Secret to the next state. @param withoutKey takes the key out of it: it is in use elsewhere */
export function recordPatch(record: InvitationRecord, withoutKey: boolean): { data: Record<string, string | null> } {
  return {
    data: {
      [RECORD_KEY]: encodeText(JSON.stringify(record)),
      ...(withoutKey ? { [PRIVATE_KEY]: null } : {}),
    },
  };
}

/** A Secret as it is once a record is in it. */
export function withRecord(secret: KubeObject, record: InvitationRecord): KubeObject {
  return { ...secret, data: { ...(secret.data as object), ...recordPatch(record, false).data } };
}

/**
 * Brings a Secret from one state that this run has written to the next.
 * @throws MeshctlError `Conflict` where it is in another state by then
 */
export function recordEdit(
  context: string,
  { from, to, withoutKey }: { from: InvitationRecord; to: InvitationRecord; withoutKey: boolean },
): (live: KubeObject) => Edit | undefined {
  const [before, after] = [from, to].map((record) => JSON.stringify(record));
  return (live) => {
    const text = secretText(live, RECORD_KEY);
    if (text === after) return undefined;
    if (text === before) return { patch: recordPatch(to, withoutKey) };
    const object = describeRef(refOf(live));
    throw new MeshctlError('Conflict', `context "${context}": someone else has changed ${object} meanwhile`, {
      hint: `See how the invitation stands: ${meshctlCommand('clustermesh invitations list', { context })}`,
      details: { context, object },
    });
  };
}

/** Takes a Secret of an invitation away: this very one, and as it was read, since a message may be accepted meanwhile. */
export function forgetStep(context: string, secret: KubeObject, why: string): Step {
  const { uid, resourceVersion } = secret.metadata;
  const object = refOf(secret);
  return {
    cluster: context,
    action: 'delete',
    object,
    before: secret,
    changes: [],
    why,
    write: { method: 'delete', uid, resourceVersion },
  };
}

/** Writes down that an invitation is taken back, and takes its key away. Nothing is done where that is so already. */
export function revokeStep(context: string, secret: KubeObject, record: InvitationRecord): Step {
  const base = { cluster: context, object: refOf(secret), before: secret, changes: [] };
  const until = `until it expires (${shownTime(record.expires)})`;
  if (record.state === 'revoked') return { ...base, action: 'keep', why: `it is revoked, and that is kept ${until}` };
  const patch = recordPatch({ ...record, state: 'revoked' }, true);
  const { resourceVersion } = secret.metadata;
  const why = `none of its messages is accepted any more; that is kept ${until}`;
  return { ...base, action: 'update', why, write: { method: 'patch', patch, resourceVersion } };
}

/** Which of a peer's invitations says last at which addresses, by somebody's choice, that peer is to dial this cluster. */
export function lastGiven(
  kept: readonly { record: InvitationRecord }[],
  peer: string | undefined,
): InvitationRecord | undefined {
  return kept
    .map(({ record }) => record)
    .filter((record) => record.given && isUsed(record) && peer !== undefined && record.peer?.name === peer)
    .toSorted((a, b) => a.issued.getTime() - b.issued.getTime())
    .at(-1);
}

/** What a Secret says of an invitation; undefined where it cannot be read. */
export function readRecord(secret: KubeObject): InvitationRecord | undefined {
  try {
    const record = JSON.parse(secretText(secret, RECORD_KEY) ?? '') as InvitationRecord;
    const [issued, expires] = [new Date(record.issued), new Date(record.expires)];
    const isSound =
      typeof record.id === 'string' &&
      STATES.includes(record.state) &&
      ![issued, expires].some((time) => Number.isNaN(time.getTime())) &&
      typeof record.sent === 'object' &&
      record.sent !== null &&
      Array.isArray(record.endpoints);
    return isSound && secret.metadata.name === invitationRef('', record.id).name
      ? { ...record, issued, expires }
      : undefined;
  } catch {
    return undefined;
  }
}

/** The private key that is kept for an invitation. */
export function keptKey(secret: KubeObject): string | undefined {
  return secretText(secret, PRIVATE_KEY);
}

const STATES: readonly string[] = [
  ...(['invited', 'replied', 'confirmed', 'joined', 'revoked'] satisfies InvitationState[]),
];

/** What waits for nobody's message any more. */
const OVER: readonly InvitationState[] = ['confirmed', 'joined', 'revoked'];

/** Whether nothing of it is needed any more: it is over, and has expired, so that none of its messages is accepted anyway. */
export function isSpent({ state, expires }: InvitationRecord, now: Date): boolean {
  return OVER.includes(state) && expires <= now;
}

/** An invitation as it stands, for people and programs. */
export interface InvitationStanding {
  id: string;
  /** Absent, like the time at which it expires, only where it cannot be read. */
  role?: InvitationRecord['role'] | undefined;
  /** The other cluster's name: the one that is invited, until one has answered; absent where any may. */
  peer?: string | undefined;
  state: ReadStanding | 'unreadable';
  /** What it waits for, as a clause; absent where it waits for nothing. */
  waitsFor?: string | undefined;
  /** What this side cannot see of it, as a clause. */
  unseen?: string | undefined;
  expires?: string | undefined;
  /** What this side does next. */
  next?: string | undefined;
}

type ReadStanding = InvitationState | 'expired' | 'void' | 'outdated';

/** @param context of the cluster that has the invitation */
export function revokeCommand(context: string, id: string): string {
  return meshctlCommand('clustermesh invitations revoke', { context }, [id]);
}

/**
 * How an invitation stands.
 * @param context of the cluster that has it
 * @param isConnected whether this cluster is seen to be connected to the other one
 * @param isVoid whether the CA that signed this side's message has been replaced: no answer to it is accepted
 * @param isOld whether nobody waits for it any more (`isOutdated`)
 */
export function standingOf(
  record: InvitationRecord,
  context: string,
  now: Date,
  { isConnected = false, isVoid = false, isOld = false } = {},
): InvitationStanding {
  const { id, role, expires } = record;
  const peer = otherOf(record);
  const state = stateOf(record, now, { isVoid, isOld });
  const accept = (file: string) => meshctlCommand('clustermesh accept', { context }, [file]);
  const revoke = revokeCommand(context, id);
  const again = meshctlCommand('clustermesh invite', { context }, peer === undefined ? [] : ['--peer', peer]);
  const whom = peer ? `the owner of "${peer}"` : 'the other owner';
  // Who dials a cluster is written down nowhere in it: whether the other half stands, only the other status tells.
  const confirmed = isConnected
    ? { unseen: `only their own status shows whether ${whom} has accepted the confirmation` }
    : { waitsFor: `${whom} to accept the confirmation, unless they have` };
  const steps: Readonly<Record<ReadStanding, Pick<InvitationStanding, 'waitsFor' | 'unseen' | 'next'>>> = {
    invited: {
      waitsFor: record.peer ? `you to finish accepting the reply of ${whom}` : `the reply of ${whom}`,
      next: accept('reply.yaml'),
    },
    replied: { waitsFor: `the confirmation of ${whom}`, next: accept('confirmation.yaml') },
    confirmed: expires <= now || isOld ? {} : confirmed,
    joined: {},
    revoked: {},
    expired: { next: revoke },
    void: { next: role === 'guest' ? revoke : `${revoke} && ${again}` },
    outdated: { next: revoke },
  };
  return { id, role, peer, state, expires: expires.toISOString(), ...steps[state] };
}

function stateOf(
  { state, expires }: InvitationRecord,
  now: Date,
  { isVoid, isOld }: Record<'isVoid' | 'isOld', boolean>,
): ReadStanding {
  if (OVER.includes(state)) return state;
  if (isOld) return 'outdated';
  if (expires <= now) return 'expired';
  return isVoid ? 'void' : state;
}

/** What is the matter with an invitation on which nobody waits, as a clause; undefined where it is as it should be. */
export function endOfStanding({ state, role }: Pick<InvitationStanding, 'state' | 'role'>): string | undefined {
  if (state === 'expired') return 'has expired';
  if (state === 'unreadable') return 'cannot be read: its Secret was changed, or is of a later meshctl';
  if (state !== 'void') return undefined;
  const again = role === 'guest' ? ': the owner who invited has to invite again' : '';
  return `is void, because the CA that signed what was sent has been replaced${again}`;
}

/** Whether it has connected the two clusters, as far as this side does. */
export function isUsed({ state }: Pick<InvitationRecord, 'state'>): boolean {
  return state === 'confirmed' || state === 'joined';
}

/** The name of the other cluster: of who has answered, or else of who is invited; undefined where that may be any. */
export function otherOf({ peer, sent: { invited } }: InvitationRecord): string | undefined {
  return peer?.name ?? (typeof invited === 'string' ? invited : undefined);
}

/** Whether this side has sent a message to which no answer has come. */
export function isUnanswered({ state }: Pick<InvitationRecord, 'state'>): boolean {
  return state === 'invited' || state === 'replied';
}

/** Whether somebody still has to do something for it. */
export function isPending(record: InvitationRecord, now: Date): boolean {
  return isUnanswered(record) || (record.state === 'confirmed' && record.expires > now);
}
