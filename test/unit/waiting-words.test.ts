/** What a wait says that it waits for: whoever could not be asked is not said to lack a connection, and nobody waits for none. */
import { describe, expect, it } from 'vitest';
import { waitingFor } from '../../src/flows/status/standstill.ts';
import type { StatusProblem, StatusReport } from '../../src/mesh/status/status.ts';

interface Shape {
  nodes: number;
  connected: number;
  silent: number;
  replicas: number;
  replicasConnected: number;
}

const names = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `n${from + index}`);
const silentNodes = (count: number, from: number): StatusProblem[] =>
  count === 0
    ? []
    : [{ peer: 'b', component: 'agent', class: 'agent-unreachable', message: '', nodes: names(count, from) }];

function report({ nodes, connected, silent, replicas, replicasConnected }: Shape): StatusReport {
  const agents = { configured: connected, connected, total: nodes };
  return {
    ...{ context: 'c', namespace: 'kube-system', cluster: { name: 'a', id: 1 }, healthy: false, enabled: true },
    nodes: { total: nodes, connected },
    kvstoremesh: { enabled: true, replicas, connected: replicasConnected },
    ...{ peers: [{ name: 'b', agents }], serves: [], faults: [], problems: silentNodes(silent, connected) },
  };
}

const words = (of: StatusReport, waitedMs?: number) => waitingFor({ reports: [of], unreachable: [] }, waitedMs);

const SHAPES: readonly Shape[] = [0, 1, 2, 3].flatMap((nodes) =>
  names(nodes + 1).flatMap((_n, connected) =>
    names(nodes - connected + 1).flatMap((_s, silent) =>
      [0, 1, 2].flatMap((replicas) =>
        names(replicas + 1).map((_r, replicasConnected) => ({ nodes, connected, silent, replicas, replicasConnected })),
      ),
    ),
  ),
);

describe('what a wait waits for', () => {
  it.each(SHAPES)('is somebody, and not one of one, with %j', (shape) => {
    const said = words(report(shape));
    expect(said).not.toMatch(/\b0 of|\b1 of 1\b|\b1 (nodes|replicas)\b/);
    expect(said.length).toBeGreaterThan('Waiting for '.length);
  });

  it('is an answer of those that could not be asked, and a connection of the others', () => {
    const all = { nodes: 1, connected: 0, silent: 1, replicas: 1, replicasConnected: 1 };
    expect(words(report(all))).toBe('Waiting for the only node of c to answer, which could not be asked');
    expect(words(report({ ...all, nodes: 3 }))).toBe(
      'Waiting for 2 of 3 nodes of c to connect to b, and for 1 of 3 nodes of c to answer, which could not be asked',
    );
  });

  it('has why it takes minutes where a peer is not taken up, once it takes longer than a kubelet', () => {
    const of = report({ nodes: 2, connected: 0, silent: 0, replicas: 1, replicasConnected: 0 });
    const problems: StatusProblem[] = [
      { peer: 'b', component: 'kvstoremesh', class: 'not-configured', message: '', nodes: ['r'] },
    ];
    const held = { ...of, problems };
    const why = ', where a peer that was disconnected is taken up again only three minutes later';
    expect(words(held)).toBe('Waiting for 2 of 2 nodes of c to connect to b');
    expect(words(held, 30_000)).toBe(`Waiting for 2 of 2 nodes of c to connect to b${why}`);
    expect(words(of, 30_000)).not.toContain(why);
  });
});
