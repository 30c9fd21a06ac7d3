/** Wherever a probe is interrupted, or loses an API server for a while, nothing of it stays. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ProbeReport } from '../../src/mesh/probe/report.ts';
import type { Fault } from '../../src/sandbox/apiserver/api.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type CliResult, runCli } from '../support/cli.ts';
import { eventually, found, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

const PROBE = ['connectivity', 'probe', '--context', 'mesh-1,mesh-2'];
/** So many places, evenly spread over the requests of a probe. */
const PLACES = Array.from({ length: 20 }, (_, place) => place);

let sandbox: TestSandbox;
/** Decides about each request of the probe, by its number from 1 on. */
let onRequest:
  | ((number: number, context: string, resource: string, verb: string, namespace?: string) => Fault | undefined)
  | undefined;
let requests = 0;
/** How many requests a probe makes that nothing disturbs. */
let usual = 0;

beforeAll(async () => {
  sandbox = await startTestSandbox({
    nodes: 2,
    intercept: async (context, { resource, verb, namespace }) =>
      onRequest?.(++requests, context, resource, verb, namespace),
  });
  onRequest = () => undefined;
  expect((await probe()).exitCode).toBe(0);
  usual = requests;
  expect(usual).toBeGreaterThan(PLACES.length);
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
});

beforeEach(() => {
  requests = 0;
});

function probe(signal = new AbortController().signal, ...flags: string[]): Promise<CliResult> {
  return runCli([...PROBE, ...flags], { env: { KUBECONFIG: sandbox.kubeconfigPath }, signal });
}

const refused = () => new ApiError(403, 'Forbidden', 'not you');
/** As RBAC says it. */
const withoutRole = (verb: string, resource: string) =>
  new ApiError(
    403,
    'Forbidden',
    `${resource} is forbidden: User "joe" cannot ${verb} resource "${resource}" in API group ""`,
  );

/** The request of a place. */
const numberAt = (place: number) => 1 + Math.floor((place * usual) / PLACES.length);

function expectNothingLeft(): void {
  for (const { store } of sandbox.clusters) {
    expect(store.get({ apiVersion: 'v1', kind: 'Namespace', name: 'meshctl-probe' })).toBeUndefined();
    const pods = store.list({ apiVersion: 'v1', kind: 'Pod' });
    expect(pods.filter(({ metadata }) => metadata.name.startsWith('probe-'))).toEqual([]);
  }
}

/** As the hint says, by who may. */
async function removeNamespace(): Promise<void> {
  onRequest = undefined;
  const { store } = found(sandbox.clusters[1], 'mesh-2');
  const namespace = { apiVersion: 'v1', kind: 'Namespace', name: 'meshctl-probe' };
  store.delete(namespace);
  await eventually(
    () => store.get(namespace),
    (live) => live === undefined,
    'the namespace is gone',
  );
}

it.each(PLACES)('interrupted at place %i', async (place) => {
  const ctrlC = new AbortController();
  onRequest = (number) => {
    if (number === numberAt(place)) ctrlC.abort();
    return undefined;
  };
  const { exitCode, stderr } = await probe(ctrlC.signal);
  // In the last of it, what is to be removed is being removed already.
  expect({ exitCode, stderr }).toMatchObject({ exitCode: expect.toSatisfy((code) => code === 130 || code === 0) });
  expect(stderr).not.toContain('could not remove');
  expectNothingLeft();
});

it.each(PLACES)('one API server is away for a while at place %i', async (place) => {
  const from = numberAt(place);
  onRequest = (number, context) => (context === 'mesh-2' && number >= from && number < from + 4 ? 'drop' : undefined);
  const { stderr } = await probe();
  expect(stderr).not.toContain('could not remove');
  expectNothingLeft();
});

it('pods that may not be deleted are left, which the document and the exit status tell', async () => {
  onRequest = (_number, context, resource, verb) => {
    if (context === 'mesh-2' && resource === 'pods' && verb === 'delete') throw refused();
    return undefined;
  };
  const { exitCode, stdout, stderr } = await probe(undefined, '-o', 'json');
  const report = JSON.parse(stdout) as ProbeReport;
  requireValid(JSON.parse(stdout));
  expect({ exitCode, passed: report.passed, failures: report.failures }).toEqual({
    ...{ exitCode: 1, passed: false, failures: [] },
  });
  expect(report.left).toMatchObject([
    {
      context: 'mesh-2',
      hint: expect.stringMatching(/^kubectl --context mesh-2 -n meshctl-probe delete pods -l \S+$/),
    },
  ]);
  expect(stderr).toContain("⚠ mesh-2: could not remove the probe's pods from namespace meshctl-probe: ");
  await removeNamespace();
});

describe('where pods are refused, agents stand in, and the namespace goes with its maker', () => {
  it.each<[what: string, forbidden: readonly string[], left: string | undefined]>([
    ['who may not even look for pods', ['create pods', 'list pods'], undefined],
    ['who may not look for namespaces, and so has made none', ['get namespaces'], undefined],
    [
      'who may make namespaces and not delete them',
      ['create pods', 'delete namespaces'],
      'kubectl --context mesh-2 delete namespace meshctl-probe',
    ],
  ])('%s', async (_what, forbidden, left) => {
    onRequest = (_number, context, resource, verb, namespace) => {
      const isAsked = resource === 'namespaces' || namespace === 'meshctl-probe';
      if (context === 'mesh-2' && isAsked && forbidden.includes(`${verb} ${resource}`))
        throw withoutRole(verb, resource);
      return undefined;
    };
    const { exitCode, stdout, stderr } = await probe(undefined, '-o', 'json');
    const { left: told } = JSON.parse(stdout) as ProbeReport;
    expect({ exitCode, hints: told?.map(({ hint }) => hint) }).toEqual({
      exitCode: left === undefined ? 0 : 1,
      // The line is for the very user, so what grants the right comes first.
      hints: left && [
        expect.stringMatching(new RegExp(`--verb=delete --resource=namespaces .* --user=joe .* && ${left}$`)),
      ],
    });
    expect(stderr).toContain('its agents are used instead');
    expect(stderr).not.toContain("could not remove the probe's pods");
    if (left !== undefined) await removeNamespace();
    expectNothingLeft();
  });
});

it('a namespace that is not seen to go is no pod that is left', async () => {
  let isTold = false;
  onRequest = (_number, context, resource, verb) => {
    if (context !== 'mesh-2' || resource !== 'namespaces') return undefined;
    if (isTold && verb === 'list') throw refused();
    isTold ||= verb === 'delete';
    return undefined;
  };
  const { exitCode, stderr } = await probe();
  expect(exitCode).toBe(0);
  expect(stderr).toContain(
    '⚠ mesh-2: namespace meshctl-probe is told to go, and not gone yet\n  → kubectl --context mesh-2 get namespace meshctl-probe -o yaml\n',
  );
  expect(stderr).not.toContain('could not remove');
});

it('a cluster that ceases to answer leaves nothing to probe of two: no pod is made, and nothing is called proved', async () => {
  onRequest = (_number, context, resource) => (context === 'mesh-2' && resource === 'nodes' ? 'drop' : undefined);
  const { exitCode, stdout, stderr } = await probe();
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
  expect(stderr).toContain('context "mesh-2"');
  expect(stderr).not.toContain('Starting the probe');
  expectNothingLeft();
});

it('a second probe takes away what a killed one left, but for pods that may still be in use', async () => {
  onRequest = undefined;
  const [{ store }] = sandbox.clusters as [(typeof sandbox.clusters)[number]];
  const labels = { 'app.kubernetes.io/managed-by': 'meshctl', 'app.kubernetes.io/component': 'probe' };
  store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'meshctl-probe', labels } });
  const left = (phase: string) => {
    const metadata = { namespace: 'meshctl-probe', name: `probe-${phase.toLowerCase()}` };
    store.create({
      ...{ apiVersion: 'v1', kind: 'Pod' },
      metadata: { ...metadata, labels: { ...labels, 'meshctl.io/probe-run': '00000000' } },
      // On a node that is gone, so that no kubelet has its own mind about it.
      spec: { nodeName: 'gone', containers: [{ name: 'probe', image: 'quay.io/cilium/cilium:v1.20.0' }] },
    });
    store.update({ apiVersion: 'v1', kind: 'Pod', ...metadata }, (pod) => {
      pod.status = { ...(pod.status as object), phase };
    });
  };
  left('Failed');
  expect((await probe()).exitCode).toBe(0);
  expectNothingLeft();
  store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'meshctl-probe', labels } });
  left('Running');
  expect((await probe()).exitCode).toBe(0);
  const pods = store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'meshctl-probe' });
  expect(pods.map(({ metadata }) => metadata.name)).toEqual(['probe-running']);
});

it('the namespace that a probe has made itself goes, whatever may not be looked at there', async () => {
  onRequest = (_number, _context, resource, verb, namespace) => {
    if (namespace === 'meshctl-probe' && verb === 'list' && resource !== 'pods') throw refused();
    return undefined;
  };
  for (const { store } of sandbox.clusters) {
    for (const { metadata } of store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'meshctl-probe' }))
      store.delete({ apiVersion: 'v1', kind: 'Pod', namespace: 'meshctl-probe', name: metadata.name });
    const namespace = { apiVersion: 'v1', kind: 'Namespace', name: 'meshctl-probe' };
    if (store.get(namespace)) store.delete(namespace);
  }
  const { exitCode, stderr } = await probe();
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0, stderr: expect.not.stringContaining(' stays') });
  expectNothingLeft();
});

it.each([
  ["is another's", 'theirs', ["it has ConfigMap theirs, which is another's"]],
  ['Istio puts everywhere', 'istio-ca-root-cert', []],
])('a namespace that an earlier probe left stays by what %s, and not silently', async (_what, name, stays) => {
  onRequest = undefined;
  const { store } = found(sandbox.clusters[0], 'mesh-1');
  const labels = { 'app.kubernetes.io/managed-by': 'meshctl', 'app.kubernetes.io/component': 'probe' };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', name: 'meshctl-probe' };
  store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'meshctl-probe', labels } });
  store.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'meshctl-probe', name } });
  const { exitCode, stderr } = await probe();
  expect(exitCode).toBe(0);
  const said = /context "mesh-1": namespace meshctl-probe stays, since (.*); the probe's pods are gone/g;
  expect([...stderr.matchAll(said)].map(([, why]) => why)).toEqual(stays);
  expect(store.get(namespace) !== undefined).toBe(stays.length > 0);
  if (stays.length > 0) {
    store.delete(namespace);
    await eventually(
      () => store.get(namespace),
      (live) => live === undefined,
      'the namespace is gone',
    );
  }
});
