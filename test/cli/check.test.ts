import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import type { Severity } from '../../src/mesh/checks/check.ts';
import { certificateSpecs } from '../../src/mesh/cluster-certificates.ts';
import type { KubeObject } from '../../src/mesh/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { jsonOf } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith, waitForStatus } from '../support/e2e-cli.ts';
import {
  eventually,
  found,
  issueInto,
  refs,
  setSecret,
  setUsers,
  startTestSandbox,
  type TestSandbox,
} from '../support/sandbox-mesh.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const SERVER_CERT = 'clustermesh-apiserver-server-cert';

let sandbox: TestSandbox;
let meshctl: Meshctl;
let two: SandboxCluster;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 3 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  two = found(sandbox.clusters[1], 'mesh-2');
  await meshctl.ok(enable('mesh-1,mesh-2'));
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
  await meshctl.ok(waitForStatus('mesh-1', '20s'));
  await meshctl.ok(waitForStatus('mesh-2', '20s'));
});

afterAll(() => sandbox.close());

interface Entry {
  id: string;
  severity: Severity;
  message?: string;
  hint?: string;
}

async function check(...flags: string[]): Promise<{ exitCode: number; entries: Entry[]; of(id: string): Entry[] }> {
  const result = await meshctl(['clustermesh', 'check', '--context', 'mesh-1,mesh-2', '-o', 'json', ...flags]);
  const entries = jsonOf(result).checks as Entry[];
  return { exitCode: result.exitCode, entries, of: (id) => entries.filter((entry) => entry.id === id) };
}

function serverSpec() {
  const specs = certificateSpecs({
    clusterName: 'mesh-2',
    namespace: 'kube-system',
    serviceAddresses: ['172.18.2.100'],
    kvstoremesh: true,
  });
  return found(specs[0], 'the server certificate').spec;
}

/** Breaks one object for the time of one look, and puts it back. */
async function whileChanged(
  cluster: SandboxCluster,
  ref: Parameters<SandboxCluster['store']['get']>[0],
  change: () => void | Promise<void>,
  look: () => Promise<void>,
): Promise<void> {
  const before = structuredClone(found(cluster.store.get(ref), ref.name));
  await change();
  try {
    await look();
  } finally {
    cluster.store.update(ref, (object) => {
      for (const key of ['data', 'spec']) object[key] = before[key];
    });
  }
}

describe('check of a mesh that is well', () => {
  it('looks at everything, passes, and says of each check that it does', async () => {
    const { exitCode, entries } = await check();
    expect(entries.filter(({ severity }) => severity === 'fail' || severity === 'warn')).toEqual([]);
    expect(exitCode).toBe(0);
    expect([...new Set(entries.map(({ id }) => id))]).toEqual(MESH_CHECKS.map(({ id }) => id));
  });

  it('prints a table by category, and with -o short only what is not well', async () => {
    const table = await meshctl.ok(['clustermesh', 'check', '--context', 'mesh-1,mesh-2', '--category', 'tls,peers']);
    expect(table.stdout).toContain('tls\n---\n√ all certificates are there and can be read');
    expect(table.stdout).toContain('✅ Checks: 15 passed');
    const short = await meshctl.ok([
      ...['clustermesh', 'check', '--context', 'mesh-1,mesh-2', '--category', 'tls', '-o', 'short'],
    ]);
    expect(short.stdout).toBe('✅ Checks: 9 passed\n');
  });

  it('judges before enable and connect only what can be judged then', async () => {
    const result = await meshctl.ok(['clustermesh', 'check', '--pre', '--context', 'mesh-1,mesh-3', '-o', 'json']);
    const categories = (jsonOf(result).checks as { category: string }[]).map(({ category }) => category);
    expect([...new Set(categories)]).toEqual(['identity', 'config', 'versions', 'addresses']);
  });

  it('refuses a category or an id that does not exist', async () => {
    const category = await meshctl(['clustermesh', 'check', '--context', 'mesh-1', '--category', 'nonsense']);
    expect([category.exitCode, category.stderr]).toEqual([2, expect.stringContaining('There are: identity')]);
    const id = await meshctl(['clustermesh', 'check', '--context', 'mesh-1', '--suppress', 'nonsense']);
    expect(id.exitCode).toBe(2);
  });
});

describe('check names what is wrong', () => {
  it('a cluster that is not enabled', async () => {
    const result = await meshctl(['clustermesh', 'check', '--context', 'mesh-3', '-o', 'json']);
    const failed = (jsonOf(result).checks as Entry[]).filter(({ severity }) => severity === 'fail');
    expect(failed.map(({ id }) => id)).toEqual(['apiserver-deployed', 'peers-connected']);
    expect(failed[0]?.hint).toBe('meshctl clustermesh enable --context mesh-3');
    expect(result.exitCode).toBe(1);
  });

  it('a pod that is down', async () => {
    const [pod] = two.store.list({ apiVersion: 'v1', kind: 'Pod' }).filter(isApiserver);
    const name = found(pod, 'the pod').metadata.name;
    two.stopPod('kube-system', name);
    const seen = await eventually(
      () => check('--category', 'apiserver,peers'),
      ({ of }) => of('apiserver-ready')[0]?.severity === 'fail',
      'apiserver-ready fails',
    );
    expect(seen.of('apiserver-etcd')[0]).toMatchObject({ severity: 'fail', cluster: 'mesh-2' });
    expect(seen.exitCode).toBe(1);
    two.startPod('kube-system', name);
    await meshctl.ok(waitForStatus('mesh-1', '20s'));
    const waited = await check('--wait', '--wait-duration', '20s');
    expect(waited.exitCode).toBe(0);
  });

  it.each<[string, Severity, () => Promise<void> | void]>([
    ['tls-present', 'fail', () => setSecret(two, SERVER_CERT, { 'tls.crt': 'nonsense' })],
    ['tls-chain', 'fail', () => issueInto(two, SERVER_CERT, serverSpec(), {}, found(sandbox.clusters[2], 'mesh-3'))],
    ['tls-key', 'fail', async () => setSecret(two, SERVER_CERT, { 'tls.key': await otherKey() })],
    ['tls-usage', 'fail', () => issueInto(two, SERVER_CERT, { ...serverSpec(), usages: ['client'] })],
    ['tls-names', 'warn', () => issueInto(two, SERVER_CERT, { ...serverSpec(), ipAddresses: ['127.0.0.1', '::1'] })],
    ['tls-names', 'fail', () => issueInto(two, SERVER_CERT, { ...serverSpec(), dnsNames: ['localhost'] })],
    ['tls-expiry', 'warn', () => issueInto(two, SERVER_CERT, serverSpec(), lasting(10))],
    ['tls-expiry', 'fail', () => issueInto(two, SERVER_CERT, serverSpec(), lasting(-1))],
  ])('%s: %s', async (id, severity, change) => {
    await whileChanged(two, refs.secret(SERVER_CERT), change, async () => {
      expect((await check('--category', 'tls')).of(id)).toMatchObject([{ severity, cluster: 'mesh-2' }]);
    });
  });

  it('a CA that peers do not trust', async () => {
    const other = found(found(sandbox.clusters[2], 'mesh-3').ca, 'a CA');
    const change = () => setSecret(two, 'cilium-ca', { 'ca.crt': other.certificate, 'ca.key': other.privateKey });
    await whileChanged(two, refs.secret('cilium-ca'), change, async () => {
      expect((await check('--category', 'tls')).of('tls-ca-trust')).toMatchObject([
        { severity: 'fail', cluster: 'mesh-1' },
      ]);
    });
  });

  it('users that no one uses, and users that are missing', async () => {
    const ref = refs.configMap('clustermesh-remote-users');
    await whileChanged(
      two,
      ref,
      () => setUsers(two, ['remote-mesh-1', 'remote-gone']),
      async () => {
        const [orphan] = (await check('--category', 'tls')).of('tls-orphaned-users');
        expect(orphan).toMatchObject({ severity: 'warn', cluster: 'mesh-2', args: { users: ['remote-gone'] } });
      },
    );
    await whileChanged(
      two,
      ref,
      () => setUsers(two, ['remote-other']),
      async () => {
        const { of } = await check('--category', 'peers', '--suppress', 'peers-connected');
        expect(of('peers-user')).toMatchObject([{ severity: 'fail', cluster: 'mesh-1', args: { peer: 'mesh-2' } }]);
        expect(of('peers-connected')).toEqual([]);
      },
    );
  });

  it('peering files that are stale, one-sided or only half there', async () => {
    const mesh = (name: string) =>
      found(
        sandbox.clusters.find((cluster) => cluster.name === name),
        name,
      );
    const kvstoremesh = refs.secret('cilium-kvstoremesh');
    const stale = 'endpoints:\n- https://10.9.9.9:2379\n';
    await whileChanged(
      mesh('mesh-1'),
      kvstoremesh,
      () => setSecret(mesh('mesh-1'), 'cilium-kvstoremesh', { 'mesh-2': stale }),
      async () => {
        const { of } = await check('--category', 'peers', '--suppress', 'peers-connected');
        expect(of('peers-endpoint')).toMatchObject([{ severity: 'fail', cluster: 'mesh-1' }]);
        expect(of('peers-endpoint')[0]?.message).toContain(
          'it dials 10.9.9.9:2379, but the Service has 172.18.2.100:2379',
        );
      },
    );
    await whileChanged(
      two,
      kvstoremesh,
      () => setSecret(two, 'cilium-kvstoremesh', { 'mesh-1': undefined }),
      async () => {
        const { of } = await check('--category', 'peers', '--suppress', 'peers-connected');
        expect(of('peers-files')).toMatchObject([{ severity: 'fail', cluster: 'mesh-2', args: { peers: ['mesh-1'] } }]);
        await whileChanged(
          two,
          refs.secret('cilium-clustermesh'),
          () => setSecret(two, 'cilium-clustermesh', { 'mesh-1': undefined }),
          async () => {
            const { of } = await check('--category', 'peers');
            expect(of('peers-mutual')).toMatchObject([{ severity: 'warn', cluster: 'mesh-1' }]);
          },
        );
      },
    );
  });

  it('a client certificate that its peer will refuse', async () => {
    const one = found(sandbox.clusters[0], 'mesh-1');
    const change = async () => setSecret(one, 'cilium-kvstoremesh', { 'mesh-2.etcd-client.key': await otherKey() });
    await whileChanged(one, refs.secret('cilium-kvstoremesh'), change, async () => {
      const { of } = await check('--category', 'peers', '--suppress', 'peers-connected');
      expect(of('peers-certificate')).toMatchObject([{ severity: 'fail', cluster: 'mesh-1' }]);
    });
  });

  it('another writer of what meshctl manages; --fail-on warn makes it count', async () => {
    const ref = refs.deployment('clustermesh-apiserver');
    const edit = (deployment: KubeObject) => {
      deployment.spec = { ...(deployment.spec as object), revisionHistoryLimit: 3 };
    };
    const change = () => void two.store.update(ref, edit, 'kubectl-edit');
    await whileChanged(two, ref, change, async () => {
      const relaxed = await check('--category', 'ownership');
      expect(relaxed.of('ownership-managers')).toMatchObject([{ severity: 'warn', cluster: 'mesh-2' }]);
      expect(relaxed.exitCode).toBe(0);
      expect((await check('--category', 'ownership', '--fail-on', 'warn')).exitCode).toBe(1);
    });
  });

  it('as JUnit: a case for each finding, failures with their hint', async () => {
    const result = await meshctl(['clustermesh', 'check', '--context', 'mesh-3', '-o', 'junit']);
    expect(result.stdout).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites tests="\d+" failures="2"/);
    expect(result.stdout).toContain('<failure type="apiserver-deployed"');
  });
});

function isApiserver({ metadata }: KubeObject): boolean {
  return metadata.labels?.['k8s-app'] === 'clustermesh-apiserver';
}

/** A private key that belongs to no certificate here. */
async function otherKey(): Promise<string> {
  return found(found(sandbox.clusters[2], 'mesh-3').ca, 'a CA').privateKey;
}

/** From now for so many days; into the past when negative. */
function lasting(days: number) {
  const now = new Date(Date.now() - 100 * DAY_MS);
  return { now, validityMs: (100 + days) * DAY_MS };
}
