import { describe, expect, it } from 'vitest';
import { isSeenBroken } from '../../src/flows/status/look-at-clusters.ts';
import { describeFindings } from '../../src/mesh/checks/catalogue.ts';
import { unconnected } from '../../src/mesh/checks/shared/unconnected.ts';
import { linksByContext } from '../../src/mesh/status/links.ts';
import { graphOfStatus } from '../../src/mesh/status/mesh-graph.ts';
import { evaluateMesh } from '../../src/mesh/status/mesh-status.ts';
import type { PollResult, StatusReport } from '../../src/mesh/status/status.ts';
import { adviseMesh, reasonsOf } from '../../src/mesh/status/status-reasons.ts';
import { createTally } from '../../src/mesh/status/status-tally.ts';
import { checkText } from '../../src/views/checks/check-view.ts';
import { brokenLinkLines } from '../../src/views/services/broken-links-view.ts';
import { svgOf } from '../../src/views/status/graph-svg.ts';
import { dotOf, mermaidOf } from '../../src/views/status/graph-text.ts';
import { meshStatusText } from '../../src/views/status/matrix-view.ts';
import { statusJunit } from '../../src/views/status/status-junit.ts';
import { statusText } from '../../src/views/status/status-view.ts';
import { statusDetailsText } from '../../src/views/status/status-wide.ts';

/** That a node could not be asked is not that it is not connected: no view says the one for the other. */
const plain = { bold: String, dim: String, ok: String, warn: String, fail: String };

type Kind = 'connected' | 'not connected' | 'not asked' | 'not tried';

const LATE = 'cilium status did not end within 10 s';

function answerOf(kind: Kind, name: string, peers: readonly string[]): PollResult {
  if (kind === 'not asked') return { name, error: LATE, unasked: true };
  if (kind === 'not tried') {
    const untried = { class: 'agent-unreachable', message: LATE } as const;
    const clusters = peers.map((peer) => ({ name: peer, ready: true, connected: true }));
    return { name, clusters, failingDials: new Map(peers.map((peer) => [peer, untried])) };
  }
  const report =
    kind === 'connected' ? { ready: true, connected: true } : { status: 'dial tcp 10.0.0.1:2379: connection refused' };
  return { name, clusters: peers.map((peer) => ({ name: peer, ...report })) };
}

/** Clusters that all dial each other, without KVStoreMesh. @param kinds of the nodes of each */
function meshOf(...kinds: (readonly Kind[])[]) {
  const names = kinds.map((_, index) => `mesh-${index + 1}`);
  const reports = kinds.map((nodes, index): StatusReport => {
    const peers = names.filter((_, other) => other !== index);
    const clusterName = names[index] ?? '';
    const of = { context: `c${index + 1}`, namespace: 'kube-system', clusterName, clusterId: index + 1, peers };
    const tally = createTally({ ...of, enabled: true, kvstoremesh: false }, { details: true });
    for (const [node, kind] of nodes.entries()) tally.add('agent', answerOf(kind, `node-${node + 1}`, peers));
    return tally.report();
  });
  return adviseMesh(evaluateMesh(reports, []));
}

function viewsOf(mesh: ReturnType<typeof meshOf>): Record<string, string> {
  const [first] = mesh.clusters;
  if (!first) throw new Error('no report');
  const graph = graphOfStatus(mesh);
  const links = linksByContext(mesh).get('c1');
  const read = { ...{ cluster: 'mesh-1', context: 'c1', peers: ['mesh-2'] }, brokenLinks: links?.broken ?? [] };
  return {
    mesh: meshStatusText(mesh, plain),
    cluster: statusText(first, plain),
    wide: statusDetailsText(first, plain),
    junit: statusJunit(mesh.clusters),
    mermaid: mermaidOf(graph),
    dot: dotOf(graph),
    svg: svgOf(graph),
    services: brokenLinkLines({ clusters: [read] } as never, plain).join('\n'),
    check: unconnected(mesh.clusters)
      .map(({ args }) => args.reason)
      .join('\n'),
  };
}

const SAYS_UNCONNECTED =
  /not connected|✗|❌|0\/1 (nodes )?(are )?connected to|0\/1 nodes are|(>|")0\/1(<|")|#cf222e|arrow-broken\)/;

describe('of each node', () => {
  it.each<[Kind, string]>([
    ['connected', 'connected'],
    ['not connected', 'disconnected'],
    ['not asked', 'unknown'],
  ])('what is known is said, and no more: %s', (kind, state) => {
    const mesh = meshOf([kind], ['connected']);
    expect(mesh.matrix.find(({ from, to }) => from === 'mesh-1' && to === 'mesh-2')?.state).toBe(state);
    const views = viewsOf(mesh);
    for (const [view, text] of Object.entries(views)) {
      const isSaid = SAYS_UNCONNECTED.test(text);
      // The last two have the reason instead.
      const may = kind === 'not connected' && view !== 'wide' && view !== 'check';
      expect({ view, isSaid, text }).toEqual({ view, isSaid: may, text });
    }
    expect(isSeenBroken({ reports: mesh.clusters, unreachable: [] })).toBe(kind === 'not connected');
  });

  it('is not asked beside one that is not connected, so that the latter is what is said', () => {
    const mesh = meshOf(['not asked', 'not connected', 'connected'], ['connected']);
    expect(mesh.matrix.find(({ from }) => from === 'mesh-1')).toBeDefined();
    expect(mesh.clusters[0]?.nodes).toEqual({ total: 3, connected: 1, unasked: 1 });
    const { mesh: text = '', cluster = '' } = viewsOf(mesh);
    expect(text).toContain('1 of 2 clusters is not connected to all clusters');
    expect(cluster).toContain('mesh-2: 2/3 configured, 1/3 connected, 1/3 not asked');
    expect(isSeenBroken({ reports: mesh.clusters, unreachable: [] })).toBe(true);
  });
});

it('a cluster that is slow is called unasked, and not unconnected, also beside one that is down', () => {
  const slow = meshOf(['not asked'], ['connected'], ['connected']);
  const told = (mesh: ReturnType<typeof meshOf>) => meshStatusText(mesh, plain).split('\n')[0] ?? '';
  expect(told(slow)).toMatch(/1 of 3 clusters could not be asked/);
  const [first, second, third] = slow.clusters as [StatusReport, StatusReport, StatusReport];
  const dead = {
    peer: 'mesh-3',
    class: 'timed-out',
    component: 'kvstoremesh',
    message: 'i/o timeout',
    nodes: ['kvstoremesh-1'],
  } as const;
  const problems = [...first.problems, dead as never];
  const away = { context: third.context, code: 'ClusterUnreachable', message: 'no answer' } as never;
  const both = adviseMesh(evaluateMesh([{ ...first, problems }, second], [away]));
  expect(told(both)).toMatch(/1 of 3 clusters could not be asked/);
  expect(told(both)).not.toContain('not connected');
});

const KINDS: readonly Kind[] = ['connected', 'not connected', 'not asked', 'not tried'];

describe.each(KINDS)('of a node that is %s', (kind) => {
  it.each(KINDS)('beside one that is %s, status and check hold the same for proved', (beside) => {
    const { clusters } = meshOf([kind, beside], ['connected']);
    const found = unconnected(clusters);
    const kinds = [kind, beside];
    const isBroken = kinds.includes('not connected');
    expect(isSeenBroken({ reports: clusters, unreachable: [] })).toBe(isBroken);
    expect(found.some(({ unseen }) => !unseen)).toBe(isBroken);
    expect(found.some(({ unseen }) => unseen)).toBe(kinds.some((one) => one === 'not asked' || one === 'not tried'));
    const [first] = clusters;
    const isWarned = !isBroken && kinds.some((one) => one !== 'connected');
    expect(first && statusText(first, plain).startsWith('⚠️')).toBe(isWarned);
  });
});

it('a check that could not ask is no failure among those that have failed', () => {
  const check = { id: 'x', category: 'c', title: 't', says: () => 'it gave no answer' };
  const finding = { id: 'x', severity: 'fail', unseen: true, cluster: 'one', args: {}, hint: 'Look.' } as const;
  const text = checkText(describeFindings([check], [finding]), { short: true }, plain);
  expect(text).toBe(
    'c\n-\n? t\n    it gave no answer (x)\n    → Look.\n\n⚠️  Checks: 1 could not be looked at, 0 passed\nMore: meshctl explain x',
  );
});

it('where most clusters give no answer, that is one reason, and what asks them less hastily', () => {
  const mesh = meshOf(['not asked'], ['not asked'], ['not asked'], ['connected']);
  expect(meshStatusText(mesh, plain)).toMatchInlineSnapshot(`
    "⚠️  3 of 4 clusters could not be asked
    🔌 Cluster Connections (nodes of the row connected to the column):
      FROM (CONTEXT) \\ TO  mesh-1  mesh-2  mesh-3  mesh-4
      mesh-1 (c1)          ·       ? –/1   ? –/1   ? –/1
      mesh-2 (c2)          ? –/1   ·       ? –/1   ? –/1
      mesh-3 (c3)          ? –/1   ? –/1   ·       ? –/1
      mesh-4 (c4)          ✓ 1/1   ✓ 1/1   ✓ 1/1   ·

    ⚠️  mesh-1, mesh-2, mesh-3: 3 clusters gave no answer in time, which says nothing of their connections — mesh-1: node-1, mesh-2: node-1, mesh-3: node-1 (agent-unreachable)
         cilium status did not end within 10 s
       → Is the way from here slow, or this machine busy? Ask fewer at a time, and wait longer:
             meshctl clustermesh status --context c1,c2,c3 --node-timeout 60s --parallel 10
    More: meshctl explain agent-unreachable"
  `);
  expect(reasonsOf(mesh)).toHaveLength(1);
  // One of several is more likely to have something.
  const [lone, ...more] = reasonsOf(meshOf(['not asked'], ['connected'], ['connected']));
  expect({ hint: lone?.hint, more }).toEqual({ hint: expect.stringContaining('kubectl --context c1'), more: [] });
});
