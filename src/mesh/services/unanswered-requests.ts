import { isTunnel } from '../cilium/datapath.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand } from '../command-line.ts';
import { enumerated, firstOf } from '../counted.ts';
import { groupBy } from '../pairs.ts';
import { dialsThis } from '../peers/namesakes.ts';
import type { Hazard } from '../plan/agreement.ts';
import { type DialOfSnapshots, firstDials, usedOf } from './newly-shared.ts';
import type { ClusterServices } from './service-facts.ts';
import { usedOnceDialled } from './services.ts';

/** What dials that are one-way come to where answers have no way back. */
export interface UnansweredRequests {
  /** Of dials that there have not been until now, what of global Services fails by them. */
  hazards: readonly Hazard[];
  warnings: readonly string[];
}

/** What has both of two clusters dial, after an arrow: a command, or what to write. */
export type HaveBothDial = (client: ClusterSnapshot, servers: readonly ClusterSnapshot[]) => string;

/**
 * What becomes of requests where only one of two clusters dials the other one. In a tunnel an answer comes back only if the nodes that
 * send it know on which node the pod is that asked, and they know the pods of those clusters only that their own dials (the node of an
 * address is from Cilium's ipcache, which is filled from the etcd of each cluster that is dialled). What is routed natively needs none
 * of that.
 * @param dials all that there are to be between clusters that were read
 */
export function unansweredRequests(dials: readonly DialOfSnapshots[], bothDial: HaveBothDial): UnansweredRequests {
  const unanswered = dials.filter((dial) => isTunnel(dial.server) && !isDialledBack(dial, dials));
  const starting = firstDials(unanswered);
  const isFirst = ({ client, server }: DialOfSnapshots) =>
    starting.some((one) => one.client === client && one.servers.includes(server));
  const standing = unanswered.filter((dial) => !isFirst(dial));
  return {
    hazards: starting.flatMap(({ client, servers }) =>
      failing(client, servers).map(({ servers: _, ...hazard }) => ({ cluster: client.context, ...hazard })),
    ),
    warnings: [
      ...starting.map(({ client, servers }) => {
        const names = enumerated(servers.map(clusterNameOf));
        return `context "${client.context}": pods get no answer from pods of ${names}: ${why(client, servers)} → ${bothDial(client, servers)}`;
      }),
      // Who has chosen it, and shares nothing by it, has heard it then.
      ...[...groupBy(standing, ({ client }) => client)].flatMap(([client, own]) =>
        failing(
          client,
          own.map(({ server }) => server),
        ).map(
          ({ says, servers }) =>
            `context "${client.context}": ${says}: ${why(client, servers)} → ${bothDial(client, servers)}`,
        ),
      ),
    ],
  };
}

/** The same of one dial that stands when the one back has ended; undefined where it concerns no Service. */
export function unansweredBetween(
  client: ClusterServices,
  server: ClusterServices,
): Pick<Hazard, 'says' | 'befalls' | 'enumerates'> | undefined {
  const keys = usedOnceDialled(client, server);
  return keys.length > 0 ? unansweredOf(client.cluster, keys, [server.cluster]) : undefined;
}

function unansweredOf(
  client: string,
  services: readonly string[],
  servers: readonly string[],
): Required<Pick<Hazard, 'says' | 'befalls' | 'enumerates'>> {
  return {
    says: clauseOf(client, services, servers),
    befalls: { name: client, several: clauseOf('%', services, servers) },
    enumerates: {
      what: `requests from ${client} get no answer`,
      members: services.flatMap((service) => servers.map((server) => `${service} of ${server}`)),
    },
  };
}

function clauseOf(client: string, services: readonly string[], servers: readonly string[]): string {
  return `requests from ${client} for ${firstOf(services)} that go to ${enumerated(servers)} get no answer`;
}

/** The `connect` by which all dial each other that are one-way until now. */
export const bothDialByConnect: HaveBothDial = ({ context }, servers) => {
  const others = servers.map((server) => server.context);
  return `To have both dial: ${connectCommand(context, others, ['--connection-mode', 'bidirectional'])}`;
};

/** The same in a mesh file, whose pairs alone can be one-way. */
export const bothDialByFile: HaveBothDial = (client, servers) => {
  const [from, others] = [clusterNameOf(client), servers.map(clusterNameOf)];
  const pairs = others.map((to) => `[${from}, ${to}] instead of {from: ${from}, to: ${to}}`);
  return `To have both dial, write ${enumerated(pairs)} in topology.pairs`;
};

/** What a cluster, or several, do with packets for pods. @param who the cluster, or clusters, as the clause goes on */
export function tunnelsOnlyTo(who: 'it' | 'they'): string {
  const [send, dials] = who === 'it' ? ['sends', 'it dials'] : ['send', 'they dial'];
  return `${send} packets through the tunnel only to pods of clusters that ${dials}`;
}

function isDialledBack({ client, server }: DialOfSnapshots, dials: readonly DialOfSnapshots[]): boolean {
  return dials.some((dial) => dial.client === server && dial.server === client) || dialsThis(server, client);
}

function why(client: ClusterSnapshot, servers: readonly ClusterSnapshot[]): string {
  const names = enumerated(servers.map(clusterNameOf));
  const unless = servers.some(({ ciliumConfig }) => ciliumConfig === undefined)
    ? 'unless packets are routed natively, '
    : '';
  const [tunnels, are] = servers.length === 1 ? [tunnelsOnlyTo('it'), 'is'] : [tunnelsOnlyTo('they'), 'are'];
  return `${unless}${names} ${tunnels}, and ${are} not to dial ${clusterNameOf(client)}`;
}

/** By the same Services, which servers' backends do not answer. */
function failing(
  client: ClusterSnapshot,
  servers: readonly ClusterSnapshot[],
): (Pick<Hazard, 'says' | 'befalls' | 'enumerates'> & { servers: readonly ClusterSnapshot[] })[] {
  return usedOf(client, servers).map(({ services, servers: of }) => ({
    ...unansweredOf(clusterNameOf(client), services, of.map(clusterNameOf)),
    servers: of,
  }));
}
