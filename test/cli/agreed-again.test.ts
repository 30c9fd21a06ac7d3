import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { clusterAt } from '../support/sandbox-mesh.ts';
import { backendsOf, sharedService } from '../support/shared-service.ts';

/** mesh-1 and mesh-3 are connected, mesh-2 is alone; by policies of addresses a connection with it has to be agreed to. */
let clusters: ConnectClusters;
const mesh = (...argv: string[]) => ['clustermesh', ...argv];
const ok = async (argv: readonly string[], input = '') => {
  const result = await clusters.meshctl(argv, { input });
  expect(result.exitCode, `${argv.join(' ')}\n${result.stderr}`).toBe(0);
  return result.stdout;
};

/** One more network policy that allows traffic with pods of other clusters by address. */
let policies = 0;
function addPolicy(): void {
  policies += 1;
  clusterAt(clusters, 'mesh-1').store.create({
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
    metadata: { namespace: 'default', name: `more-${policies}` },
    spec: { podSelector: {}, policyTypes: ['Ingress'], ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] },
  });
}

const SLICE = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', namespace: 'default', name: 'web' };
const LIMITED = mesh('enable', '--context', 'mesh-1', '--load-balancer-source-ranges');

interface Asking {
  command: string;
  argv: () => string[];
  input?: () => string;
  /** What comes to be while the question waits. */
  change: () => unknown;
}

const ASKING: readonly Asking[] = [
  { command: 'connect', argv: () => connect('mesh-1', 'mesh-2'), change: addPolicy },
  {
    command: 'apply',
    argv: () => ['apply', '-f', '-'],
    input: () => meshText({ clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }], topology: { type: 'mesh' } }),
    change: addPolicy,
  },
  {
    command: 'service global',
    argv: () => ['service', 'global', 'default/web', '--remove', '--context', 'mesh-1'],
    change: () => clusterAt(clusters, 'mesh-3').store.delete(SLICE),
  },
  {
    command: 'enable',
    argv: () => [...LIMITED, '0.0.0.0/0'],
    change: () => ok([...LIMITED, '10.0.0.0/8', '--yes']),
  },
];

beforeAll(async () => {
  clusters = await startConnectClusters(3);
  await ok(connect('mesh-1', 'mesh-3'));
  for (const context of ['mesh-1', 'mesh-3']) {
    const { store } = clusterAt(clusters, context);
    store.create(sharedService('default', 'web'));
    store.create(backendsOf('default', 'web'));
  }
  await ok([...LIMITED, '172.18.0.0/16', '--yes']);
  addPolicy();
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

async function expectRefused({ argv, input, change }: Asking): Promise<void> {
  let standing: unknown;
  const answer = async () => {
    await change();
    standing = clusters.objects();
    return 'y';
  };
  const result = await clusters.meshctl(argv(), { answers: [answer, 'y', 'y'], ...(input ? { input: input() } : {}) });
  expect(standing, result.stderr).toBeDefined();
  expect(result.exitCode, result.stdout + result.stderr).toBe(1);
  expect(result.stderr.replaceAll(/\s+/g, ' ')).toMatch(
    /context "mesh-\d": .*: that was not so when the plan was shown and agreed to → Run the same command again/,
  );
  expect(clusters.objects()).toEqual(standing);
}

it.each(ASKING)('$command does nothing that has come to be while it asked', expectRefused);

it('a peer that is connected while the question about new CAs waits is named before anything is written', async () => {
  let standing: unknown;
  const answer = async () => {
    await ok([...connect('mesh-2', 'mesh-3'), '--yes']);
    standing = clusters.objects();
    return 'y';
  };
  const argv = mesh('certs', 'rotate', '--ca', '--context', 'mesh-1,mesh-3');
  const { exitCode, stderr } = await clusters.meshctl(argv, { answers: [answer] });
  expect(exitCode, stderr).toBe(1);
  expect(stderr).toContain('context "mesh-3": mesh-2 was connected meanwhile');
  expect(clusters.objects()).toEqual(standing);
  await ok(mesh('disconnect', '--context', 'mesh-2', '--destination-context', 'mesh-3', '--yes'));
});

it('accept does nothing that has come to be while it asked about fingerprints', async () => {
  const invitation = await ok(mesh('invite', '--context', 'mesh-1'));
  const reply = await ok(mesh('accept', '-', '--context', 'mesh-2', '--yes'), invitation);
  const argv = mesh('accept', '-', '--context', 'mesh-1');
  await expectRefused({ command: 'accept', argv: () => argv, input: () => reply, change: addPolicy });
});

it('what has come to be less while it asked is done', async () => {
  addPolicy();
  const gone = () => {
    const object = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', namespace: 'default' };
    clusterAt(clusters, 'mesh-1').store.delete({ ...object, name: 'more-1' });
    return Promise.resolve('y');
  };
  const { exitCode, stderr } = await clusters.meshctl(connect('mesh-1', 'mesh-2'), { answers: [gone] });
  expect(exitCode, stderr).toBe(0);
  await ok(mesh('disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'));
});

/** Where a question is asked elsewhere than in `confirmPlan`, which looks again itself. */
const LOOKING_AGAIN: Readonly<Record<string, RegExp>> = {
  'plan-result.ts': /context\.confirm\([\s\S]*await requireAsAgreed\(/,
  'accept.ts': /confirmPeer\([\s\S]*await requireAsAgreed\(/,
  'rotate.ts': /context\.confirm\([\s\S]*await requireNoneJoinedSince\(/,
  // What it asks decides what the plan is, by which another question is asked.
  'agree-on-peers.ts': /context\.confirm\(/,
  // In namespaces of its own, which nobody else is connected by.
  'demo-clusters.ts': /context\.confirm\(/,
};

it('whoever asks looks again after the answer', () => {
  const folder = fileURLToPath(new URL('../../src/commands', import.meta.url));
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const asking = files
    .map((file) => ({ name: file.split(/[\\/]/).at(-1) ?? '', text: readFileSync(join(folder, file), 'utf8') }))
    .filter(({ text }) => /\.confirm\(/.test(text));
  expect(asking.map(({ name }) => name).sort()).toEqual(Object.keys(LOOKING_AGAIN).sort());
  for (const { name, text } of asking) expect(text, name).toMatch(LOOKING_AGAIN[name] ?? /^$/);
});
