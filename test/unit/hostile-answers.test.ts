import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorOfRefusal } from '../../src/kube/errors.ts';
import { readBgpPrefixes, readBgpSessions, readHealth } from '../../src/mesh/checks/shared/agent-answers.ts';
import { readRoutes } from '../../src/mesh/cilium/routes.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
import { classifyFailure } from '../../src/mesh/status/failure-reason.ts';
import { evaluateMesh } from '../../src/mesh/status/mesh-status.ts';
import {
  type RemoteClusterReport,
  remoteClusters,
  remoteClustersOfAgent,
} from '../../src/mesh/status/remote-cluster-report.ts';
import { adviseMesh } from '../../src/mesh/status/status-reasons.ts';
import { createTally } from '../../src/mesh/status/status-tally.ts';
import { reasonIn } from '../../src/mesh/status/troubleshoot.ts';
import { errorData } from '../../src/views/error-data.ts';
import { planData, planText } from '../../src/views/plan/plan-view.ts';
import { printable, printableLines } from '../../src/views/printable.ts';
import { globalServiceText } from '../../src/views/services/service-global-view.ts';
import { meshStatusText } from '../../src/views/status/matrix-view.ts';
import { statusJunit } from '../../src/views/status/status-junit.ts';
import { statusText } from '../../src/views/status/status-view.ts';
import { statusWideText } from '../../src/views/status/status-wide.ts';
import { hostileDocument, hostileOutput, hostileText, hostileValue, RAW } from '../support/hostile.ts';

const MEBIBYTE = 1024 * 1024;
const plain = { bold: String, dim: String, ok: String, warn: String, fail: String };
const expected = {
  context: 'one',
  namespace: 'kube-system',
  clusterName: 'mesh-1',
  clusterId: 1,
  enabled: true,
  kvstoremesh: true,
};

describe('hostile answers', () => {
  it.each([
    ['an agent', remoteClustersOfAgent],
    ['KVStoreMesh', remoteClusters],
    ['cilium-health', readHealth],
    ['bgp peers', readBgpSessions],
    ['bgp routes', readBgpPrefixes],
    ['ip route', readRoutes],
  ])('of %s are read without a throw, or not taken for answers', (_program, read) => {
    fc.assert(
      fc.property(hostileDocument, (document) => {
        const answer = read(document);
        expect(answer === undefined || Array.isArray(answer)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it.each<[string, (count: number) => unknown, (document: unknown) => readonly unknown[] | undefined]>([
    ['cilium-health', (count) => ({ nodes: Array.from({ length: count }, () => ({ name: 'n' })) }), readHealth],
    ['bgp peers', (count) => Array.from({ length: count }, () => ({ 'peer-address': '10.0.0.1' })), readBgpSessions],
    ['bgp routes', (count) => Array.from({ length: count }, () => ({ prefix: '10.0.0.0/24' })), readBgpPrefixes],
    ['ip route', (count) => Array.from({ length: count }, () => ({ dst: '10.0.0.0/24' })), readRoutes],
  ])(
    'of %s in a large mesh are read to their end: what is left out would be judged to be missing',
    (_program, of, read) => {
      expect(read(of(120_000))).toHaveLength(120_000);
    },
  );

  it('never bring a raw control character to the terminal, in any view of a status', () => {
    const pod = fc.record({ name: hostileText, document: hostileDocument, error: hostileText, status: hostileText });
    fc.assert(
      fc.property(fc.array(pod, { maxLength: 5 }), hostileText, (pods, words) => {
        const tally = createTally({ ...expected, peers: ['mesh-2'] }, { details: true });
        for (const { name, document, error, status } of pods) {
          const clusters: RemoteClusterReport[] = [{ name: 'mesh-2', status }, ...(remoteClusters(document) ?? [])];
          tally.add('agent', { name, clusters });
          tally.add('kvstoremesh', { name, error });
        }
        const mesh = printable(
          adviseMesh(evaluateMesh([tally.report()], [{ context: words, code: 'Timeout', message: words }])),
        );
        const [report] = mesh.clusters;
        if (!report) throw new Error('no report');
        for (const view of [
          statusText(report, plain),
          statusWideText(report, plain),
          meshStatusText(mesh, plain),
          statusJunit(mesh.clusters, mesh.unreachable),
          JSON.stringify(mesh),
        ])
          expect(view).not.toMatch(RAW);
      }),
      { numRuns: 200 },
    );
  });

  it('of troubleshoot: only its failures count, whatever else is in it', () => {
    fc.assert(
      fc.property(hostileOutput, (output) => {
        const hasFailure = output.split('\n').some((line) => line.trim().startsWith('❌'));
        expect(reasonIn(output) !== undefined).toBe(hasFailure);
      }),
    );
    expect(reasonIn('\u001b[31m❌ nothing\n  ❌ dial: connection refused')).toMatchObject({ class: 'refused' });
  });

  it('of 10 MB are read, and little of them is kept', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const long = `x${text}`.repeat(Math.ceil((10 * MEBIBYTE) / (text.length + 1)));
        const entry = { name: 'a', status: long, synced: { [long]: true } };
        const [report] = remoteClustersOfAgent({ 'cluster-mesh': { clusters: [entry] } }) ?? [];
        expect(JSON.stringify(report).length).toBeLessThan(4000);
        expect(JSON.stringify(readHealth({ nodes: [{ name: long }] }))).toHaveLength(
          JSON.stringify([{ node: long.slice(0, 128), probed: false, unprobed: [], problems: [] }]).length,
        );
        expect(classifyFailure(`${long} connection refused`)).toEqual(expect.any(String));
        expect(reasonIn(`${long}\n❌ ${long}`)).toBeDefined();
      }),
      { numRuns: 5 },
    );
    const many = Array.from({ length: 100_000 }, (_, index) => ({ name: `c${index}` }));
    expect(remoteClusters(many)).toHaveLength(1024);
  });

  it('that all differ do not grow the report without end', () => {
    const tally = createTally({ ...expected, peers: ['p'] });
    for (let node = 0; node < 2000; node++) {
      tally.add('agent', { name: `n${node}`, clusters: [{ name: 'p', status: node.toString(26) }] });
    }
    const { problems } = tally.report();
    expect(problems.length).toBeLessThanOrEqual(20);
    expect(problems.flatMap(({ nodes }) => nodes)).toHaveLength(2000);
  });
});

describe('hostile words of API servers', () => {
  const action = { context: 'one', server: 'https://one', verb: 'get', target: 'Secret n/s', resource: 'secrets' };
  const who = { auth: { kind: 'none' as const } };

  it('become one MeshctlError, which says nothing that a terminal would obey', () => {
    const status = fc.record({
      message: fc.oneof(
        hostileText,
        hostileText.map((words) => `admission webhook "${words}" denied the request: ${words}`),
        hostileText.map((words) => `User "${words}" cannot get resource "${words}" in API group "${words}"`),
      ),
      reason: fc.oneof(fc.constantFrom('AlreadyExists', 'Conflict'), hostileText),
      details: hostileValue,
    });
    const body = fc.oneof(
      status.map((fields) => JSON.stringify({ kind: 'Status', ...fields })),
      hostileOutput,
    );
    const code = fc.constantFrom(400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 503);
    fc.assert(
      fc.property(code, body, (httpStatus, text) => {
        const error = errorOfRefusal(action, { status: httpStatus, body: text }, who);
        expect(error).toBeInstanceOf(MeshctlError);
        const { message, hint = '', details } = errorData(error);
        for (const face of [message, hint, JSON.stringify(details)]) expect(face).not.toMatch(RAW);
      }),
      { numRuns: 400 },
    );
  });
});

describe('hostile objects', () => {
  const change = fc.record({ path: hostileText, from: hostileValue, to: hostileValue }, { requiredKeys: ['path'] });
  const step: fc.Arbitrary<Step> = fc.record({
    cluster: fc.constant('one'),
    action: fc.constantFrom('create', 'update', 'delete', 'keep'),
    object: fc.record({
      apiVersion: fc.constant('v1'),
      kind: fc.constantFrom('Service', 'Secret', 'ConfigMap'),
      namespace: hostileText,
      name: hostileText,
    }),
    why: hostileText,
    changes: fc.array(change, { maxLength: 3 }),
    conflicts: fc.array(fc.record({ path: hostileText, manager: hostileText }), { maxLength: 2 }),
  });

  it('are planned for without a raw control character', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 3 }), hostileText, (steps, note) => {
        const verdicts = new Map(steps.map((one) => [one, new MeshctlError('Rejected', note, { hint: note })]));
        const report = { steps, notes: { one: [note] }, verdicts };
        expect(planText(report, plain)).not.toMatch(RAW);
        expect(JSON.stringify(planData(report))).not.toMatch(RAW);
      }),
      { numRuns: 200 },
    );
  });

  it('with annotations of any kind are made global without one', () => {
    const names = ['service.cilium.io/global', 'service.cilium.io/affinity', 'io.cilium/global-service'];
    const annotations = fc.dictionary(fc.constantFrom(...names), hostileText);
    fc.assert(
      fc.property(annotations, annotations, (from, to) => {
        const object = { apiVersion: 'v1', kind: 'Service', namespace: 'n', name: 's' };
        const changes = [...new Set([...Object.keys(from), ...Object.keys(to)])].map((name) => ({
          path: `metadata.annotations["${name}"]`,
          from: from[name],
          to: to[name],
        }));
        const steps: Step[] = [{ cluster: 'one', action: 'update', object, why: '', changes }];
        expect(globalServiceText({ namespace: 'n', name: 's' }, true, { steps, remarks: [] }, plain)).not.toMatch(RAW);
      }),
    );
  });
});

describe('what is made printable', () => {
  it('has no raw control character, keeps its shape, and stays the same a second time', () => {
    fc.assert(
      fc.property(hostileValue, (value) => {
        const clean = printable(value);
        expect(JSON.stringify(clean) ?? '').not.toMatch(RAW);
        expect(printable(clean)).toEqual(clean);
        expect(Array.isArray(clean)).toBe(Array.isArray(value));
      }),
    );
  });

  it('keeps the lines where it may have several, and nothing else', () => {
    expect(printable('a\nb\tc')).toBe('a\ufffdb\ufffdc');
    expect(printableLines('a\nb\tc\u001b[2J\r\u202e')).toBe('a\nb\tc\ufffd[2J\ufffd\ufffd');
  });
});
