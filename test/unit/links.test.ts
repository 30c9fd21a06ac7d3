import { describe, expect, it } from 'vitest';
import { linksByContext } from '../../src/mesh/status/links.ts';
import { evaluateMesh } from '../../src/mesh/status/mesh-status.ts';
import { type RemoteClusterReport, remoteClusters } from '../../src/mesh/status/remote-cluster-report.ts';
import { createTally } from '../../src/mesh/status/status-tally.ts';

/** As agents have it in JSON: nothing is left out that is not judged by. */
const CONNECTED = { name: 'mesh-2', ready: true, connected: true, 'num-shared-services': 1 };
/** Its client gets no connection any more. */
const HOLDING = { name: 'mesh-2', 'num-shared-services': 1 };
/** It gets one, to a cache that has nothing of the peer any more. */
const UNREAD = { ...HOLDING, connected: true, config: { required: true } };
/** Restarted since, or the time to live of what it knew is over. */
const EMPTY = { name: 'mesh-2' };
const SILENT = undefined;

function brokenLinks(agents: readonly (object | undefined)[]) {
  const tally = createTally({
    ...{ context: 'one', namespace: 'kube-system', clusterName: 'mesh-1', clusterId: 1 },
    ...{ peers: ['mesh-2'], enabled: true, kvstoremesh: false },
  });
  agents.forEach((agent, index) => {
    const clusters: readonly RemoteClusterReport[] | undefined = agent && remoteClusters([agent]);
    tally.add('agent', { name: `node-${index}`, clusters, ...(clusters ? {} : { error: 'no answer' }) });
  });
  return linksByContext(evaluateMesh([tally.report()], [])).get('one')?.broken;
}

describe('a connection by what the agents of a cluster say', () => {
  it.each<[string, (object | undefined)[], object[]]>([
    ['all are connected', [CONNECTED, CONNECTED], []],
    ['none is, and each goes on with what it last heard', [HOLDING, UNREAD], [{ state: 'lost' }]],
    ['one is not, and goes on', [CONNECTED, HOLDING], [{ state: 'lost' }]],
    ['one was restarted since', [HOLDING, EMPTY], [{ state: 'disconnected', using: 1 }]],
    ['one is connected, and one knows nothing', [CONNECTED, EMPTY], [{ state: 'disconnected', using: 1 }]],
    ['one says nothing', [HOLDING, SILENT], [{ state: 'disconnected', using: 1 }]],
    ['all were restarted since', [EMPTY, EMPTY], [{ state: 'disconnected' }]],
  ])('%s', (_, agents, links) => {
    const found = brokenLinks(agents)?.map(({ peer: _peer, reason: _reason, ...link }) => link);
    expect(found).toEqual(links);
  });
});
