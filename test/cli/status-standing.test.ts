import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessRefs } from '../../src/mesh/apiserver/access.ts';
import type { Fault } from '../../src/mesh/faults/fault.ts';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import type { MeshStatusReport } from '../../src/mesh/status/mesh-status.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import type { Undo } from '../support/check-scenarios.ts';
import { jsonOf } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith, waitForStatus } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { eventually, found, refs, setSecret, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** Kubelets look only when they are nudged: whoever runs keeps what it has mounted. */
const NEVER_MS = 3_600_000;

let sandbox: TestSandbox;
let meshctl: Meshctl;
let one: SandboxCluster;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 3, nodes: 2, timings: { secretSyncMs: NEVER_MS } });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  one = found(sandbox.clusters[0], 'mesh-1');
  await meshctl.ok(enable('mesh-1,mesh-2,mesh-3'));
  await meshctl.ok(connect('mesh-1', 'mesh-2,mesh-3'));
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2', 'mesh-3']);
});

afterAll(() => sandbox.close());

const status = (...more: string[]) => meshctl(['clustermesh', 'status', '--context', 'mesh-1', ...more]);

/** What the hint says, typed as it is printed. */
function wordsOf(hint: string): string[] {
  const [program = '', ...words] = hint.split(' ');
  expect(program).toBe('meshctl');
  return words;
}

interface Break {
  what: string;
  faults: string[];
  says: string;
  /** What would mend it, as it is printed. */
  hint: string;
  change(cluster: SandboxCluster): void;
}

const KVSTOREMESH = 'cilium-kvstoremesh';
const CONNECT = 'meshctl clustermesh connect --context mesh-1 --destination-context mesh-2';
const ENABLE = 'meshctl clustermesh enable --context mesh-1';

const BREAKS: readonly Break[] = [
  {
    what: 'garbage for KVStoreMesh',
    faults: ['peering-file-unreadable'],
    says: 'mesh-2: connected, but only until kubelets refresh the Secret (about a minute): the peering file cannot be read: it is not a mapping of settings (Secret cilium-kvstoremesh, key mesh-2)',
    hint: CONNECT,
    change: (cluster) => setSecret(cluster, KVSTOREMESH, { 'mesh-2': 'garbage' }),
  },
  {
    what: 'a client certificate that is none',
    faults: ['peer-certificate-unreadable'],
    says: 'mesh-2: connected, but not after a restart: the client certificate cannot be read (Secret cilium-kvstoremesh, key mesh-2.etcd-client.crt)',
    hint: CONNECT,
    change: (cluster) => setSecret(cluster, KVSTOREMESH, { 'mesh-2.etcd-client.crt': 'not a cert' }),
  },
  {
    what: 'garbage for the agents',
    faults: ['peering-file-unreadable'],
    says: 'the peering file cannot be read: it is not a mapping of settings (Secret cilium-clustermesh, key mesh-2)',
    hint: CONNECT,
    change: (cluster) => setSecret(cluster, 'cilium-clustermesh', { 'mesh-2': 'garbage' }),
  },
  {
    what: "KVStoreMesh's Secret deleted",
    faults: ['peering-secret-missing'],
    says: 'mesh-2, mesh-3: connected, but only until kubelets refresh the Secret (about a minute): the peering files are missing (Secret cilium-kvstoremesh)',
    hint: `${CONNECT},mesh-3`,
    change: ({ store }) => void store.delete(refs.secret(KVSTOREMESH)),
  },
  {
    what: 'the server certificate deleted',
    faults: ['certificate-missing'],
    says: 'mesh-1: connected, but not after a restart: the server certificate is missing (Secret clustermesh-apiserver-server-cert)',
    hint: ENABLE,
    change: ({ store }) => void store.delete(refs.secret('clustermesh-apiserver-server-cert')),
  },
  {
    what: 'the users deleted',
    faults: ['users-missing'],
    says: 'mesh-1: connected, but not after a restart: the list of etcd users for peers is missing (ConfigMap clustermesh-remote-users)',
    hint: ENABLE,
    change: ({ store }) => void store.delete(refs.configMap('clustermesh-remote-users')),
  },
  {
    what: 'the rights deleted',
    faults: ['access-missing'],
    says: 'mesh-1: connected, but not after a restart: its clustermesh-apiserver has lost its ServiceAccount and ClusterRoleBinding: a new pod could read nothing to serve (ServiceAccount clustermesh-apiserver)',
    hint: ENABLE,
    change: ({ store }) => {
      for (const ref of LOST_RIGHTS) store.delete(ref);
    },
  },
];

const LOST_RIGHTS = accessRefs('kube-system').filter(({ kind }) => kind !== 'ClusterRole');

/** What no connection needs: their CAs differ. */
const UNNEEDED = ['cilium-ca', 'clustermesh-apiserver-remote-cert'];

/** Remembers what the breaks change, and gives it back. */
function remember(cluster: SandboxCluster): Undo {
  const all = [
    ...[KVSTOREMESH, 'cilium-clustermesh', 'clustermesh-apiserver-server-cert', ...UNNEEDED].map(refs.secret),
    refs.configMap('clustermesh-remote-users'),
    ...LOST_RIGHTS,
  ].map((ref) => [ref, found(cluster.store.get(ref), ref.name)] as const);
  return () => {
    for (const [ref, before] of all) {
      if (!cluster.store.get(ref)) cluster.store.create(before);
      else cluster.store.update(ref, (object) => Object.assign(object, { data: before.data }));
    }
  };
}

describe('connected, but would not come back', () => {
  it.each(BREAKS.map((one) => [one.what, one] as const))('%s', async (_what, { faults, says, hint, change }) => {
    const undo = remember(one);
    change(one);
    try {
      const { exitCode, stdout } = await status();
      expect(exitCode).toBe(1);
      const ends = faults.some((id) => id.startsWith('peering-'))
        ? 'Connections end once kubelets refresh the peering files, in about a minute'
        : 'The connections would not come back after a restart';
      expect(stdout).toContain(`❌ ${ends}; all 2 nodes are still connected to all clusters\n`);
      expect(stdout).not.toContain('✅');
      expect(stdout).toContain('  • mesh-2: 2/2 configured, 2/2 connected\n');
      expect(stdout).toContain(says);
      expect(stdout).toContain(`   → ${hint}\n`);

      const json = jsonOf(await status('-o', 'json'));
      expect(json.healthy).toBe(false);
      expect((json.faults as Fault[]).map(({ id }) => id)).toEqual(faults);
      expect((json.faults as Fault[])[0]?.hint).toBe(hint);

      const junit = await status('-o', 'junit');
      expect(junit.exitCode).toBe(1);
      expect(junit.stdout).toContain(`type="${faults[0]}"`);
      expect(junit.stdout).not.toContain('context of');

      const all = await meshctl(['clustermesh', 'status', '--all']);
      expect(all.exitCode).toBe(1);
      expect(all.stdout).toContain(hint);
      expect(all.stdout).not.toContain('<context of');
      // The header counts what the matrix marks.
      const marked = all.stdout.match(/^ {2}mesh-\d.*! \d/gm)?.length;
      const header = /^❌ (\d) of 3 clusters (?:is|are) connected, but degraded(?:; not all is well in (.*))?$/m.exec(
        all.stdout,
      );
      expect(header?.[1], all.stdout).toBe(`${marked}`);
      expect([undefined, 'mesh-1']).toContain(header?.[2]);
      expect(all.stdout.match(/→/g)).toHaveLength(1);
    } finally {
      undo();
    }
    expect((await status()).exitCode).toBe(0);
  });

  it.each(BREAKS.filter(({ hint }) => hint === CONNECT).map((one) => [one.what, one] as const))(
    'is mended by the hint as it is printed: %s',
    async (_what, { hint, change }) => {
      change(one);
      expect((await status()).exitCode).toBe(1);
      await meshctl.ok(wordsOf(hint));
      await untilHealthy(sandbox, ['mesh-1']);
    },
  );

  it('is told also of what no connection needs now, which is not unhealthy', async () => {
    const undo = remember(one);
    for (const name of UNNEEDED) one.store.delete(refs.secret(name));
    try {
      const { exitCode, stdout } = await status();
      expect(exitCode, stdout).toBe(0);
      expect(stdout).toContain('no connection is affected yet');
      expect(stdout).toContain('the remote certificate is missing (Secret clustermesh-apiserver-remote-cert)');
      expect(stdout).toContain('the CA is missing: nothing can be renewed (Secret cilium-ca)');
      const { healthy, faults } = jsonOf(
        await meshctl(['clustermesh', 'status', '--context', 'mesh-1', '-o', 'json']),
      ) as unknown as { healthy: boolean; faults: { id: string; outage: boolean }[] };
      expect(healthy).toBe(true);
      expect(faults.map(({ id, outage }) => [id, outage])).toEqual([
        ['certificate-missing', false],
        ['ca-missing', false],
      ]);
    } finally {
      undo();
    }
  });

  it('--wait does not wait for what waiting does not mend', async () => {
    const undo = remember(one);
    setSecret(one, KVSTOREMESH, { 'mesh-2': 'garbage' });
    try {
      const { exitCode, stdout } = await meshctl(waitForStatus('mesh-1', '5m'));
      expect(exitCode).toBe(1);
      expect(stdout).toContain('connected, but only until kubelets refresh the Secret');
    } finally {
      undo();
    }
  });
});

describe('--wait for what only somebody else can mend', () => {
  const edit = (spec: object) =>
    one.store.update(refs.deployment('clustermesh-apiserver'), (deployment) => {
      deployment.spec = { ...(deployment.spec as object), ...spec };
    });

  it.each<[string, object, object, string, string]>([
    [
      'scaled to 0',
      { replicas: 0 },
      { replicas: 1 },
      'its clustermesh-apiserver is scaled to 0 (Deployment clustermesh-apiserver)',
      'kubectl --context mesh-1 -n kube-system scale deployment/clustermesh-apiserver --replicas=1',
    ],
    [
      'paused, with pods lacking',
      { paused: true, template: {} },
      { paused: false },
      'its Deployment is paused (Deployment clustermesh-apiserver)',
      'kubectl --context mesh-1 -n kube-system rollout resume deployment/clustermesh-apiserver',
    ],
  ])('%s: says at once what it waits for, and what mends it', async (_, change, back, words, hint) => {
    const { spec } = found(one.store.get(refs.deployment('clustermesh-apiserver')), 'the Deployment');
    const template = (spec as { template: object }).template;
    edit('template' in change ? { ...change, template: { ...template, ...withLabel(template) } } : change);
    try {
      const { stderr, exitCode } = await status('--wait', '--wait-duration', '2s');
      expect(exitCode, stderr).toBe(1);
      expect(stderr.split(`${words}; to mend it\n  → ${hint}\n`)).toHaveLength(2);
      expect(stderr).toContain('Waiting for mesh-1 to be fixed: its clustermesh-apiserver');
    } finally {
      edit({ ...back, template });
    }
    await untilHealthy(sandbox, ['mesh-1', 'mesh-2', 'mesh-3']);
  });

  function withLabel(template: { metadata?: { labels?: object } }): object {
    return { metadata: { ...template.metadata, labels: { ...template.metadata?.labels, team: 'x' } } };
  }
});

describe('not connected', () => {
  it('because of a peering file that cannot be read: by its own name, once, with what mends it', async () => {
    const pods = one.store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' });
    const ofApiserver = pods.filter(({ metadata }) => metadata.labels?.['k8s-app'] === 'clustermesh-apiserver');
    setSecret(one, KVSTOREMESH, { 'mesh-2': 'garbage' });
    // Its successor mounts what is there now.
    for (const { metadata } of ofApiserver) {
      one.store.delete({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name: metadata.name });
    }
    const stdout = await eventually(
      async () => (await status()).stdout,
      (text) => text.includes('nodes is not') || text.includes('2 of 2 nodes are not connected'),
      'mesh-1 lacks mesh-2',
    );
    expect(stdout).toContain(
      'mesh-2: the peering file cannot be read: it is not a mapping of settings (Secret cilium-kvstoremesh, key mesh-2) — KVStoreMesh (',
    );
    expect(stdout).not.toContain('has not reached the node');
    expect(stdout.split(`   → ${CONNECT}\n`)).toHaveLength(2);
    await meshctl.ok(wordsOf(CONNECT));
    await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
  });

  it('what is left of a cluster that is gone can be forgotten, by the line that is printed', async () => {
    const texts = secretTexts(found(one.store.get(refs.secret(KVSTOREMESH)), KVSTOREMESH));
    const left = Object.entries(texts).filter(([key]) => /^mesh-2\b/.test(key));
    setSecret(
      one,
      KVSTOREMESH,
      Object.fromEntries(left.map((entry) => entry.map((text) => text.replaceAll('mesh-2', 'gone')))),
    );
    const { stdout } = await status();
    const line = 'meshctl clustermesh disconnect --context mesh-1 --peer gone';
    expect(stdout).toMatch(new RegExp(`or if it is gone, forget it:\\s+${line}\\n`));
    await meshctl.ok([...wordsOf(line), '--yes']);
    await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
    expect((await status()).stdout).not.toContain('gone');
  });

  it('one broken cluster is one reason with one next step, which names its context', async () => {
    const three = found(sandbox.clusters[2], 'mesh-3');
    const scale = (replicas: number) =>
      three.store.update(refs.deployment('clustermesh-apiserver'), (deployment) => {
        deployment.spec = { ...(deployment.spec as object), replicas };
      });
    scale(0);
    try {
      const stdout = await eventually(
        async () => (await meshctl(['clustermesh', 'status', '--all'])).stdout,
        (text) => text.includes('mesh-1: KVStoreMesh'),
        'mesh-1 notices',
      );
      expect(stdout).toContain('its clustermesh-apiserver is scaled to 0 (Deployment clustermesh-apiserver)');
      expect([...stdout.matchAll(/→ (.*)/g)].map(([, hint]) => hint)).toEqual([
        'kubectl --context mesh-3 -n kube-system scale deployment/clustermesh-apiserver --replicas=1',
      ]);
      const { matrix } = jsonOf(
        await meshctl(['clustermesh', 'status', '--all', '-o', 'json']),
      ) as unknown as MeshStatusReport;
      expect(matrix.find(({ from, to }) => from === 'mesh-1' && to === 'mesh-2')?.state).toBe('connected');
    } finally {
      scale(1);
    }
    await untilHealthy(sandbox, ['mesh-1', 'mesh-2', 'mesh-3']);
  });
});
