import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { dataOf } from '../../src/mesh/objects/secret-data.ts';
import { remotePeerFile, remoteUsersFile } from '../../src/mesh/peers/file/peer-config.ts';
import { marksFor } from '../../src/mesh/peers/peer-choices.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { jsonOf, runCli } from '../support/cli.ts';
import { clusterAt, eventually, found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1, withoutCa: true, clusters: [{}, {}, {}, {}] });
});

afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await sandbox.close();
});

const meshctl = (...argv: string[]) =>
  runCli(['clustermesh', ...argv], { env: { KUBECONFIG: sandbox.kubeconfigPath } });

async function succeed(...argv: string[]) {
  const result = await meshctl(...argv);
  expect(result.exitCode, result.stdout + result.stderr).toBe(0);
  return result;
}

const KINDS: [apiVersion: string, kind: string][] = [
  ['v1', 'Secret'],
  ['v1', 'ConfigMap'],
  ['v1', 'Service'],
  ['v1', 'ServiceAccount'],
  ['v1', 'Pod'],
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'ReplicaSet'],
  ['apps/v1', 'DaemonSet'],
  ['policy/v1', 'PodDisruptionBudget'],
  ['discovery.k8s.io/v1', 'EndpointSlice'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'],
];

/** Everything that lives in a cluster, by name. */
function objectsOf({ store }: SandboxCluster): string[] {
  return KINDS.flatMap(([apiVersion, kind]) =>
    store.list({ apiVersion, kind }).map(({ metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`),
  ).sort();
}

const cluster = (index: number) => found(sandbox.clusters[index], 'the cluster');

describe('disable', () => {
  it('leaves the cluster as before enable', async () => {
    const before = objectsOf(cluster(0));
    await succeed('enable', '--context', 'mesh-1', '--pod-disruption-budget', '--replicas', '2');
    expect(objectsOf(cluster(0))).not.toEqual(before);
    const { stdout } = await succeed('disable', '--context', 'mesh-1', '--yes');
    expect(stdout).toContain('✅ Cluster Mesh is disabled in mesh-1');
    await eventually(
      () => objectsOf(cluster(0)),
      (objects) => JSON.stringify(objects) === JSON.stringify(before),
      'the objects as before',
    );
  });

  it('has nothing to do where nothing is', async () => {
    expect((await succeed('disable', '--context', 'mesh-1', '--yes')).stdout).toContain('there is nothing to remove');
  });

  it.each([
    ['that no one deletes', false],
    ['that are ending', true],
  ])('says that pods serve %s, where they are not waited for, also before it is run', async (_what, isGoing) => {
    const { store, namespace } = cluster(0);
    const pod = { apiVersion: 'v1', kind: 'Pod', namespace, name: `former-${isGoing}` };
    const { name } = pod;
    const finalizers = isGoing ? ['example.com/held'] : [];
    const labels = { 'k8s-app': 'clustermesh-apiserver' };
    const spec = { nodeName: 'mesh-1-node-1', containers: [{ name: 'etcd', image: 'x' }] };
    store.create({ ...pod, metadata: { name, namespace, labels, finalizers }, spec } as unknown as KubeObject, 'test');
    if (isGoing) store.delete(pod);
    const says = `pods of kube-system/clustermesh-apiserver are left, which serve as long as they run: ${name} on node mesh-1-node-1`;
    const way = isGoing ? `wait --for=delete pod/${name}` : `delete pods ${name}`;
    const disable = ['disable', '--context', 'mesh-1', '--yes'];
    try {
      const plan = jsonOf(await succeed(...disable, '--dry-run', '-o', 'json'));
      expect(plan.warnings).toEqual([expect.stringContaining(says)]);
      const done = await meshctl(...disable, '--no-wait');
      expect([done.exitCode, done.stdout]).toEqual([
        isGoing ? 0 : 1,
        expect.stringContaining(`⚠️  Cluster Mesh is disabled`),
      ]);
      const text = done.stdout.replaceAll(/\s+/g, ' ');
      expect(text).toContain(says);
      expect(text).toContain(`kubectl --context mesh-1 -n kube-system ${way}`);
    } finally {
      if (isGoing) store.update(pod, ({ metadata }) => Object.assign(metadata, { finalizers: [] }));
      else store.delete(pod);
    }
    expect((await succeed(...disable)).stdout).toContain('there is nothing to remove');
  });

  it('is not all while pods serve that no one deletes: status and check name them, and what ends them', async () => {
    const { store, namespace } = cluster(0);
    const pod = { apiVersion: 'v1', kind: 'Pod', namespace, name: 'orphan' };
    const labels = { 'k8s-app': 'clustermesh-apiserver' };
    const spec = { nodeName: 'mesh-1-node-1', containers: [{ name: 'etcd', image: 'x' }] };
    store.create({ ...pod, metadata: { name: pod.name, namespace, labels }, spec } as unknown as KubeObject, 'test');
    const look = async (command: string) => {
      const { stdout } = await meshctl(command, '--context', 'mesh-1');
      return stdout.replaceAll(/\s+/g, ' ');
    };
    const says = /pods of kube-system\/clustermesh-apiserver are left, which serve as long as they run: orphan on node/;
    const way = 'kubectl --context mesh-1 -n kube-system delete pods orphan';
    try {
      for (const text of await Promise.all(['status', 'check'].map(look))) {
        expect(text).toMatch(says);
        expect(text).toContain(way);
      }
    } finally {
      store.delete(pod);
    }
    for (const text of await Promise.all(['status', 'check'].map(look))) expect(text).not.toMatch(says);
  });

  it('asks, and needs --yes where nobody can be asked', async () => {
    await succeed('enable', '--context', 'mesh-1');
    const { exitCode, stderr } = await meshctl('disable', '--context', 'mesh-1');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('then confirm it: meshctl clustermesh ');
    const options = { env: { KUBECONFIG: sandbox.kubeconfigPath }, answers: ['no'] };
    const declined = await runCli(['clustermesh', 'disable', '--context', 'mesh-1'], options);
    expect(declined.exitCode).toBe(1);
    expect(declined.stderr).toContain('- delete Deployment kube-system/clustermesh-apiserver (meshctl made it)');
    expect(declined.stderr).toContain('Disable Cluster Mesh in mesh-1 (context mesh-1)? [y/N]');
    expect(cluster(0).store.get(refs.deployment('clustermesh-apiserver'))).toBeDefined();
  });

  it('removes peers first and the CA last', async () => {
    const { stdout } = await succeed('disable', '--context', 'mesh-1', '--dry-run');
    const order = [...stdout.matchAll(/- delete (\S+ \S+)/g)].map(([, object]) => object);
    expect(order).toMatchInlineSnapshot(`
      [
        "Secret kube-system/cilium-clustermesh",
        "Secret kube-system/cilium-kvstoremesh",
        "ConfigMap kube-system/clustermesh-remote-users",
        "Deployment kube-system/clustermesh-apiserver",
        "Service kube-system/clustermesh-apiserver",
        "Service kube-system/clustermesh-apiserver-metrics",
        "ClusterRoleBinding clustermesh-apiserver",
        "ClusterRole clustermesh-apiserver",
        "ServiceAccount kube-system/clustermesh-apiserver",
        "Secret kube-system/clustermesh-apiserver-server-cert",
        "Secret kube-system/clustermesh-apiserver-admin-cert",
        "Secret kube-system/clustermesh-apiserver-local-cert",
        "Secret kube-system/clustermesh-apiserver-remote-cert",
        "Secret kube-system/cilium-ca",
      ]
    `);
  });

  it('leaves what others made, put into it, or still use', async () => {
    const { store } = cluster(0);
    store.update(refs.service('clustermesh-apiserver-metrics'), ({ metadata }) => {
      metadata.annotations = { ...metadata.annotations, 'meta.helm.sh/release-name': 'cilium' };
    });
    store.update(
      refs.configMap('clustermesh-remote-users'),
      (users) => {
        users.data = { ...(users.data as object), 'more.yaml': 'users:' };
      },
      'someone',
    );
    const ca = (store.get(refs.secret('cilium-ca'))?.data ?? {}) as Record<string, string>;
    const server = store.get(refs.secret('clustermesh-apiserver-server-cert'));
    store.create({
      ...refs.secret('hubble-server-certs'),
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'hubble-server-certs', namespace: 'kube-system' },
      type: 'kubernetes.io/tls',
      data: { ...(server?.data as object), 'ca.crt': ca['ca.crt'] },
    });
    const { stdout, stderr } = await succeed('disable', '--context', 'mesh-1', '--dry-run');
    expect(stdout).toContain('= keep Service kube-system/clustermesh-apiserver-metrics (made by Helm release cilium)');
    expect(stdout).toContain('= keep ConfigMap kube-system/clustermesh-remote-users (someone put something into it)');
    expect(stdout).toContain('= keep Secret kube-system/cilium-ca (it signed hubble-server-certs)');
    expect(stderr).toBe('… mesh-1: reading the cluster\n✔ mesh-1: read the cluster\n');
  });

  it('removes nothing that the plan keeps which was agreed to', async () => {
    const { store } = cluster(0);
    const before = objectsOf(cluster(0)).filter((name) => !name.includes('hubble'));
    const answer = async () => {
      store.delete(refs.secret('hubble-server-certs'));
      return 'y';
    };
    const stopped = await runCli(['clustermesh', 'disable', '--context', 'mesh-1'], {
      env: { KUBECONFIG: sandbox.kubeconfigPath },
      answers: [answer],
    });
    expect(stopped.stderr).toContain(
      'context "mesh-1": Secret kube-system/cilium-ca would be removed too by now, which the plan keeps',
    );
    expect(stopped.exitCode).toBe(1);
    expect(objectsOf(cluster(0))).toEqual(before);
  });

  it('does not wait for what does not go, where nobody wants to', async () => {
    const held = refs.secret('clustermesh-apiserver-admin-cert');
    const { store } = cluster(0);
    store.update(held, ({ metadata }) => {
      metadata.finalizers = ['example.com/held'];
    });
    const { stderr } = await succeed('disable', '--context', 'mesh-1', '--yes', '--wait=false');
    expect(stderr).not.toContain('waiting for');
    expect(store.get(held)?.metadata.deletionTimestamp).toBeDefined();
    store.update(held, ({ metadata }) => {
      delete metadata.finalizers;
    });
    expect(store.get(held)).toBeUndefined();
    await succeed('enable', '--context', 'mesh-1');
  });

  it('leaves the certificates for a later enable', async () => {
    await succeed('disable', '--context', 'mesh-1', '--keep-certificates', '--yes');
    const kept = cluster(0)
      .store.list({ apiVersion: 'v1', kind: 'Secret' })
      .map(({ metadata }) => metadata.name);
    expect(kept).toEqual(
      expect.arrayContaining(['cilium-ca', 'clustermesh-apiserver-admin-cert', 'clustermesh-apiserver-server-cert']),
    );
    const before = cluster(0).store.get(refs.secret('clustermesh-apiserver-admin-cert'))?.data;
    await succeed('enable', '--context', 'mesh-1');
    expect(cluster(0).store.get(refs.secret('clustermesh-apiserver-admin-cert'))?.data).toEqual(before);
  });

  it('warns of peers that still dial it, and disconnects them where it shall', async () => {
    await succeed('enable', '--context', 'mesh-2');
    await succeed('connect', '--context', 'mesh-1', '--destination-context', 'mesh-2');
    const peersOf2 = () => cluster(1).store.get(refs.secret('cilium-kvstoremesh'))?.data;

    const options = { env: { KUBECONFIG: sandbox.kubeconfigPath }, answers: ['y', 'n'] };
    // A run asks, where it can; that --yes alone does not say it, who reads the plan is told.
    const dryRun = ['disable', '--context', 'mesh-1', '--dry-run'];
    const shown = await runCli(['clustermesh', ...dryRun, '-o', 'json'], options);
    expect(shown.exitCode, shown.stderr).toBe(0);
    const choice = `mesh-2 still dials mesh-1, .* → Disconnect first: meshctl clustermesh ${dryRun.join(' ')} --disconnect --yes; or leave it as it is: \\S+ clustermesh ${dryRun.join(' ')} --disconnect=false --yes$`;
    expect(jsonOf(shown).warnings).toEqual([expect.stringMatching(`^with --yes, this would be refused: ${choice}`)]);
    expect(jsonOf(shown)).not.toHaveProperty('refused');
    const left = jsonOf(await succeed(...dryRun, '--disconnect=false', '-o', 'json'));
    const forget = 'meshctl clustermesh disconnect --context mesh-2 --peer mesh-1';
    expect(left.warnings).toEqual([expect.stringMatching(`^"mesh-2" still dials "mesh-1" [^→]* → ${forget}$`)]);

    const asked = await runCli(['clustermesh', 'disable', '--context', 'mesh-1'], options);
    expect(asked.stderr).toContain('mesh-2 still dials mesh-1, or lets it in.');
    expect(asked.stderr).toContain('Disconnect mesh-2 first? [y/N]');
    expect(peersOf2()).toHaveProperty('mesh-1');

    // Requests would go on to backends that do not answer: what becomes of them is not what --yes agrees to.
    for (const unsaid of [['--yes', '--dry-run'], ['--dry-run'], ['--dry-run=server'], ['--yes'], []]) {
      const { exitCode, stdout, stderr } = await meshctl('disable', '--context', 'mesh-1', ...unsaid);
      expect(exitCode, stderr).toBe(2);
      const word = unsaid.find((one) => one.startsWith('--dry-run'));
      expect(stdout.includes('a run is refused')).toBe(word !== undefined);
      // What it would do to them is not chosen, so nothing but the choice is said.
      expect(stderr).not.toContain(forget);
      expect(stderr).toContain('mesh-2 still dials mesh-1, and keeps sending requests to its pods after a disable');
      const again = `meshctl clustermesh disable --context mesh-1${word ? ` ${word}` : ''}`;
      expect(stderr).toMatch(
        new RegExp(
          `Disconnect first:\\s+${again} --disconnect --yes\\s+or leave it as it is:\\s+${again} --disconnect=false --yes`,
        ),
      );
    }
    expect(cluster(0).store.get(refs.deployment('clustermesh-apiserver'))).toBeDefined();

    // Whoever does not answer may be the very peer, which would go on dialling what is gone.
    const away = join(dirname(sandbox.kubeconfigPath), 'away.yaml');
    const kubeconfig = await readFile(sandbox.kubeconfigPath, 'utf8');
    await writeFile(away, kubeconfig.replace(cluster(1).url, 'http://127.0.0.1:1'));
    // Where no context leads to it, nobody has seen whether it dials; that is the one way that is left to say so.
    const lone = join(dirname(sandbox.kubeconfigPath), 'lone.yaml');
    const { contexts, ...rest } = parse(kubeconfig) as { contexts: { name: string }[] };
    await writeFile(lone, stringify({ ...rest, contexts: contexts.filter(({ name }) => name === 'mesh-1') }));
    const alone = await runCli(['clustermesh', 'disable', '--context', 'mesh-1', '--yes', '--kubeconfig', lone]);
    expect(alone.exitCode, alone.stderr).toBe(2);
    expect(alone.stderr).toContain(
      '✖ no context leads to mesh-2: if it still dials mesh-1, it keeps sending requests to pods there',
    );
    expect(alone.stderr).toMatch(
      /leave it as it is:\s+meshctl clustermesh disable \S+ \S+ --context mesh-1 --disconnect=false --yes/,
    );
    // Nor has --disconnect anybody told then: it would have gone on dialling what is gone.
    for (const more of [['--yes'], ['--yes', '--dry-run']]) {
      const argv = ['clustermesh', 'disable', '--context', 'mesh-1', '--disconnect', ...more, '--kubeconfig', lone];
      const untold = await runCli(argv);
      expect(untold.exitCode, untold.stderr).toBe(2);
      expect(untold.stderr).toContain(
        'no context leads to mesh-2: if it still dials mesh-1, it keeps sending requests to pods there',
      );
      expect(untold.stderr).toMatch(/--disconnect=false --yes/);
    }

    for (const choice of [['--disconnect'], ['--dry-run'], []]) {
      const argv = ['clustermesh', 'disable', '--context', 'mesh-1', ...choice, '--yes', '--kubeconfig', away];
      const refused = await runCli([...argv, '--request-timeout', '2s']);
      expect(refused.exitCode, refused.stdout).toBe(3);
      expect(refused.stderr).toContain('"mesh-2" may be the cluster of context "mesh-2", which does not answer');
      // In place of what was typed, not beside it.
      expect(refused.stderr).toMatch(/--disconnect=false --yes/);
      expect(refused.stderr).not.toMatch(/--disconnect /);
    }
    expect(cluster(0).store.get(refs.deployment('clustermesh-apiserver'))).toBeDefined();

    const result = await meshctl('disable', '--context', 'mesh-1', '--disconnect', '--yes', '-o', 'json');
    expect(result.exitCode, result.stderr).toBe(0);
    expect(jsonOf(result)).toMatchObject({ kind: 'DisableResult', cluster: 'mesh-1', stillPointingHere: [] });
    expect(peersOf2() ?? {}).not.toHaveProperty('mesh-1');
    expect(cluster(0).store.get(refs.deployment('clustermesh-apiserver'))).toBeUndefined();
  });

  it('finds who only lets it in, as a disconnect that was killed leaves it, also once nothing is left here', async () => {
    await succeed('enable', '--context', 'mesh-2');
    const { store } = cluster(1);
    const usersOf2 = () => JSON.stringify(store.get(refs.configMap('clustermesh-remote-users'))?.data);
    const left = usersOf2();
    store.update(refs.configMap('clustermesh-remote-users'), (users) => {
      users.data = { 'users.yaml': remoteUsersFile([{ name: 'remote-mesh-1', role: 'remote' }]) };
      users.metadata.annotations = { 'meta.helm.sh/release-name': 'cilium' };
    });
    const undone =
      'ConfigMap kube-system/clustermesh-remote-users is made by Helm release cilium, whose next sync may undo';
    const told = await succeed('disable', '--context', 'mesh-1', '--disconnect', '--dry-run', '-o', 'json');
    expect(told.stdout).toContain('remote-mesh-1');
    expect([jsonOf(told).warnings, told.stderr]).toEqual([
      [expect.stringContaining(`context "mesh-2": ${undone}`)],
      expect.stringContaining(`⚠ context "mesh-2": ${undone}`),
    ]);
    await succeed('enable', '--context', 'mesh-1');
    const warned = await succeed('disable', '--context', 'mesh-1', '--yes');
    expect(warned.stderr).toContain('"mesh-2" still lets "mesh-1" in');
    expect(warned.stderr).not.toContain('cut off');
    expect(usersOf2()).toContain('remote-mesh-1');
    // Nobody here has a certificate by which mesh-2's etcd tells; nor is there one by which it tells who its users are.
    const admin = found(store.get(refs.secret('clustermesh-apiserver-admin-cert')), 'the certificate');
    store.delete(refs.secret('clustermesh-apiserver-admin-cert'));
    const unseen = await meshctl('disable', '--context', 'mesh-1', '--disconnect', '--yes', '-o', 'json');
    expect(unseen.exitCode, unseen.stderr).toBe(3);
    const says = [undone, 'context "mesh-2": whether its etcd still lets "mesh-1" in could not be verified'];
    expect(jsonOf(unseen).warnings).toEqual(
      expect.arrayContaining(says.map((words) => expect.stringContaining(words))),
    );
    store.create(admin);
    expect(usersOf2()).toBe(left);
  });
});

const LEAVING = ['mesh-1', 'mesh-2'];
const SECRETS = ['cilium-clustermesh', 'cilium-kvstoremesh'];

/** Puts what names peers into a cluster, as connect leaves it in the objects of Cilium's chart. */
function peerByHelm({ store }: SandboxCluster, peers: readonly string[]): void {
  const data = Object.fromEntries(
    peers.flatMap((peer): [string, string][] => [
      [peer, remotePeerFile(peer, { addresses: ['192.0.2.1:2379'] }, `${peer}.`)],
      [`${peer}.etcd-client.key`, 'key'],
      [`${peer}.etcd-client.crt`, 'certificate'],
    ]),
  );
  const marks = Object.assign({}, ...peers.map((peer) => marksFor(peer, { mode: 'unicast', credentials: 'per-peer' })));
  const made = (ref: { kind: string; name: string }, more: Pick<KubeObject, 'data'>, annotations = {}) => {
    const before = { apiVersion: 'v1', namespace: 'kube-system', ...ref };
    if (store.get(before)) store.delete(before);
    store.create(
      {
        ...{ apiVersion: 'v1', kind: ref.kind, ...more },
        metadata: {
          ...{ name: ref.name, namespace: 'kube-system' },
          labels: { 'app.kubernetes.io/managed-by': 'Helm' },
          annotations: { 'meta.helm.sh/release-name': 'cilium', ...annotations },
        },
      },
      'helm',
    );
  };
  const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  for (const name of SECRETS)
    made({ kind: 'Secret', name }, { data: Object.fromEntries(encoded) }, name === SECRETS[0] ? marks : {});
  const users = peers.map((peer) => ({ name: `remote-${peer}`, role: 'remote' }));
  made({ kind: 'ConfigMap', name: 'clustermesh-remote-users' }, { data: { 'users.yaml': remoteUsersFile(users) } });
}

/** What is in a cluster's Secrets and ConfigMap of peers, as one text. */
function keptOf({ store }: SandboxCluster): string {
  const kept = [...SECRETS.map(refs.secret), refs.configMap('clustermesh-remote-users')].map((ref) => store.get(ref));
  return JSON.stringify(
    kept.map((one) => one && { annotations: one.metadata.annotations, keys: Object.keys(dataOf(one)), ...dataOf(one) }),
  );
}

describe('disable --disconnect, where what names the peers is kept', () => {
  function leaving(reachable: number): string[] {
    const staying = ['mesh-3', 'mesh-4'].slice(0, reachable);
    for (const context of LEAVING) {
      const others = LEAVING.filter((other) => other !== context);
      peerByHelm(clusterAt(sandbox, context), [...others, ...staying, 'gone']);
    }
    for (const context of staying) peerByHelm(clusterAt(sandbox, context), LEAVING);
    return staying;
  }

  it.each([0, 1, 2])('leaves none of them named, %i of them within reach', async (reachable) => {
    const staying = leaving(reachable);
    const argv = ['disable', '--context', LEAVING.join(','), '--disconnect', '--yes'];
    const before = LEAVING.map((context) => keptOf(clusterAt(sandbox, context)));
    const refused = await meshctl(...argv);
    expect(refused.exitCode, refused.stderr).toBe(2);
    expect(LEAVING.map((context) => keptOf(clusterAt(sandbox, context)))).toEqual(before);
    const hint = refused.stderr.replace(/\s+/g, ' ');
    // To leave all of them as they are is no choice where some can be told.
    expect(hint.includes('--disconnect=false')).toBe(reachable === 0);
    const mend = `clustermesh disconnect --context ${LEAVING.join(',')} --peer gone --yes`;
    expect(hint).toContain(`meshctl ${mend}`);
    await succeed(...mend.split(' ').slice(1));
    const left = await succeed(...argv);
    // An agent that still dials what is gone would report it, and be told to connect to it.
    expect(left.stderr).toContain('✔ The peers are shut out and forgotten\n… mesh-1: reading the cluster\n');
    for (const context of LEAVING) expect(keptOf(clusterAt(sandbox, context))).not.toMatch(/mesh-\d|gone|etcd-client/);
    for (const context of staying) expect(keptOf(clusterAt(sandbox, context))).not.toMatch(/mesh-[12]|etcd-client/);
  });

  it('tells who is asked of those that cannot be told, and is no success where they agree', async () => {
    leaving(1);
    const options = { env: { KUBECONFIG: sandbox.kubeconfigPath }, answers: ['y'] };
    const asked = await runCli(['clustermesh', 'disable', '--context', 'mesh-1,mesh-2', '--disconnect'], options);
    const warning = asked.stderr.indexOf('"gone" still dials "mesh-1", unless it is gone,');
    expect(warning).toBeGreaterThan(0);
    expect(warning).toBeLessThan(asked.stderr.indexOf('Disable Cluster Mesh in mesh-1'));
    expect(asked.exitCode, asked.stderr).toBe(1);
    expect(asked.stdout).toContain('but gone was not told, and still points here');
    expect(asked.stdout).not.toContain('✅');
  });
});
