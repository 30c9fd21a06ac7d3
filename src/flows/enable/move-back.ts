import type { Journal } from '../../kube/apply.ts';
import { runsKvstoremesh } from '../../mesh/apiserver/deployment.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import type { PeerMove } from '../../mesh/enable/effects/peer-move.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef } from '../../mesh/objects/kube-object.ts';
import { AGENT_PEERS_SECRET, apiserverDeploymentRef } from '../../mesh/objects/names.ts';
import type { Flow, Target } from '../flow.ts';
import { awaitRollout } from './await-apiserver.ts';
import { awaitAgents, awaitCache, seeAgentsBack, uninterrupted } from './move-peers.ts';

/**
 * Has a rollback of a move go the way of a move in the other direction: what the agents are to read or dial is there before they
 * go over to it, and what they go over from stays until they have. Without that it would take their peers from them for as long
 * as pods need to start.
 * @param waitMs for the whole way, from when it first waits: what one wait has taken, the next ones lack
 * @param written what enable has written, in its order; entries are changed
 */
export function guardWayBack(
  flow: Flow,
  target: Target,
  { move, waitMs, written }: { move: PeerMove; waitMs: number; written: readonly Journal[] },
): void {
  // Where nothing dialled from there before, there is nothing to go back to, and nothing to wait for.
  if (!move.running || move.peers.length === 0) return;
  const entries = written.flatMap((journal) => journal.entries);
  const at = entries.findIndex(({ ref }) => ref.name === AGENT_PEERS_SECRET);
  const agents = entries[at];
  if (!agents) return;
  const own = uninterrupted(flow);
  let endsAt: number | undefined;
  const left = () => {
    endsAt ??= own.clock.ms() + waitMs;
    return Math.max(0, endsAt - own.clock.ms());
  };
  if (move.to === 'agents') {
    agents.awaitBefore = async () => {
      await requireKvstoremesh(own, target, move);
      await awaitRollout(own, target, left());
      await awaitCache(own, target, move, left());
    };
    agents.awaitAfter = () => seeAgentsBack(own, target, move, left());
    return;
  }
  let back: Promise<void> | undefined;
  const awaitBack = () => {
    back ??= awaitAgents(own, target, { to: 'agents', peers: move.peers }, left());
    return back;
  };
  for (const entry of entries.slice(0, at)) entry.awaitBefore = awaitBack;
}

/** Where its Deployment could not be put back, there is nothing to wait for. */
async function requireKvstoremesh({ signal }: Flow, { client, namespace }: Target, { peers }: PeerMove): Promise<void> {
  const ref = apiserverDeploymentRef(namespace);
  if (runsKvstoremesh(await client.get(ref, { signal }))) return;
  const { context } = client;
  throw new MeshctlError(
    'Incompatible',
    `context "${context}": ${describeRef(ref)} has no KVStoreMesh, so the agents go on dialling ${peers.join(', ')} themselves`,
    {
      hint: `See whether they are connected: ${meshctlCommand('clustermesh status', { context })}`,
      details: { context, peers },
    },
  );
}
