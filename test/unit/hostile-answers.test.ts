import { describe, expect, it } from 'vitest';
import { readBgpPrefixes, readBgpSessions, readHealth } from '../../src/mesh/checks/agent-answers.ts';
import { classifyFailure } from '../../src/mesh/failure-reason.ts';
import { evaluateMesh } from '../../src/mesh/mesh-status.ts';
import { remoteClusters, remoteClustersOfAgent } from '../../src/mesh/remote-cluster-report.ts';
import { readRoutes } from '../../src/mesh/routes.ts';
import { createTally } from '../../src/mesh/status.ts';
import { reasonIn } from '../../src/mesh/troubleshoot.ts';
import { meshStatusText } from '../../src/views/matrix-view.ts';
import { printable } from '../../src/views/printable.ts';
import { statusJunit } from '../../src/views/status-junit.ts';
import { statusText } from '../../src/views/status-view.ts';
import { statusWideText } from '../../src/views/status-wide.ts';

const RUNS = 300;
const plain = { bold: String, dim: String, ok: String, warn: String, fail: String };
const RAW = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const WORDS = [
  'name',
  'ready',
  'connected',
  'status',
  'config',
  'synced',
  'clusters',
  'cluster-mesh',
  'nodes',
  'host',
  'primary-address',
  'dst',
  'prefix',
  '__proto__',
  'mesh-2',
];
const NASTY = ['\u001b[2J', '\u009b31m', '\u0007', '\r\n', '\u202e', '\u0000', '\ud800', '❌ x509: ', '</x>', '"'];

/** Numbers in [0, 1) that are the same in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function anyText(random: () => number): string {
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  return Array.from({ length: Math.floor(random() * 6) }, () => (random() < 0.5 ? pick(NASTY) : pick(WORDS))).join('');
}

function anyValue(random: () => number, depth: number): unknown {
  const kind = Math.floor(random() * (depth > 0 ? 8 : 5));
  if (kind === 0) return null;
  if (kind === 1) return random() < 0.5;
  if (kind === 2) return random() * 1e9 - 5e8;
  if (kind <= 4) return anyText(random);
  const length = Math.floor(random() * 5);
  if (kind === 5) return Array.from({ length }, () => anyValue(random, depth - 1));
  const key = () => (random() < 0.8 ? (WORDS[Math.floor(random() * WORDS.length)] ?? '') : anyText(random));
  return Object.fromEntries(Array.from({ length }, () => [key(), anyValue(random, depth - 1)]));
}

describe('hostile answers', () => {
  it('of any shape are read without a throw, or not taken for answers', () => {
    const random = seeded(1);
    for (let run = 0; run < RUNS; run++) {
      const value = anyValue(random, 5);
      for (const document of [value, { 'cluster-mesh': { clusters: value } }, { nodes: value }, [value]]) {
        for (const read of [
          remoteClustersOfAgent,
          remoteClusters,
          readHealth,
          readBgpSessions,
          readBgpPrefixes,
          readRoutes,
        ]) {
          expect(() => read(document), JSON.stringify(document)).not.toThrow();
        }
      }
    }
  });

  it('never bring a raw control character to the terminal, in any view', () => {
    const random = seeded(2);
    for (let run = 0; run < RUNS; run++) {
      const tally = createTally(
        { context: 'one', clusterName: 'mesh-1', clusterId: 1, peers: ['mesh-2'], enabled: true, kvstoremesh: true },
        { details: true },
      );
      for (let node = 0; node < 5; node++) {
        const entry = { ...(anyValue(random, 3) as object), name: 'mesh-2', status: anyText(random) };
        tally.add('agent', { name: anyText(random), clusters: remoteClusters([entry, anyValue(random, 3)]) });
        tally.add('kvstoremesh', { name: anyText(random), error: anyText(random) });
      }
      const mesh = printable(
        evaluateMesh([tally.report()], [{ context: anyText(random), code: 'x', message: anyText(random) }]),
      );
      const [report] = mesh.clusters;
      if (!report) throw new Error('no report');
      const views = [
        statusText(report, 'kube-system', plain),
        statusWideText(report, 'kube-system', plain),
        meshStatusText(mesh, 'kube-system', plain),
        statusJunit(mesh.clusters, 'kube-system', mesh.unreachable),
        JSON.stringify(mesh),
      ];
      for (const view of views) expect(view).not.toMatch(RAW);
    }
  });

  it('of 10 MB are read, and little of them is kept', () => {
    const long = 'x'.repeat(10 * 1024 * 1024);
    const [report] =
      remoteClustersOfAgent(
        JSON.parse(JSON.stringify({ 'cluster-mesh': { clusters: [{ name: 'a', status: long }] } })),
      ) ?? [];
    expect(report?.status).toHaveLength(300);
    const many = Array.from({ length: 100_000 }, (_, index) => ({ name: `c${index}` }));
    expect(remoteClusters(many)).toHaveLength(1024);
    expect(classifyFailure(`${long} connection refused`)).toBe('refused');
  });

  it('that all differ do not grow the report without end', () => {
    const tally = createTally({
      ...{ context: 'one', clusterName: 'mesh-1', clusterId: 1, peers: ['p'], enabled: true, kvstoremesh: false },
    });
    const random = seeded(3);
    for (let node = 0; node < 2000; node++) {
      const status = Array.from({ length: 8 }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join('');
      tally.add('agent', { name: `n${node}`, clusters: [{ name: 'p', status }] });
    }
    const { problems } = tally.report();
    expect(problems.length).toBeLessThanOrEqual(20);
    expect(problems.flatMap(({ nodes }) => nodes)).toHaveLength(2000);
  });

  it('of troubleshoot: only its failures count, whatever else is in it', () => {
    expect(reasonIn('')).toBeUndefined();
    expect(reasonIn('❌'.repeat(10_000))).toBeDefined();
    expect(reasonIn(`\u001b[31m❌ nothing\n  ❌ dial: connection refused`)).toMatchObject({ class: 'refused' });
  });
});
