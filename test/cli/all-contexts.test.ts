/** With --all no context of the kubeconfig drops out of the document without a word: it takes part, was not to be asked, or is left out. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { COMMANDS } from '../../src/commands/registry.ts';
import { jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import { connect, enable, type Meshctl } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { found, refs, type TestSandbox } from '../support/sandbox-mesh.ts';
import { schemaOf } from '../support/schemas.ts';
import { addService } from '../support/service-clusters.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;
let kubeconfig: string;

/** Each command that takes --all, with what else it needs. */
const LINES: readonly string[] = [
  'clustermesh status',
  'clustermesh check',
  'clustermesh check --pre',
  'clustermesh certs list',
  'clustermesh certs rotate --dry-run',
  'clustermesh invitations list',
  'clustermesh routes',
  'clustermesh firewall',
  'clustermesh graph',
  'clustermesh helm-values',
  'clustermesh enable --dry-run',
  'clustermesh disable --dry-run',
  'clustermesh connect --dry-run',
  'clustermesh disconnect --dry-run',
  'service list',
  'service describe default/web',
  'service failover',
  'service global default/web --dry-run',
  'connectivity probe --nodes 1',
  'connectivity test --settle-duration 1s',
  'export',
  'version',
];
/** What they print is another program's. */
const FOREIGN: readonly string[] = ['clustermesh helm-values'];
/** What it prints is a file. */
const FILE: readonly string[] = ['export'];
/** Its pods take a while, and their network is nothing to this. */
const SLOW: readonly string[] = ['connectivity test --settle-duration 1s'];

beforeAll(async () => {
  ({ sandbox, meshctl } = await startConnectedMesh({ clusters: 4, nodes: 1 }));
  await meshctl.ok(enable('mesh-3'));
  await meshctl.ok(connect('mesh-1', 'mesh-3'));
  await meshctl.ok(connect('mesh-2', 'mesh-3'));
  for (const { store } of sandbox.clusters) addService(store, 'web', { ready: 1 });
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2', 'mesh-3']);
  const config = parse(await readFile(sandbox.kubeconfigPath, 'utf8'));
  const [{ context }] = config.contexts;
  config.users.push({ name: 'stale', user: { token: 'expired' } });
  config.clusters.push({ name: 'down', cluster: { server: 'https://127.0.0.1:9' } });
  config.contexts.push(
    { name: 'alias', context },
    { name: 'torn', context: { ...context, user: 'nobody' } },
    { name: 'down', context: { ...context, cluster: 'down' } },
  );
  kubeconfig = join(dirname(sandbox.kubeconfigPath), 'all.yaml');
  await writeFile(kubeconfig, stringify(config));
  // mesh-3 loses Cilium, as by helm uninstall, and not what meshctl made; mesh-4 never was of the mesh.
  for (const name of ['mesh-3', 'mesh-4']) loseCilium(name);
});

afterAll(() => sandbox?.close());

function loseCilium(name: string): void {
  const { store } = found(
    sandbox.clusters.find((cluster) => cluster.name === name),
    name,
  );
  store.delete(refs.configMap('cilium-config'));
  store.delete({ ...refs.deployment('cilium'), kind: 'DaemonSet' });
}

const run = (line: string, ...more: string[]) =>
  meshctl([...line.split(' '), '--all', '--kubeconfig', kubeconfig, ...more]);

function propertiesOf({ kind }: Record<string, unknown>): string[] {
  return Object.keys((schemaOf(String(kind)).schema as { properties: object }).properties);
}

it('every command with --all is tried here', () => {
  const all = COMMANDS.filter(
    ({ path, options }) => options.some(({ flags }) => flags === '--all') && path[0] !== 'sandbox',
  );
  expect(all.map(({ path }) => path.join(' ')).filter((path) => !LINES.some((line) => line.startsWith(path)))).toEqual(
    [],
  );
});

describe('--all', () => {
  it.each(LINES.filter((line) => ![...FOREIGN, ...SLOW].includes(line)))(
    'names each context: meshctl %s',
    async (line) => {
      const result = await run(line, '-o', 'json');
      const document = jsonOf(result);
      expect(result.exitCode, result.stderr).not.toBe(0);
      if (!FILE.includes(line)) expect(propertiesOf(document), 'its schema').toContain('leftOut');
      const words = JSON.stringify(document).replaceAll('\\"', '"');
      for (const context of ['mesh-1', 'mesh-2', 'mesh-3', 'mesh-4', 'alias', 'torn', 'down']) {
        expect(words, context).toContain(`"${context}"`);
      }
    },
  );

  it.each(['clustermesh status', 'clustermesh check', 'clustermesh certs list', 'version'])(
    'takes a cluster that has lost Cilium for one that cannot be asked: meshctl %s',
    async (line) => {
      const document = jsonOf(await run(line, '-o', 'json'));
      const says = expect.stringMatching(
        /no Cilium in namespace kube-system any more; still there: Deployment kube-system\/clustermesh-apiserver/,
      );
      const hint = expect.stringContaining('cluster-name was "mesh-3", cluster-id was "3"');
      if (line !== 'clustermesh check') {
        expect(document.unreachable).toContainEqual({ context: 'mesh-3', code: 'CiliumMissing', message: says, hint });
      }
      expect(document.leftOut).toEqual(
        expect.arrayContaining([
          { context: 'alias', why: '"mesh-1" is the same cluster' },
          { context: 'mesh-4', why: 'no Cilium in namespace kube-system' },
          { context: 'torn', why: expect.stringContaining('"mesh-1" leads to the same server') },
        ]),
      );
      expect(document.leftOut).toHaveLength(3);
    },
  );

  it('says in an error too what is left out', async () => {
    const error = jsonOf(await run('service describe default/nothing', '-o', 'json'));
    expect(error).toMatchObject({ kind: 'Error', leftOut: { length: 3 } });
  });
});
