/** What `status` says of how long a connection lasts is what comes when kubelets look, as Kubernetes and Cilium's chart have it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endsByRefresh, type Fault, type FaultId } from '../../src/mesh/faults/fault.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { jsonOf } from '../support/cli.ts';
import { nudge } from '../support/cluster-pods.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { eventually, found, refs, setSecret, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;
let one: SandboxCluster;

const REPLICAS = 'cilium-kvstoremesh';
const AGENTS = 'cilium-clustermesh';
const USERS = 'clustermesh-remote-users';
const SERVER = 'clustermesh-apiserver-server-cert';

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1, timings: { secretSyncMs: 3_600_000, drainMs: 100 } });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  one = found(sandbox.clusters[0], 'mesh-1');
  await meshctl.ok(enable('mesh-1,mesh-2'));
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
});

afterAll(() => sandbox.close());

async function look(): Promise<{ report: StatusReport; text: string }> {
  const report = jsonOf(await meshctl(['clustermesh', 'status', '--context', 'mesh-1', '-o', 'json']));
  const { stdout } = await meshctl(['clustermesh', 'status', '--context', 'mesh-1']);
  return { report: report as unknown as StatusReport, text: stdout };
}

/** Whether agents, and KVStoreMesh where it dials, are connected to mesh-2 with the connection that they have. */
const isConnected = ({ peers }: StatusReport): boolean => {
  const peer = peers.find(({ name }) => name === 'mesh-2');
  return peer?.agents.connected === 1 && peer.kvstoremesh?.connected === 1;
};

const objectOf = (name: string) => (name === USERS ? refs.configMap(name) : refs.secret(name));

describe('a connection lasts as long as status says', () => {
  it.each<[what: string, id: FaultId, object: string, change: () => void]>([
    [
      'the Secret of the agents is gone',
      'peering-secret-missing',
      AGENTS,
      () => void one.store.delete(refs.secret(AGENTS)),
    ],
    [
      'the Secret of KVStoreMesh is gone',
      'peering-secret-missing',
      REPLICAS,
      () => void one.store.delete(refs.secret(REPLICAS)),
    ],
    [
      'a key of the agents is gone',
      'peering-file-missing',
      AGENTS,
      () => setSecret(one, AGENTS, { 'mesh-2': undefined }),
    ],
    [
      'a key of KVStoreMesh is gone',
      'peering-file-missing',
      REPLICAS,
      () => setSecret(one, REPLICAS, { 'mesh-2': undefined }),
    ],
    [
      'a file of the agents is none',
      'peering-file-unreadable',
      AGENTS,
      () => setSecret(one, AGENTS, { 'mesh-2': 'x' }),
    ],
    [
      'a file of KVStoreMesh is none',
      'peering-file-unreadable',
      REPLICAS,
      () => setSecret(one, REPLICAS, { 'mesh-2': 'x' }),
    ],
    [
      'the client certificate is gone',
      'peer-certificate-missing',
      REPLICAS,
      () => setSecret(one, REPLICAS, { 'mesh-2.etcd-client.crt': undefined }),
    ],
    ['the server certificate is gone', 'certificate-missing', SERVER, () => void one.store.delete(refs.secret(SERVER))],
    ['the list of users is gone', 'users-missing', USERS, () => void one.store.delete(refs.configMap(USERS))],
  ])('%s', async (_what, id, object, change) => {
    const before = found(one.store.get(objectOf(object)), object);
    change();
    const { report, text } = await look();
    expect(report.faults.map((fault: Fault) => fault.id)).toEqual([id]);
    expect(isConnected(report)).toBe(true);
    const lead = endsByRefresh({ id }) ? 'only until kubelets refresh the Secret' : 'not after a restart';
    expect(text).toContain(`connected, but ${lead}`);
    // Kubelets have looked, and what they found has come to who runs there.
    nudge(one);
    if (endsByRefresh({ id })) await eventually(look, (seen) => !isConnected(seen.report), 'the connection ends');
    else {
      await one.settled();
      expect(isConnected((await look()).report)).toBe(true);
    }
    if (one.store.get(objectOf(object)))
      one.store.update(objectOf(object), (live) => Object.assign(live, { data: before.data }));
    else one.store.create(before);
    nudge(one);
    await untilHealthy(sandbox, ['mesh-1']);
  });
});
