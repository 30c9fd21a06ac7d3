import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { COMMAND_ALIASES, COMMAND_GROUPS, COMMANDS } from '../../src/commands/registry.ts';
import { runCli } from '../support/cli.ts';
import { type InstalledMeshctl, installMeshctl } from '../support/installed.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';

const COLUMNS = 80;
/** What a shell runs for a key. */
const TAB = ['__complete', '--', 'clustermesh', 'status'];

async function textOf(...argv: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runCli(argv, { columns: COLUMNS, isTty: true });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

describe('help', () => {
  it('names every group of commands, and its short name', async () => {
    const text = await textOf('--help');
    for (const [group, description] of Object.entries(COMMAND_GROUPS)) {
      const alias = COMMAND_ALIASES[group];
      const path = group.split(' ');
      const parent = await textOf(...path.slice(0, -1), '--help');
      expect(parent).toContain(`  ${path.at(-1)}${alias ? `|${alias}` : ''} `);
      expect(parent).toContain(description);
    }
    expect(await textOf('help')).toBe(text);
  });

  it('is the same after help as before --help, for each command', async () => {
    for (const { path } of COMMANDS) expect(await textOf('help', ...path)).toBe(await textOf(...path, '--help'));
    expect(await runCli(['help', 'clustermesh', 'nope'])).toMatchObject({ exitCode: 2 });
  });

  it('is an error where a command is missing, and is shown all the same', async () => {
    const { exitCode, stdout, stderr } = await runCli([]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain('Usage: meshctl [options] [command]');
    expect(stderr).toMatch(/✖ a command is missing\n/);
  });

  it('tells the version', async () => {
    const { version } = JSON.parse(await readFile(new URL('package.json', PACKAGE_ROOT), 'utf8')) as {
      version: string;
    };
    expect(await textOf('--version')).toBe(`${version}\n`);
  });

  it.each(COMMANDS.map((command) => [command.path.join(' '), command] as const))('of %s', async (line, command) => {
    const text = await textOf(...command.path, '--help');
    const words = (command.arguments ?? []).map(({ name, optional }) => (optional ? ` [${name}]` : ` <${name}>`));
    expect(text).toContain(`Usage: meshctl ${line} [options]${words.join('')}\n`);
    const flags = command.options.filter(({ hidden }) => !hidden).map((option) => option.flags);
    const shared = command.reachesClusters ? ['--kubeconfig <path>', '-n, --namespace <namespace>'] : [];
    for (const flag of [...flags, ...shared, '--debug', '-h, --help']) expect(text).toContain(`  ${flag} `);
    for (const example of command.examples ?? []) {
      expect(text).toContain(`  # ${example.what}\n  ${example.line}\n`);
    }
    const [described = ''] = text.split('\nExamples:');
    expect(described.split('\n').filter((row) => row.length > COLUMNS)).toEqual([]);
  });
});

describe('the installed program', () => {
  let root: string;
  let installed: InstalledMeshctl;

  beforeAll(async () => {
    installed = await installMeshctl();
    root = installed.root;
  });

  afterAll(() => installed.remove());

  const start = (args: readonly string[], options: { nodeOptions?: string[]; env?: Record<string, string> } = {}) =>
    execa(process.execPath, [...(options.nodeOptions ?? []), installed.entry, ...args], {
      reject: false,
      extendEnv: false,
      env: { HOME: root, ...options.env },
      cwd: root,
    });

  /** The npm packages that a command line loads: Node's own coverage tells the files, the build what is in them. */
  async function packagesLoadedBy(...args: string[]): Promise<{ exitCode: number | undefined; packages: Set<string> }> {
    const coverage = await mkdtemp(join(root, 'coverage-'));
    const { exitCode } = await start(args, { env: { NODE_V8_COVERAGE: coverage } });
    const [report] = await readdir(coverage);
    const { result } = JSON.parse(await readFile(join(coverage, report ?? ''), 'utf8')) as {
      result: { url: string }[];
    };
    const loaded = result
      .filter(({ url }) => url.startsWith('file:'))
      .map(({ url }) => relative(root, fileURLToPath(url)));
    expect(loaded).toContain('dist/main.cjs');
    const modules = loaded.flatMap((file) => installed.modules[relative('dist', file)] ?? []);
    const packages = modules.flatMap((module) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(module)?.[1] ?? []);
    return { exitCode, packages: new Set(packages) };
  }

  it.each([[['--help']], [['clustermesh', 'connect', '--help']], [['--version']], [TAB], [[...TAB, '-o', '']]])(
    'loads next to nothing for %j',
    async (argv) => {
      const { exitCode, packages } = await packagesLoadedBy(...argv);
      expect(exitCode).toBe(0);
      expect([...packages].sort()).toEqual(['commander']);
    },
  );

  it('loads only what reads a kubeconfig to complete a context', async () => {
    const { packages } = await packagesLoadedBy(...TAB, '--context', '');
    // Of client-node the types of a kubeconfig: all of it would bring its own dependencies.
    expect([...packages].sort()).toEqual(['@kubernetes/client-node', 'commander', 'yaml']);
  });

  it('has of other packages no more than it needs: of forge ASN.1, of client-node credentials', () => {
    const modules = Object.values(installed.modules).flat();
    const forge = modules.flatMap((module) => /node_modules\/node-forge\/lib\/(.+)\.js$/.exec(module)?.[1] ?? []);
    expect(forge.sort()).toEqual(['asn1', 'baseN', 'forge', 'oids', 'util']);
    expect(modules.filter((module) => /node_modules\/(js-yaml|node-fetch|whatwg-url)\//.test(module))).toEqual([]);
  });

  it.each([
    [undefined, false],
    ['http://127.0.0.1:9', true],
  ])('loads all of client-node only for proxies and auth providers: proxy-url %s', async (proxyUrl, isLoaded) => {
    const kubeconfig = join(root, `kubeconfig-${isLoaded}.json`);
    const cluster = { server: 'https://127.0.0.1:9', ...(proxyUrl === undefined ? {} : { 'proxy-url': proxyUrl }) };
    const document = {
      contexts: [{ name: 'one', context: { cluster: 'one', user: 'one' } }],
      clusters: [{ name: 'one', cluster }],
      users: [{ name: 'one', user: { token: 't0' } }],
    };
    await writeFile(kubeconfig, JSON.stringify(document));
    const status = ['clustermesh', 'status', '--context', 'one', '--kubeconfig', kubeconfig];
    const { exitCode, packages } = await packagesLoadedBy(...status);
    expect(exitCode).toBe(3);
    for (const name of ['hpagent', 'openid-client', 'socks']) expect(packages.has(name), name).toBe(isLoaded);
  });

  it('loads what a command needs when it runs', async () => {
    const { exitCode, packages } = await packagesLoadedBy('clustermesh', 'status');
    expect(exitCode).toBe(2);
    expect([...packages]).toEqual(expect.arrayContaining(['@kubernetes/client-node', 'yaml']));
  });

  it.each([
    ['json', (text: string) => JSON.parse(text)],
    ['yaml', (text: string) => parse(text)],
  ])('prints one document of a failure with -o %s', async (format, read) => {
    const { exitCode, stdout, stderr } = await start(['clustermesh', 'status', '-o', format]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: '' });
    expect(read(stdout)).toMatchObject({ kind: 'Error', error: { code: 'KubeconfigMissing' } });
  });

  const preload = (code: string) => ['--import', `data:text/javascript,${encodeURIComponent(code)}`];

  it('says that it ended in the middle of its work, where nothing is left that could go on', async () => {
    const nodeOptions = preload('process.stdout.write = () => true;');
    const { exitCode, stderr } = await start(['--version'], { nodeOptions });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 70,
      stderr: expect.stringContaining('in the middle of its work'),
    });
  });

  it.each(['18.20.4', '20.18.3'])('refuses Node.js %s in a sentence', async (version) => {
    const pretend =
      `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } });` +
      `Object.defineProperty(process, "version", { value: "v${version}" });`;
    const { exitCode, stdout, stderr } = await start(['--help'], { nodeOptions: preload(pretend) });
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 2,
      stdout: '',
      stderr: `meshctl needs Node.js 20.19 or newer; this is v${version}. See https://nodejs.org`,
    });
  });
});
