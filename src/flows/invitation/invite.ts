import { asPlanned } from '../../kube/apply.ts';
import { heldKeySize } from '../../mesh/certificates/kept-lifetime.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeCluster } from '../../mesh/invitation/described-cluster.ts';
import { messageData, type SignedMessage } from '../../mesh/invitation/message.ts';
import {
  forgetStep,
  type InvitationRecord,
  invitationRef,
  invitationSecret,
  isSpent,
  lastGiven,
} from '../../mesh/invitation/record.ts';
import { shownTime } from '../../mesh/invitation/validity.ts';
import { remoteUserName } from '../../mesh/peers/file/peer-config.ts';
import { configuredPeers } from '../../mesh/peers/peers.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { readCertificate } from '../../pki/read.ts';
import { createRequest } from '../../pki/request.ts';
import { newHeldKey, randomId } from '../../pki/signed-text.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { requireNoRotation } from '../rotation/rotation-hold.ts';
import { createClusterWriter } from '../write/apply-clusters.ts';
import { rollBackClusters } from '../write/roll-back.ts';
import { addressesOf, readOwnMember, requireSettled } from './own-member.ts';
import { type KeptInvitation, readInvitations } from './read-invitations.ts';
import { messageDigest, readSigner, signMessage } from './sign-message.ts';

export interface InviteOptions {
  validMs: number;
  /** The cluster that alone may accept. */
  invited?: string | undefined;
  /** `host:port` at which it is to dial this cluster. */
  endpoints?: readonly string[] | undefined;
  /** Bits; absent: as what is there. */
  keySize?: number | undefined;
  /** The other clusters within reach; asked only where this one is in the middle of a rotation. */
  readOthers: () => Promise<readonly ClusterSnapshot[]>;
}

/** An invitation that is made and not written yet. */
export interface PreparedInvite {
  target: Target;
  message: SignedMessage;
  /** Whether the two are joined already. */
  renews: boolean;
  /** SHA-256 of the CA's certificate. */
  fingerprint: string;
  steps: readonly Step[];
}

/** Makes an invitation: its key, the message, and the Secret in which the key is to be kept. */
export async function prepareInvite(flow: Flow, target: Target, options: InviteOptions): Promise<PreparedInvite> {
  const { kept } = await readInvitations(target);
  // A renewal keeps what was chosen, as connect does.
  const last = lastGiven(kept, options.invited);
  const own = await readOwnMember(flow, target, options.endpoints ?? last?.endpoints);
  await requireSettled(own, options.readOthers);
  if (options.invited === own.identity.name) {
    throw new MeshctlError('Usage', `context "${target.client.context}" is cluster "${options.invited}" itself`, {
      hint: 'Invite the cluster that is to be joined with it; without --peer, any may accept.',
    });
  }
  const renews = options.invited !== undefined && configuredPeers(own.snapshot).includes(options.invited);
  const now = flow.now();
  const { authority, certificates } = await readSigner(target, now);
  const id = randomId();
  const key = await newHeldKey(options.keySize ?? heldKeySize(own.snapshot, options.invited));
  const issued = new Date(now);
  const message = signMessage(
    {
      step: 'invitation',
      id,
      issued,
      expires: new Date(now.getTime() + options.validMs),
      invited: options.invited,
      cluster: describeCluster(own, certificates),
      request: createRequest(remoteUserName(own.identity.name), key),
    },
    authority,
    now,
  );
  const record: InvitationRecord = {
    id,
    role: 'inviter',
    state: 'invited',
    issued,
    expires: message.expires,
    sent: messageData(message),
    sentDigest: messageDigest(message),
    endpoints: addressesOf(own),
    given: own.given === 'addresses',
    ...(renews ? { renews } : {}),
  };
  const { namespace } = target;
  const step: Step = {
    cluster: own.snapshot.context,
    action: 'create',
    object: invitationRef(namespace, id),
    changes: [],
    why: `keeps the key of the invitation until ${shownTime(message.expires)}`,
    write: { method: 'create', object: invitationSecret(namespace, record, key.pem) },
  };
  const steps = [...spentSteps(target, kept, now), step];
  return { target, message, renews, fingerprint: readCertificate(certificates).sha256, steps };
}

/**
 * Clears away what is left of invitations that are over, once none of their messages would be accepted anyway; but for what somebody
 * has chosen, which the next one for the same peer keeps.
 */
export function spentSteps({ client: { context } }: Target, kept: readonly KeptInvitation[], now: Date): Step[] {
  const isRemembered = (record: InvitationRecord) => lastGiven(kept, record.peer?.name) === record;
  return kept
    .filter(({ record }) => isSpent(record, now) && !isRemembered(record))
    .map(({ secret, record }) => {
      const how = record.state === 'revoked' ? 'revoked' : 'used';
      return forgetStep(context, secret, `it was ${how}, and has expired`);
    });
}

/** Writes the Secret of an invitation, or nothing. */
export async function writeInvite(flow: Flow, { target, steps }: PreparedInvite): Promise<void> {
  await requireNoRotation(flow, [target], steps, { onUnseen: (words) => flow.progress.warn(words) });
  const writer = createClusterWriter(flow, [target], 1);
  try {
    await during(flow, { doing: 'Keeping the key', done: 'The key is kept in this cluster' }, () =>
      writer.write(steps, asPlanned, async () => undefined),
    );
  } catch (error) {
    await rollBackClusters(flow, [target], writer.journals, error);
    throw error;
  }
}
