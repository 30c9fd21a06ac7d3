import { meshctlCommand } from '../../mesh/command-line.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { forgetStep } from '../../mesh/invitation/record.ts';
import { AGENT_PEERS_SECRET, KVSTOREMESH_PEERS_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { secretTexts } from '../../mesh/objects/secret-data.ts';
import { peersIn } from '../../mesh/peers/file/peer-config.ts';
import { type PreparedDisconnect, prepareForgetting } from '../connect/prepare-disconnect.ts';
import type { Flow, Target } from '../flow.ts';
import { type KeptInvitation, readInvitations } from './read-invitations.ts';

/** An invitation that is to be taken back, with what it lets in already. */
export interface PreparedRevoke {
  invitation: KeptInvitation;
  prepared: PreparedDisconnect;
}

/**
 * Finds an invitation and plans its end.
 * @param id its beginning is enough where no other one begins so
 * @throws MeshctlError `NotFound`, naming those that there are; `Usage` for a beginning that several have
 */
export async function prepareRevoke(flow: Flow, target: Target, id: string): Promise<PreparedRevoke> {
  const invitation = oneOf(await readInvitations(target), id, target.client.context);
  const { record, secret } = invitation;
  const { context } = target.client;
  const step = forgetStep(context, secret, 'no message of it is accepted any more');
  const { peer } = record;
  const isLetIn = record.state === 'replied' && peer && !(await dials(target, peer.name));
  if (!peer || !isLetIn) {
    const nobody = { targets: [target], partings: [], spared: [], parted: [], effects: [], warnings: [] };
    return { invitation, prepared: { ...nobody, plan: { steps: [step] } } };
  }
  const prepared = await prepareForgetting(flow, target, [peer.name], 'bidirectional');
  const mend = meshctlCommand('clustermesh invite', { context }, ['--peer', peer.name]);
  const why = 'it was let in by this invitation, and may be connected by now';
  return {
    invitation,
    prepared: {
      ...prepared,
      effects: [...prepared.effects, { cluster: context, peer: peer.name, becomes: 'cut', why, mend }],
      plan: { steps: [...prepared.plan.steps, step] },
    },
  };
}

async function dials({ client, namespace }: Target, peer: string): Promise<boolean> {
  const secrets = [AGENT_PEERS_SECRET, KVSTOREMESH_PEERS_SECRET].map((name) => client.get(secretRef(namespace, name)));
  return (await Promise.all(secrets)).some((secret) => peersIn(secretTexts(secret)).includes(peer));
}

function oneOf(invitations: readonly KeptInvitation[], id: string, context: string): KeptInvitation {
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
