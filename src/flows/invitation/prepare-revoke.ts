import { ciliumMissing } from '../../mesh/cilium/cilium-missing.ts';
import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { requireListOfUsers } from '../../mesh/connect/direction.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { forgetStep, type InvitationRecord, revokeStep } from '../../mesh/invitation/record.ts';
import { judgeRevocation, type Revocation } from '../../mesh/invitation/revocation.ts';
import { dialsOf } from '../../mesh/peers/connection-mode.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { readForParting } from '../../snapshot/read-for-parting.ts';
import { type DisconnectedCluster, type PreparedDisconnect, prepareParting } from '../connect/prepare-disconnect.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { type KeptInvitation, readInvitations } from './read-invitations.ts';

/** An invitation that is to be taken back, and what becomes of whom it let in. */
export interface PreparedRevoke {
  record: InvitationRecord;
  revocation: Revocation;
  prepared: PreparedDisconnect;
}

/**
 * Finds an invitation and plans its end: none of its messages is accepted any more, and it lets no one in.
 * @param id its beginning is enough where no other one begins so
 * @throws MeshctlError `NotFound`, naming those that there are; `Usage` for a beginning that several have
 */
export async function prepareRevoke(flow: Flow, target: Target, id: string): Promise<PreparedRevoke> {
  const all = await readInvitations(target);
  const invitation = oneOf(all, id, target.client.context);
  const { record } = invitation;
  const { client, namespace } = target;
  const { context } = client;
  const snapshot = await during(flow, { doing: `Reading ${context}`, done: `Read ${context}` }, () =>
    readForParting(client, namespace),
  );
  // Whom it lets in is judged by the list.
  requireListOfUsers([snapshot]);
  const others = all.filter((one) => one !== invitation).map((one) => one.record);
  const revocation = judgeRevocation(record, others, snapshot);
  const step = endOf(invitation, context, flow.now());
  if (revocation.becomes !== 'parted') {
    const nobody = { targets: [target], partings: [], spared: [], parted: [], effects: [], warnings: [] };
    return { record, revocation, prepared: { ...nobody, plan: { steps: [step] } } };
  }
  if (!snapshot.ciliumConfig) throw ciliumMissing(snapshot);
  const { peer, why } = revocation;
  const own: DisconnectedCluster = { context, snapshot, name: clusterNameOf(snapshot) };
  const parting = prepareParting([target], dialsOf('bidirectional', own, [{ context: peer, name: peer }]));
  const mend = meshctlCommand('clustermesh invite', { context }, ['--peer', peer]);
  return {
    record,
    revocation,
    prepared: {
      ...parting,
      effects: [...parting.effects, { cluster: context, peer, becomes: 'cut', why, mend }],
      plan: { steps: [...parting.plan.steps, step] },
    },
  };
}

/** A guest has to know, as long as it is good, that it takes this one no more; an inviter takes none that is unknown. */
function endOf({ record, secret }: KeptInvitation, context: string, now: Date): Step {
  return record.role === 'guest' && record.expires > now
    ? revokeStep(context, secret, record)
    : forgetStep(context, secret, 'none of its messages is accepted any more');
}

function oneOf(invitations: readonly KeptInvitation[], id: string, context: string): KeptInvitation {
  if (id === '') {
    const hint = `See the ids: ${meshctlCommand('clustermesh invitations list', { context })}`;
    throw new MeshctlError('Usage', 'the id of the invitation is empty', { hint });
  }
  const found = invitations.filter(({ record }) => record.id === id || record.id.startsWith(id));
  const [first, second] = found;
  const ids = invitations.map(({ record }) => record.id);
  if (first && !second) return first;
  if (first) {
    throw new MeshctlError('Usage', `context "${context}": several invitations begin with ${id}`, {
      hint: 'Give more of the id.',
      details: { context, ids: found.map(({ record }) => record.id) },
    });
  }
  throw new MeshctlError(
    'NotFound',
    `context "${context}" has no invitation ${id}; it has ${ids.join(', ') || 'none'}`,
    { details: { context, ids } },
  );
}
