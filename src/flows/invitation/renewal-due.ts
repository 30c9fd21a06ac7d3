import { isDueOfOwner } from '../../mesh/rotation/due.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { during, type Flow, type Target } from '../flow.ts';

/** Whether a new certificate is to be asked of another owner. @param olderThanMs only where the present one is as old as that */
export async function isRenewalDue(
  flow: Flow,
  { client, namespace }: Target,
  peer: string,
  olderThanMs: number,
): Promise<boolean> {
  const { context } = client;
  const snapshot = await during(flow, { doing: `Reading ${context}`, done: `Read ${context}` }, () =>
    readSnapshot(client, { namespace, purpose: 'connect' }),
  );
  return isDueOfOwner(snapshot, peer, olderThanMs, flow.now());
}
