import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { optionsOf } from '../../src/commands/options/shared-options.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { type CliOptions, failureOf, jsonOf, runCli } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import type { TestSandbox } from '../support/sandbox-mesh.ts';

/** The flags of every command, and what stands in for flags in the environment. */
let sandbox: TestSandbox;

const meshctl = (line: string, env: Record<string, string> = {}, options: CliOptions = {}) =>
  runCli(line.split(' '), { env: { KUBECONFIG: sandbox.kubeconfigPath, ...env }, ...options });
const contextsIn = async (line: string, env: Record<string, string>) => {
  const result = await meshctl(`${line} -o json`, env);
  return (jsonOf(result).clusters as { context: string }[]).map(({ context }) => context);
};

beforeAll(async () => {
  ({ sandbox } = await startConnectedMesh({ nodes: 1 }));
});

afterAll(async () => {
  await sandbox?.close();
});

describe('the environment', () => {
  it('names contexts, as a list too; a flag wins, --all leaves no place for it, and an empty one is none', async () => {
    expect(await contextsIn('version', { MESHCTL_CONTEXT: 'mesh-2' })).toEqual(['mesh-2']);
    expect(await contextsIn('version', { MESHCTL_CONTEXT: 'mesh-1,mesh-2' })).toEqual(['mesh-1', 'mesh-2']);
    expect(await contextsIn('version --context mesh-1', { MESHCTL_CONTEXT: 'mesh-2' })).toEqual(['mesh-1']);
    expect(await contextsIn('version', { MESHCTL_CONTEXT: '' })).toEqual(['mesh-1']);
    expect(await contextsIn('version --all', { MESHCTL_CONTEXT: 'mesh-2' })).toEqual(['mesh-1', 'mesh-2']);
    expect((await meshctl('version --client', { MESHCTL_CONTEXT: 'mesh-2' })).exitCode).toBe(0);
    const several = await meshctl('clustermesh connect --destination-context mesh-2', { MESHCTL_CONTEXT: 'a,b' });
    expect(several.exitCode).toBe(2);
    expect(several.stderr).toContain('MESHCTL_CONTEXT: "a,b" names several contexts');
  });

  it('names Cilium’s namespace, for commands too where -n is another one', async () => {
    const env = { CILIUM_NAMESPACE: 'cilium', MESHCTL_CONTEXT: 'mesh-1' };
    for (const line of ['clustermesh status', 'service list']) {
      const { exitCode, says } = failureOf(await meshctl(line, env));
      expect(exitCode).toBe(2);
      expect(says).toContain('context "mesh-1": no Cilium in namespace cilium; it is in kube-system');
    }
    expect((await meshctl('clustermesh status -n kube-system', env)).exitCode).toBe(0);
    const render = 'clustermesh render --cilium-version 1.20.0 --cluster-name mesh-1 --cluster-id 1';
    expect((await meshctl(render, env)).stdout).toContain('namespace: cilium\n');
  });

  it('names the namespace of services, but not against a name that has one', async () => {
    const env = { MESHCTL_NAMESPACE: 'shop', MESHCTL_CONTEXT: 'mesh-1' };
    expect(failureOf(await meshctl('service describe web', env)).says).toContain('shop/web');
    expect(failureOf(await meshctl('service describe other/web', env)).says).toContain('other/web');
    expect((await meshctl('service list -A', env)).exitCode).toBe(0);
    const inspect = 'clustermesh inspect-policy-default-local-cluster';
    expect((await meshctl(`${inspect} -A`, env)).exitCode).toBe(0);
    const wrong = await meshctl(inspect, { ...env, MESHCTL_NAMESPACE: 'X' });
    expect(failureOf(wrong)).toEqual({ exitCode: 2, says: expect.stringContaining('✖ MESHCTL_NAMESPACE: "X"') });
  });

  it('is named where its value is wrong', async () => {
    const { exitCode, says } = failureOf(await meshctl('clustermesh status', { CILIUM_NAMESPACE: 'X Y' }));
    expect({ exitCode, says }).toEqual({ exitCode: 2, says: expect.stringContaining('✖ CILIUM_NAMESPACE: "X Y"') });
  });

  it('stays out of help’s way, which names it where it counts', async () => {
    for (const spec of COMMANDS) {
      const { stdout } = await meshctl([...spec.path, '--help'].join(' '), { CILIUM_NAMESPACE: 'X Y' });
      for (const { env } of optionsOf(spec)) if (env) expect(stdout).toContain(`[$${env.name}]`);
    }
  });

  it('makes hints that are right in the same shell', async () => {
    const env = { MESHCTL_CONTEXT: 'mesh-1', CILIUM_NAMESPACE: 'kube-system' };
    const { exitCode, says } = failureOf(await meshctl('clustermesh disable --disconnect', env));
    expect(exitCode).toBe(2);
    const line = says.slice(says.lastIndexOf('meshctl ') + 'meshctl '.length).trim();
    expect((await meshctl(`${line} --dry-run`, env)).stdout).toContain('mesh-1');
    expect((await meshctl(`${line} --dry-run`, { MESHCTL_CONTEXT: 'mesh-1' })).exitCode).toBe(0);
  });
});

describe('flags of every command', () => {
  it('stand before the command too', async () => {
    expect(await contextsIn('--context mesh-2 version', {})).toEqual(['mesh-2']);
    expect(failureOf(await meshctl('--context nope -o text clustermesh status')).exitCode).toBe(2);
  });

  it('say more: what is changed and run in pods, every request, and with --debug stacks', async () => {
    const status = 'clustermesh status --context mesh-1';
    const [plain, once, twice] = await Promise.all([
      meshctl(status),
      meshctl(`${status} -v`),
      meshctl(`${status} -vv`),
    ]);
    const linesOf = ({ stderr }: { stderr: string }) => stderr.split('\n').filter((line) => / \d+ ms$/.test(line));
    expect(linesOf(plain)).toEqual([]);
    expect(linesOf(once).length).toBeGreaterThan(0);
    expect(linesOf(once).filter((line) => !/\/exec\?|\/portforward/.test(line))).toEqual([]);
    expect(linesOf(twice).length).toBeGreaterThan(linesOf(once).length);
    expect(linesOf(twice).join('\n')).toContain('/configmaps/cilium-config 200');
    const failed = await meshctl('clustermesh status --context nope -vv');
    expect(failed.stderr).not.toContain('    at ');
    expect((await meshctl('clustermesh status --context nope --debug')).stderr).toContain('    at ');
  });

  it('are taken as programs in Go write them, and by the names that others give them', async () => {
    expect(failureOf(await meshctl('clustermesh status --timeout 5')).says).toContain('--wait-duration: "5" is not');
    expect(await contextsIn('version --all=true', {})).toEqual(['mesh-1', 'mesh-2']);
    expect(await contextsIn('version --all=false', {})).toEqual(['mesh-1']);
  });

  it('say less: only warnings and errors', async () => {
    expect(await meshctl('clustermesh status --context mesh-1 -q')).toMatchObject({ exitCode: 0, stderr: '' });
    expect((await meshctl('clustermesh status --context mesh-1')).stderr).not.toBe('');
    expect((await meshctl('clustermesh status --context nope --quiet')).stderr).toMatch(/^✖ /);
  });

  it('colour always, never, or as the terminal is', async () => {
    const coloured = async (flags: string, options: CliOptions, env: Record<string, string> = {}) =>
      (await meshctl(`clustermesh certs list --context mesh-1${flags}`, env, options)).stdout.includes('\u001b[');
    expect(await coloured('', { isTty: true })).toBe(true);
    expect(await coloured('', { isTty: false })).toBe(false);
    expect(await coloured(' --color auto', { isTty: true }, { NO_COLOR: '1' })).toBe(false);
    expect(await coloured(' --color always', { isTty: false }, { NO_COLOR: '1' })).toBe(true);
    expect(await coloured(' --color=never', { isTty: true }, { FORCE_COLOR: '1' })).toBe(false);
    const error = await meshctl('clustermesh status --context nope --color always');
    expect(error.stderr).toContain('\u001b[');
    expect(failureOf(await meshctl('version --color pink')).exitCode).toBe(2);
  });
});

describe('help', () => {
  it('is wrapped at words at 60 columns', async () => {
    for (const { path } of COMMANDS) {
      const { stdout } = await meshctl([...path, '--help'].join(' '), {}, { columns: 60, isTty: true });
      const [described = ''] = stdout.split('\nExamples:');
      const lines = described.split('\n').slice(1);
      expect(lines.filter((line) => line.length > 60 && !/^ {2}\S+( \S+)*$/.test(line))).toEqual([]);
      const wide = (await meshctl([...path, '--help'].join(' '), {}, { columns: 400, isTty: true })).stdout;
      const wordsOf = (text: string) => text.split(/\s+/).join(' ');
      expect(wordsOf(stdout)).toBe(wordsOf(wide));
    }
  });

  it('of check lists every category with its checks, wrapped, and of nothing else', async () => {
    for (const columns of [60, 120]) {
      for (const line of ['clustermesh check --help', 'help clustermesh check', 'mesh check -h']) {
        const { stdout } = await meshctl(line, {}, { columns, isTty: true });
        const [, list = ''] = /Categories and their checks:\n(.*)\n\nExamples:/s.exec(stdout) ?? [];
        expect(list.split('\n').filter((row) => row.length > columns)).toEqual([]);
        const words = new Set(list.split(/[\s,]+/));
        for (const { id, category } of MESH_CHECKS) expect([...words]).toEqual(expect.arrayContaining([id, category]));
      }
    }
    expect((await meshctl('clustermesh status --help')).stdout).not.toContain('Categories');
  });

  it('has the flags that commands share in one order', async () => {
    // There --all means all sandboxes, or all rules, and chooses no contexts.
    const alike = COMMANDS.filter(({ path }) => !['sandbox down', 'sandbox mend'].includes(path.join(' ')));
    const orders = alike.map(({ path }) => meshctl([...path, '--help'].join(' ')));
    const shared = [
      '--output',
      '--quiet',
      '--verbose',
      '--debug',
      '--color',
      '--context',
      '--all',
      '--kubeconfig',
      '--as',
    ];
    for (const { stdout } of await Promise.all(orders)) {
      const found = shared
        .map((flag) => stdout.search(new RegExp(`^  (-\\w, )?${flag}(?=[ \n])`, 'm')))
        .filter((at) => at >= 0);
      expect(found).toEqual(found.toSorted((a, b) => a - b));
    }
  });
});
