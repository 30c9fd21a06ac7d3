import { ciliumMissing } from '../../mesh/cilium/cilium-missing.ts';
import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { requireListOfUsers } from '../../mesh/connect/direction.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { forgetStep, revokeStep } from '../../mesh/invitation/record.ts';
import { judgeRevocation, type Revocation } from '../../mesh/invitation/revocation.ts';
import { perhapsLetIn } from '../../mesh/invitation/unreadable.ts';
import { dialsOf } from '../../mesh/peers/connection-mode.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { readForParting } from '../../snapshot/read-for-parting.ts';
import { type DisconnectedCluster, type PreparedDisconnect, prepareParting } from '../connect/prepare-disconnect.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { type KeptInvitation, readInvitations } from './read-invitations.ts';

/** An invitation that is to be taken back, and what becomes of whom it let in. */
export interface PreparedRevoke {
  id: string;
  revocation: Revocation;
  prepared: PreparedDisconnect;
}

/**
 * Finds an invitation and plans its end: none of its messages is accepted any more, and it lets no one in.
 * @param id its beginning is enough where no other one begins so
 * @throws MeshctlError `NotFound`, naming those that there are; `Usage` for a beginning that several have
 */
export async function prepareRevoke(flow: Flow, target: Target, id: string): Promise<PreparedRevoke> {
  const { kept, unreadable } = await readInvitations(target);
  const all = [...kept.map((one) => ({ id: one.record.id, ...one })), ...unreadable];
  const invitation = oneOf(all, id, target.client.context);
  const { client, namespace } = target;
  const { context } = client;
  const snapshot = await during(flow, { doing: `Reading ${context}`, done: `Read ${context}` }, () =>
    readForParting(client, namespace),
  );
  // Whom it lets in is judged by the list.
  requireListOfUsers([snapshot]);
  const others = kept.map(({ record }) => record).filter((record) => record.id !== invitation.id);
  const nobody = { targets: [target], partings: [], spared: [], parted: [], effects: [] };
  if (!('record' in invitation)) {
    const step = forgetStep(context, invitation.secret, 'nothing of it can be read');
    const warnings = leftByUnreadable(invitation.id, perhapsLetIn(snapshot, others), context);
    const prepared = { ...nobody, warnings, plan: { steps: [step] } };
    return { id: invitation.id, revocation: { becomes: 'nothing' }, prepared };
  }
  const { record } = invitation;
  const revocation = judgeRevocation(record, others, snapshot);
  const step = endOf(invitation, context, flow.now());
  if (revocation.becomes !== 'parted') {
    return { id: record.id, revocation, prepared: { ...nobody, warnings: [], plan: { steps: [step] } } };
  }
  if (!snapshot.ciliumConfig) throw ciliumMissing(snapshot);
  const { peer, why } = revocation;
  const own: DisconnectedCluster = { context, snapshot, name: clusterNameOf(snapshot) };
  const parting = prepareParting([target], dialsOf('bidirectional', own, [{ context: peer, name: peer }]));
  const mend = meshctlCommand('clustermesh invite', { context }, ['--peer', peer]);
  return {
    id: record.id,
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

/** Whom one that cannot be read has let in stays in. */
function leftByUnreadable(id: string, peers: readonly string[], context: string): string[] {
  if (peers.length === 0) return [];
  const part = meshctlCommand('clustermesh disconnect', { context }, ['--peer', peers.join(',')]);
  return [
    `context "${context}": whom invitation ${id} has let in is not known, and stays in; it may be ${peers.join(', ')} → to shut out who that is: ${part}`,
  ];
}

function oneOf<T extends { id: string }>(invitations: readonly T[], id: string, context: string): T {
  if (id === '') {
    const hint = `See the ids: ${meshctlCommand('clustermesh invitations list', { context })}`;
    throw new MeshctlError('Usage', 'the id of the invitation is empty', { hint });
  }
  const found = invitations.filter((one) => one.id === id || one.id.startsWith(id));
  const [first, second] = found;
  const ids = invitations.map((one) => one.id);
  if (first && !second) return first;
  if (first) {
    throw new MeshctlError('Usage', `context "${context}": several invitations begin with ${id}`, {
      hint: 'Give more of the id.',
      details: { context, ids: found.map((one) => one.id) },
    });
  }
  throw new MeshctlError(
    'NotFound',
    `context "${context}" has no invitation ${id}; it has ${ids.join(', ') || 'none'}`,
    { details: { context, ids } },
  );
}
