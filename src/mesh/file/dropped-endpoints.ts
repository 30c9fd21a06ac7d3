import { hostPort } from '../apiserver/endpoints.ts';
import { connectCommand } from '../command-line.ts';
import { type Direction, dials } from '../connect/direction.ts';
import { choicesFor, dropsEndpoints } from '../peers/peer-choices.ts';
import type { PeerEffect } from '../plan/peer-effects.ts';

/**
 * The connections for which addresses were chosen that a file leaves out, so that they go back to the Service's: nobody has
 * asked for these, and that others had to be chosen says that they may well not be reachable. A proof goes by the API server.
 */
export function droppedEndpoints(directions: readonly Direction[]): PeerEffect[] {
  return directions.flatMap(({ client, server, endpoint: { addresses }, marks }): PeerEffect[] => {
    const { name } = server.identity;
    const chosen = choicesFor(client.snapshot, name).endpoints?.map(({ host, port }) => hostPort(host, port));
    if (!chosen || !dropsEndpoints(name, marks) || !dials(client, server)) return [];
    if (addresses.some((address) => chosen.includes(address))) return [];
    const { context } = client.snapshot;
    const again = chosen.flatMap((address) => ['--destination-endpoint', `${name}=${address}`]);
    return [
      {
        cluster: context,
        peer: name,
        becomes: 'unknown',
        why: `${chosen.join(', ')} was chosen for it, which the file leaves out (endpoints), and ${addresses.join(', ')} has not been tried from there`,
        mend: connectCommand(context, server.snapshot.context, again),
      },
    ];
  });
}
