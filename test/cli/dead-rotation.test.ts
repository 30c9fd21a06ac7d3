import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HOLD_MS, withHold } from '../../src/mesh/hold.ts';
import { rotationLeaseRef } from '../../src/mesh/objects/names.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { followLooks } from '../support/follow-printed.ts';
import { clusterAt } from '../support/sandbox-mesh.ts';

/** Of two clusters the second is disabled; in it is the mark of a rotation that has died. */
let clusters: ConnectClusters;

const LEASE = rotationLeaseRef('kube-system');
const AWAY = 'kubectl --context mesh-2 -n kube-system delete lease meshctl-certs-rotate';
const mesh = (...argv: string[]) => ['clustermesh', ...argv];
const stateOf = () => clusterAt(clusters, 'mesh-2').store;

/** @param forMs how long the mark is still good */
function hold(forMs: number): void {
  const { apiVersion, kind, name, namespace = '' } = LEASE;
  const since = new Date();
  const mark = { run: 'abc', host: 'jumphost', since, until: new Date(since.getTime() + forMs) };
  stateOf().create(withHold('rotation', { apiVersion, kind, metadata: { name, namespace } }, mark));
}

const died = () => hold(-2000);

async function succeed(...argv: string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await clusters.meshctl(mesh(...argv));
  expect(exitCode, stdout + stderr).toBe(0);
}

beforeAll(async () => {
  clusters = await startConnectClusters(2);
});

afterEach(() => {
  if (stateOf().get(LEASE)) stateOf().delete(LEASE);
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

describe('a cluster that is disabled', () => {
  it('keeps the mark where certificates stay, by which the rotation goes on', async () => {
    died();
    await succeed('disable', '--context', 'mesh-2', '--yes', '--keep-certificates');
    expect(stateOf().get(LEASE)).toBeDefined();
  });

  it('loses it with its certificates, and no further rotation would come by', async () => {
    await succeed('enable', '--context', 'mesh-2');
    died();
    await succeed('disable', '--context', 'mesh-2', '--yes');
    expect(stateOf().get(LEASE)).toBeUndefined();
  });

  it('loses it by the next disable, where the first one could not', async () => {
    died();
    await succeed('disable', '--context', 'mesh-2', '--yes');
    expect(stateOf().get(LEASE)).toBeUndefined();
  });

  it.each([
    ['status', ['--context', 'mesh-2']],
    ['status', ['--context', 'mesh-1,mesh-2']],
    ['check', ['--context', 'mesh-2']],
    ['check', ['--context', 'mesh-1,mesh-2']],
    ['check', ['--context', 'mesh-2', '--category', 'network']],
  ])('%s %j leads to what takes it away, and not round in a circle', async (command, argv) => {
    died();
    const mending = await followLooks(clusters.meshctl, mesh(command, ...argv));
    expect(mending.map(({ argv: words }) => ['kubectl', ...words].join(' '))).toContain(AWAY);
  });
});

it('a run that is at work holds a disable off', async () => {
  await succeed('enable', '--context', 'mesh-2');
  hold(HOLD_MS);
  const { exitCode } = await clusters.meshctl(mesh('disable', '--context', 'mesh-2', '--yes'));
  expect(exitCode).toBe(1);
  expect(stateOf().get(LEASE)).toBeDefined();
});
