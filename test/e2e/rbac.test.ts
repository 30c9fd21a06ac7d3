import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { KubeObject } from '../../src/mesh/kube-object.ts';
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { runCli } from '../support/cli.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';

/** The roles that the package ships, and nothing else, let an operator run every command that reaches clusters. */
const FOLDER = new URL('templates/rbac/', PACKAGE_ROOT);
const AS_OPERATOR = ['--as', 'ann', '--as-group', 'meshctl-operators'];
const BOTH = 'mesh-1,mesh-2';

let sandbox: Sandbox;
const as = (who: readonly string[], argv: readonly string[]) =>
  runCli([...argv, ...who], { env: { KUBECONFIG: sandbox.kubeconfigPath } });

beforeAll(async () => {
  sandbox = await startSandbox({ clusters: 2, nodes: 1 });
  for (const { store } of sandbox.clusters) {
    for (const file of readdirSync(FOLDER))
      store.create(parse(readFileSync(new URL(file, FOLDER), 'utf8')) as KubeObject);
    store.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      spec: { ports: [{ port: 80 }], selector: { app: 'web' } },
    });
  }
});
afterAll(() => sandbox.close());

const COMMANDS: readonly string[][] = [
  ['clustermesh', 'check', '--pre', '--context', BOTH],
  ['clustermesh', 'enable', '--context', BOTH, '--dry-run'],
  ['clustermesh', 'enable', '--context', BOTH],
  ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2'],
  ['clustermesh', 'status', '--context', 'mesh-1', '--wait'],
  ['clustermesh', 'status', '--context', BOTH, '--wait'],
  ['clustermesh', 'check', '--context', BOTH, '--wait'],
  ['clustermesh', 'routes', '--context', BOTH],
  ['clustermesh', 'graph', '--context', BOTH, '-o', 'svg'],
  ['clustermesh', 'certs', 'list', '--context', BOTH],
  ['clustermesh', 'certs', 'rotate', '--context', BOTH],
  ['clustermesh', 'inspect-policy-default-local-cluster', '--context', 'mesh-1'],
  ['service', 'global', 'default/web', '--context', BOTH],
  ['service', 'list', '--context', BOTH],
  ['service', 'describe', 'default/web', '--context', BOTH],
  ['service', 'failover', '--context', BOTH],
  ['clustermesh', 'helm-values', '--context', 'mesh-1'],
  ['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'],
  ['clustermesh', 'disable', '--context', 'mesh-1', '--yes'],
  ['clustermesh', 'disable', '--context', 'mesh-2', '--yes', '--keep-certificates'],
];

it.each(COMMANDS.map((argv) => [argv.join(' '), argv] as const))('an operator may: %s', async (_line, argv) => {
  const { exitCode, stderr } = await as(AS_OPERATOR, argv);
  expect(stderr).not.toMatch(/forbidden|is not allowed|may not|cannot (get|list|watch|create|patch|delete)/i);
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
});

it('and who is not an operator may not', async () => {
  const { exitCode, stderr } = await as(['--as', 'ann'], ['clustermesh', 'enable', '--context', 'mesh-1']);
  expect(exitCode).toBe(3);
  expect(stderr).toContain('"mesh-1"');
});
