import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';
import { authorizeByRoles } from '../../src/sandbox/apiserver/auth/rbac.ts';
import { failureOf, runCli } from '../support/cli.ts';
import { found, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';

/** Ann may read ConfigMaps and Secrets of kube-system, and nothing else. */
let sandbox: TestSandbox;
const RBAC = 'rbac.authorization.k8s.io/v1';
const ENABLE = ['clustermesh', 'enable', '--context', 'mesh-1', '--dry-run'];
const STATUS = ['clustermesh', 'status', '--context', 'mesh-1'];
const meshctl = (argv: readonly string[]) =>
  runCli([...argv, '--as', 'ann'], { env: { KUBECONFIG: sandbox.kubeconfigPath } });

function create(object: Record<string, unknown>): void {
  found(sandbox.clusters[0], 'mesh-1').store.create({ apiVersion: RBAC, ...object } as unknown as KubeObject);
}

/** What the printed `kubectl create rolebinding NAME --role=ROLE --user=USER` does. */
function bind(text: string, [kind, role]: readonly [string, string], namespace?: string): void {
  const words = new RegExp(`create ${kind.toLowerCase()} (\\S+) --${role.toLowerCase()}=(\\S+) --user=(\\S+)`).exec(
    text,
  );
  const [, name = '', roleName = '', user = ''] = found(words ?? undefined, `create ${kind}`);
  create({
    kind,
    metadata: { name, namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: role, name: roleName },
    subjects: [{ kind: 'User', name: user }],
  });
}

/** As whoever is named, who may read as little in each cluster. */
const few = (argv: readonly string[]) => runCli(argv, { env: { KUBECONFIG: sandbox.kubeconfigPath } });

/** Cleo may read ConfigMaps of kube-system in both clusters, so that each is one of the mesh for her, and nothing else. */
function letCleoLook(): void {
  const metadata = { name: 'few', namespace: 'kube-system' };
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'few' };
  for (const { store } of sandbox.clusters) {
    const objects = [
      { kind: 'Role', metadata, rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }] },
      { kind: 'RoleBinding', metadata, roleRef, subjects: [{ kind: 'User', name: 'cleo' }] },
    ];
    for (const object of objects) store.create({ apiVersion: RBAC, ...object } as unknown as KubeObject);
  }
}

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
  letCleoLook();
  const metadata = { name: 'some', namespace: 'kube-system' };
  create({
    kind: 'Role',
    metadata,
    rules: [{ apiGroups: [''], resources: ['configmaps', 'secrets'], verbs: ['get'] }],
  });
  create({
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'some' },
    subjects: [{ kind: 'User', name: 'ann' }],
  });
});

afterAll(() => sandbox.close());

describe('a user who lacks several rights', () => {
  it('is told of all of them at once, and of those for reading where nothing else is done', async () => {
    const { exitCode, says } = failureOf(await meshctl(ENABLE));
    expect(exitCode).toBe(3);
    expect(says).toContain(
      'user "ann" lacks list, watch, create, patch, delete: configmaps, secrets; get, list, watch, create',
    );
    expect(says).toContain('deployments.apps');
    expect(says).toMatch(/and some on \d+ more resources\. To grant them all/);
    const looking = failureOf(await meshctl(STATUS));
    expect(looking.says).toContain(
      'needs to look at a cluster, user "ann" lacks list: secrets, pods; get: serviceaccounts',
    );
    const document = await meshctl([...STATUS, '-o', 'json']);
    const { details } = (JSON.parse(document.stdout) as { error: { details: unknown } }).error;
    expect((details as { missing: unknown[] }).missing).toContainEqual({
      apiGroup: '',
      resource: 'pods/exec',
      verbs: ['get', 'create'],
    });
  });

  it.each([
    ['clustermesh status', 'none of the rights that meshctl needs to look at a cluster'],
    ['clustermesh check', 'none of the rights that meshctl needs to look at a cluster'],
    ['clustermesh enable --dry-run', 'none of the rights that meshctl needs'],
    ['version', 'none of the rights that meshctl needs to look at a cluster'],
  ])('is told of all in each of several clusters: %s', async (command, words) => {
    const argv = [...command.split(' '), '--context', 'mesh-1,mesh-2', '--as', 'nobody'];
    const { stdout, stderr } = await runCli(argv, { env: { KUBECONFIG: sandbox.kubeconfigPath } });
    const says = `${stdout}${stderr}`.replaceAll(/\s+/g, ' ');
    expect(says.split(words)).toHaveLength(3);
    for (const context of ['mesh-1', 'mesh-2']) expect(says).toContain(`kubectl --context ${context} apply -f`);
    expect(says).not.toContain('this right alone');
  });

  it.each([
    ['templates/rbac/viewer', 'ann', STATUS],
    ['templates/rbac', 'bob', ENABLE],
    ['templates/rbac', 'zoe', ['clustermesh', 'invite', '--context', 'mesh-1']],
  ])('has them once what is printed was typed, and no more than it takes: %s', async (path, user, argv) => {
    const { exitCode, says } = failureOf(await few([...argv, '--as', user]));
    expect(exitCode).toBe(3);
    const folder = found(/apply -f (\S+)/.exec(says)?.[1], 'the folder');
    expect(folder).toBe(new URL(path, PACKAGE_ROOT).pathname);
    expect(says).toContain(`(on another machine with the path of ${path} in meshctl's package there)`);
    applyFolder(folder);
    bind(says, ['RoleBinding', 'Role'], 'kube-system');
    bind(says, ['ClusterRoleBinding', 'ClusterRole']);
    const { stdout, stderr, ...typed } = await few([...argv, '--as', user]);
    // Nothing is enabled yet.
    expect(typed.exitCode, `${stdout}${stderr}`).toBe(argv === ENABLE ? 0 : 1);
    expect(`${stdout}${stderr}`).not.toContain('may not');
  });
});

/** What is there already stays. */
function applyFolder(folder: string): void {
  const { store } = found(sandbox.clusters[0], 'mesh-1');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
    const object = parse(readFileSync(`${folder}/${file}`, 'utf8')) as KubeObject;
    if (!store.get(refOf(object))) store.create(object);
  }
}

it('has them also where Cilium is in another namespace', async () => {
  const { store } = found(sandbox.clusters[0], 'mesh-1');
  create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'cilium' } });
  create({
    kind: 'ClusterRoleBinding',
    metadata: { name: 'may-look' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'meshctl-viewer' },
    subjects: [{ kind: 'User', name: 'bea' }],
  });
  const argv = ['clustermesh', 'status', '--context', 'mesh-1', '-n', 'cilium', '--as', 'bea'];
  const { says } = failureOf(await runCli(argv, { env: { KUBECONFIG: sandbox.kubeconfigPath } }));
  expect(says).toMatch(/kubectl --context mesh-1 auth reconcile -f - && /);
  expect(says).toMatch(/templates\/rbac\/viewer\/\*role/);
  const [, from = '', to = '', folder = ''] = found(
    /: sed 's\/(.+?)\/(.+?)\/; s[^']*' (\S+)\/\*role\*\.yaml \| kubectl/.exec(says) ?? undefined,
    'sed',
  );
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  const lines = files.flatMap((file) => readFileSync(`${folder}/${file}`, 'utf8').split('\n'));
  const objects = parseAllDocuments(lines.map((line) => line.replace(new RegExp(from), to)).join('\n'));
  const namespaced = objects
    .map((one) => one.toJS() as KubeObject)
    .filter(({ metadata }) => metadata.namespace !== undefined);
  expect(namespaced.map(({ kind, metadata }) => `${kind} ${metadata.namespace}`).sort()).toEqual([
    'Role cilium',
    'RoleBinding cilium',
  ]);
  expect(objects).toHaveLength(4);
  for (const object of namespaced) store.create(object);
  bind(says, ['RoleBinding', 'Role'], 'cilium');
  const access = { user: 'bea', groups: [], verb: 'get', apiGroup: '', resource: 'secrets', namespace: 'cilium' };
  expect(authorizeByRoles(store, access)).toBeUndefined();
});

describe('a user with roles of their own, which lack what the clustermesh-apiserver is granted', () => {
  const APISERVER = { namespace: 'kube-system', name: 'clustermesh-apiserver' };
  const as = (...argv: readonly string[]) =>
    runCli([...argv, '--as', 'eve'], { env: { KUBECONFIG: sandbox.kubeconfigPath } });

  beforeAll(() => {
    const { store } = found(sandbox.clusters[0], 'mesh-1');
    store.update({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'cilium-config' }, (config) => {
      config.data = { ...(config.data as object), 'clustermesh-enable-mcs-api': 'true' };
    });
    for (const [file, binding] of [
      ['role', 'RoleBinding'],
      ['cluster-role', 'ClusterRoleBinding'],
    ] as const) {
      const text = readFileSync(new URL(`templates/rbac/${file}.yaml`, PACKAGE_ROOT), 'utf8');
      const role = parse(text) as KubeObject & { rules: { resources: string[] }[] };
      const metadata = { ...role.metadata, name: 'eve' };
      const rules = role.rules.filter(({ resources }) => !resources.includes('serviceexports'));
      create({ ...role, metadata, rules });
      const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: role.kind, name: 'eve' };
      create({ kind: binding, metadata, roleRef, subjects: [{ kind: 'User', name: 'eve' }] });
    }
  });

  it('is told so before anything is made, and has them once what is printed was typed', async () => {
    const { exitCode, says } = failureOf(await as('clustermesh', 'enable', '--context', 'mesh-1'));
    expect(exitCode).toBe(3);
    expect(says).toContain(
      'cannot apply ClusterRole clustermesh-apiserver: user "eve" lacks rights that it grants (get, list, watch: serviceexports.multicluster.x-k8s.io)',
    );
    const { store } = found(sandbox.clusters[0], 'mesh-1');
    expect(store.get({ apiVersion: 'v1', kind: 'Service', ...APISERVER })).toBeUndefined();
    const [, name = '', verbs = '', resource = ''] = found(
      /create clusterrole (\S+) --verb=(\S+) --resource=(\S+)/.exec(says) ?? undefined,
      'create clusterrole',
    );
    const [kind = '', ...group] = resource.split('.');
    create({
      kind: 'ClusterRole',
      metadata: { name },
      rules: [{ verbs: verbs.split(','), apiGroups: [group.join('.')], resources: [kind] }],
    });
    bind(says, ['ClusterRoleBinding', 'ClusterRole']);
    expect(await as('clustermesh', 'enable', '--context', 'mesh-1', '--dry-run=server')).toMatchObject({ exitCode: 0 });
    expect(await as('clustermesh', 'enable', '--context', 'mesh-1')).toMatchObject({ exitCode: 0 });
  });
});

describe('--all', () => {
  // Each reads more of a cluster than Ann may.
  it.each([
    'clustermesh status',
    'clustermesh status --wait --wait-duration 1s',
    'clustermesh check',
    'clustermesh certs list',
    'clustermesh certs rotate --dry-run',
    'clustermesh routes',
    'clustermesh firewall',
    'clustermesh graph',
    'clustermesh enable --dry-run',
    'clustermesh disable --dry-run',
    'clustermesh connect --dry-run',
    'clustermesh disconnect --dry-run',
    'service list',
    'service failover',
    'connectivity probe',
    'export',
  ])('names all that is lacking in every cluster at once: %s', async (line) => {
    const { exitCode, stdout, stderr } = await few([...line.split(' '), '--all', '--as', 'cleo']);
    const says = `${stdout}${stderr}`.replaceAll(/\s+/g, ' ');
    expect(exitCode, says).toBe(3);
    for (const context of ['mesh-1', 'mesh-2']) expect(says).toContain(`kubectl --context ${context} apply -f`);
    expect(says).not.toContain('this right alone');
  });
});
