import { applyLeaseRef } from '../../mesh/objects/names.ts';
import {
  concernsPeers,
  disablesCluster,
  type EndState,
  markedRuns,
  type WorkingRun,
  writesWhat,
} from '../../mesh/working-runs.ts';
import type { Flow, Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { isDead } from './take-marks-away.ts';

/**
 * A run that is at work in a cluster and takes away what another one wants there, or makes what is to be gone, so that waiting for it is in
 * vain: a disable of the cluster itself, or one that is about these peers. Where marks cannot be read, none is known.
 * @param peers names
 */
export async function contraryRun(
  flow: Pick<Flow, 'signal'>,
  { client, namespace }: Target,
  peers: readonly string[],
  wanted: EndState = 'there',
): Promise<WorkingRun | undefined> {
  const lease = await orWithout(flow, client.get(applyLeaseRef(namespace)), undefined);
  return markedRuns(lease).find((one) => {
    const isOfPeers = concernsPeers(one, peers) && !writesWhat(one, wanted, peers);
    const isContrary = isOfPeers || (wanted === 'there' && disablesCluster(one));
    return isContrary && !isDead(one, client);
  });
}

/** The next step of a connect that such a run has stopped. Its plan goes by what the other one has left: it says whom to enable first. */
export const CONNECT_AFTERWARDS =
  'Wait until it has ended, then run the same command again if they are to be connected all the same.';

/** The same of a disconnect, whose work such a run has undone, whether that one is at work or has ended. */
export const DISCONNECT_AFTERWARDS =
  'Once that one has ended, run the same command again if they are to be disconnected all the same.';
