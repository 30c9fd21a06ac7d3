import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { COMMANDS } from '../../src/commands/registry.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { runCli } from '../support/cli.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { meshText } from '../support/mesh-files.ts';
import { untilHealthy } from '../support/open-look.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';
import { addService } from '../support/service-clusters.ts';

/** The role of those who only look lets them run every command that only looks, and see all of it. */
let mesh: ConnectedMesh;

const FILES = ['role', 'cluster-role', 'role-binding', 'cluster-role-binding'];
const AS_VIEWER = ['--as', 'vic', '--as-group', 'meshctl-viewers'];
const BOTH = '--context mesh-1,mesh-2';

const LINES: readonly string[] = [
  `version ${BOTH}`,
  `clustermesh status ${BOTH}`,
  'clustermesh status --all --wait',
  `clustermesh check ${BOTH} --wait`,
  `clustermesh check --pre ${BOTH}`,
  `clustermesh certs list ${BOTH}`,
  'clustermesh invitations list --context mesh-1',
  `clustermesh routes ${BOTH}`,
  `clustermesh graph ${BOTH} -o svg`,
  `clustermesh firewall ${BOTH}`,
  'clustermesh helm-values --context mesh-1',
  'clustermesh inspect-policy-default-local-cluster --context mesh-1',
  'clustermesh inspect-policy-default-local-cluster --context mesh-1 -A',
  `service list ${BOTH}`,
  `service describe default/web ${BOTH}`,
  `service failover ${BOTH} --drained --require-survivable`,
  `export ${BOTH}`,
  'diff -f -',
];

/** They make workloads, or run programs of their own in agents. */
const OF_OTHERS = ['connectivity test', 'connectivity probe'];

const MESH = meshText({
  clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }],
  topology: { type: 'mesh' },
  services: [{ namespace: 'default', name: 'web' }],
});

const as = (who: readonly string[], line: string) =>
  runCli([...line.split(' '), ...who], { env: { KUBECONFIG: mesh.sandbox.kubeconfigPath }, input: MESH });

const loaded = (path: string) => parse(readFileSync(new URL(`templates/rbac/${path}.yaml`, PACKAGE_ROOT), 'utf8'));

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
}

/** Each right by itself. */
function rightsOf(path: string): string[] {
  const { rules } = loaded(path) as { rules: Rule[] };
  return rules.flatMap(({ apiGroups, resources, verbs, resourceNames = [''] }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) => resourceNames.map((name) => `${verb} ${resource}.${group} ${name}`.trim())),
      ),
    ),
  );
}

beforeAll(async () => {
  mesh = await startConnectedMesh({ nodes: 1 });
  for (const { store } of mesh.sandbox.clusters) {
    addService(store, 'web', { ready: 1 });
    for (const file of FILES) store.create(loaded(`viewer/${file}`) as KubeObject);
    // With it the clustermesh-apiserver is granted most.
    store.update({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'cilium-config' }, (config) => {
      config.data = { ...(config.data as object), 'clustermesh-enable-mcs-api': 'true' };
    });
  }
  await untilHealthy(mesh.sandbox, ['mesh-1', 'mesh-2']);
});

afterAll(() => mesh?.sandbox.close());

it('is tried with every command that only looks', () => {
  const looking = COMMANDS.filter(
    ({ reachesClusters, options }) => reachesClusters && !options.some(({ flags }) => /--(yes|dry-run)\b/.test(flags)),
  ).map(({ path }) => path.join(' '));
  const untried = looking.filter((path) => !LINES.some((line) => line.startsWith(path)));
  expect(untried.sort()).toEqual([...OF_OTHERS].sort());
});

it.each(LINES)('lets look: meshctl %s', async (line) => {
  const seen = await as(AS_VIEWER, line);
  const { exitCode, stdout, stderr } = await as([], line);
  expect({ exitCode: seen.exitCode, stderr: seen.stderr }).toMatchObject({ exitCode });
  // As whoever may do all sees it, but for times and hints that name the viewer.
  const bare = (text: string) =>
    text.replaceAll(/ --(kube-as-user|as) vic --(kube-)?as-group meshctl-viewers/g, '').replaceAll(/\d+/g, 'N');
  expect(bare(seen.stdout)).toBe(bare(stdout));
  expect(`${seen.stdout}${seen.stderr}`).not.toMatch(/forbidden|may not|no right to|lacks/i);
  expect(`${stdout}${stderr}`).not.toBe('');
});

it.each(['role', 'cluster-role'])('lets change nothing, and is a part of what operators may: %s', (file) => {
  const rights = rightsOf(`viewer/${file}`);
  const writing = rights.filter((right) => !/^(get|list) /.test(right));
  // Kubernetes asks for `create` although nothing is made.
  expect(writing).toEqual(file === 'role' ? ['create pods/exec.', 'create pods/portforward.'] : []);
  const operators = [...rightsOf(file), ...(file === 'role' ? [] : rightsOf('role'))];
  expect(rights.filter((right) => !operators.includes(right))).toEqual([]);
});

describe('who may only look', () => {
  it.each([
    'clustermesh enable --context mesh-1 --replicas 2 --yes',
    'clustermesh disconnect --context mesh-1 --destination-context mesh-2 --yes',
    'clustermesh invite --context mesh-1',
  ])('changes nothing, and is told of the operators’ roles: meshctl %s', async (line) => {
    const { exitCode, stdout, stderr } = await as(AS_VIEWER, line);
    expect(exitCode, `${stdout}${stderr}`).toBe(3);
    expect(`${stdout}${stderr}`.replaceAll(/\s+/g, ' ')).toMatch(/apply -f \S+\/templates\/rbac &&/);
  });
});
