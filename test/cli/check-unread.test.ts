/** What `check` did not read is said: peers of other contexts, and agents beyond the first few. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import type { SandboxOptions } from '../../src/sandbox/options.ts';
import { jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import { connect, enable, type Meshctl } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { refs, type TestSandbox } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';
import { startTcpServer } from '../support/tcp-server.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;
const ALL = ['mesh-1', 'mesh-2', 'mesh-3'];
let fault: SandboxOptions['intercept'];

beforeAll(async () => {
  ({ sandbox, meshctl } = await startConnectedMesh({
    clusters: [{ nodes: 12 }, { nodes: 1 }, { nodes: 1 }],
    intercept: async (context, request) => fault?.(context, request),
  }));
  await meshctl.ok(enable('mesh-3'));
  await meshctl.ok(connect('mesh-1', 'mesh-3'));
  await untilHealthy(sandbox, ALL);
});

afterAll(() => sandbox.close());

const check = (...flags: string[]) => ['clustermesh', 'check', ...flags];

describe('peers whose clusters were not read', () => {
  const ONE_SIDED = '   Connections to these peers were read on one side only: ';

  it('are named once, with the command that reads them too, and that does', async () => {
    const { stdout } = await meshctl.ok(check('--context', 'mesh-1', '--category', 'peers'));
    expect(stdout).toContain(
      `${ONE_SIDED}mesh-2, mesh-3\n   → Read both: meshctl clustermesh check --context mesh-1,mesh-2,mesh-3`,
    );
    const whole = await meshctl.ok(check('--context', 'mesh-1,mesh-2,mesh-3', '--category', 'peers'));
    expect(whole.stdout).not.toContain(ONE_SIDED);
  });

  it('keep checks of both sides from passing for who has them, not for others', async () => {
    const report = jsonOf(await meshctl.ok(check('--context', 'mesh-1,mesh-2', '--category', 'peers', '-o', 'json')));
    expect(report).toMatchObject({
      passed: true,
      oneSided: { peers: ['mesh-3'], hint: 'Read both: meshctl clustermesh check --context mesh-1,mesh-2,mesh-3' },
    });
    const mutual = (report.checks as { id: string }[]).filter(({ id }) => id === 'peers-mutual');
    expect(mutual).toMatchObject([
      { severity: 'pass', args: { contexts: ['mesh-2'] } },
      { severity: 'skip', cluster: 'mesh-1', message: expect.stringContaining('mesh-3: not among the clusters') },
    ]);
  });

  it('are not spoken of where no check is about them, and are none of a whole mesh', async () => {
    for (const flags of [
      ['--context', 'mesh-1', '--category', 'tls'],
      ['--context', 'mesh-1', '--pre'],
      ['--all', '--category', 'peers'],
    ]) {
      expect((await meshctl(check(...flags))).stdout).not.toContain(ONE_SIDED);
    }
  });
});

describe('a peer to which no context leads', () => {
  const ALL_ANSWER = ['--all', '--category', 'peers'];
  let env: Record<string, string>;
  let alone: Record<string, string>;
  const kubeconfigOf = async (...contexts: string[]) => {
    const config = parse(await readFile(sandbox.kubeconfigPath, 'utf8'));
    config.contexts = config.contexts.filter(({ name }: { name: string }) => contexts.includes(name));
    const path = join(dirname(sandbox.kubeconfigPath), `${contexts.join('-')}.yaml`);
    await writeFile(path, stringify(config));
    return { KUBECONFIG: path };
  };
  beforeAll(async () => {
    [env, alone] = await Promise.all([kubeconfigOf('mesh-1', 'mesh-2'), kubeconfigOf('mesh-1')]);
  });

  it('passes where agents are connected to it, as it does for status, and is said to be read on one side', async () => {
    for (const [kubeconfig, peers] of [
      [env, 'mesh-3'],
      [alone, 'mesh-2, mesh-3'],
    ] as const) {
      const { stdout } = await meshctl.ok(check(...ALL_ANSWER), { env: kubeconfig });
      expect(stdout).toContain(`read on one side only: ${peers}\n`);
      expect(stdout).not.toContain('disconnect');
      const led = `No context leads to ${peers.replace(', ', ' and ')}, whose`;
      for (const [line, whose] of [
        ['status --all', 'connections were seen from one side only'],
        ['graph --all -o table', 'connections were seen from one side only'],
        ['certs list --all', 'own certificates are not listed'],
      ] as const) {
        const argv = ['clustermesh', ...line.split(' ')];
        const shown = await meshctl.ok(argv, { env: kubeconfig });
        expect(shown.stdout).toContain(`${led} ${whose}\n`);
        if (line.includes('graph')) continue;
        const document = jsonOf(await meshctl.ok([...argv, '-o', 'json'], { env: kubeconfig }));
        requireValid(document);
        expect(document).toMatchObject({ outside: peers.split(', ') });
      }
    }
  });

  it('is unseen where agents tell nothing of it: --all exits 3 as status does, and may leave it out', async () => {
    const slow = ['--node-timeout', '1ms'];
    const entriesOf = async (...flags: string[]) => {
      const report = await meshctl(check(...ALL_ANSWER, ...slow, ...flags, '-o', 'json'), { env });
      expect(report.exitCode, report.stdout).toBe(3);
      const { checks, ...rest } = jsonOf(report);
      return { rest, answers: (checks as { id: string }[]).filter(({ id }) => id === 'cluster-answers') };
    };
    const { rest, answers } = await entriesOf();
    const says = 'no context leads to "mesh-3", a peer of mesh-1: only one side of that connection was read';
    expect(answers).toMatchObject([{ unseen: true, message: says, hint: expect.not.stringContaining('disconnect') }]);
    expect(rest).toMatchObject({ passed: false });
    expect(rest).not.toHaveProperty('oneSided');
    expect(await entriesOf('--suppress', 'cluster-answers')).toMatchObject({
      answers: [],
      rest: { oneSided: { peers: ['mesh-3'] } },
    });
    expect((await meshctl(['clustermesh', 'status', '--all', ...slow], { env })).exitCode).toBe(3);
  });

  it('is theirs to read where it belongs to another owner', async () => {
    const { store } = sandbox.clusters[0] as (typeof sandbox.clusters)[number];
    const peers = refs.secret('cilium-clustermesh');
    const mark = (value?: string) =>
      store.update(peers, ({ metadata }) => {
        const { 'meshctl.io/joined.mesh-3': _former, ...others } = metadata.annotations ?? {};
        metadata.annotations = { ...others, ...(value ? { 'meshctl.io/joined.mesh-3': value } : {}) };
      });
    mark('invitation');
    try {
      const { stdout } = await meshctl.ok(check(...ALL_ANSWER), { env });
      expect(stdout).toContain('read on one side only: mesh-3');
    } finally {
      mark();
    }
  });
});

describe('what is asked for in vain', () => {
  const WAYS: [string, () => 'drop'][] = [
    ['may not be', () => refuse(403, 'Forbidden')],
    ['is cut off, as by a proxy that knows no upgrades', () => 'drop'],
    ['is not reached by the API server', () => refuse(503, 'ServiceUnavailable')],
  ];
  /** What is asked by which request, in these categories, and the checks that hang on it. */
  const ASKED: [string, string, category: string, ids: string[]][] = [
    ['etcd', 'portforward', 'identity,tls', ['identity-running', 'peer-identity', 'tls-users-made']],
    ['agents', 'exec', 'config,network', ['node-health', 'settings-running']],
    ['marks of runs', 'leases', 'versions', ['run-at-work']],
  ];
  const CASES = ASKED.flatMap(([what, ...asked]) =>
    WAYS.map(([why, answer]) => [what, why, ...asked, answer] as const),
  );

  it.each(CASES)(
    'leaves open what hangs on it: %s, where that %s',
    async (_what, _why, asked, category, ids, answer) => {
      fault = async (context, { resource, subresource = resource }) =>
        context === 'mesh-2' && subresource === asked ? answer() : undefined;
      try {
        const argv = check('--context', 'mesh-1,mesh-2', '--category', category);
        const report = await meshctl([...argv, '-o', 'json']);
        expect(report.exitCode, report.stdout).toBe(3);
        const { checks, passed } = jsonOf(report);
        const blind = (checks as { id: string; blind?: true; cluster?: string }[]).filter((one) => one.blind);
        expect(passed).toBe(false);
        expect(blind.map(({ id, cluster }) => `${cluster} ${id}`).sort()).toEqual(ids.map((id) => `mesh-2 ${id}`));
        const { stdout } = await meshctl(argv);
        expect(stdout).toContain(`${ids.length} could not be looked at`);
      } finally {
        fault = undefined;
      }
    },
  );

  function refuse(code: number, reason: string): never {
    throw new ApiError(code, reason, 'not now');
  }
});

describe('contexts that hang', () => {
  it('are looked at all at once for the names of peers, however many agents are asked at a time', async () => {
    let [open, most] = [0, 0];
    const silent = await startTcpServer((socket) => {
      most = Math.max(most, ++open);
      socket.resume().on('close', () => open--);
    });
    try {
      const config = parse(await readFile(sandbox.kubeconfigPath, 'utf8'));
      const names = ['one', 'two', 'three', 'four', 'five', 'six'];
      for (const name of names) {
        config.clusters.push({ name, cluster: { server: `http://127.0.0.1:${silent.port}` } });
        config.contexts.push({ name, context: { cluster: name, user: config.users[0].name } });
      }
      const path = join(dirname(sandbox.kubeconfigPath), 'hanging.yaml');
      await writeFile(path, stringify(config));
      const flags = ['--context', 'mesh-1', '--category', 'peers', '--parallel', '1', '--request-timeout', '5s'];
      const { stdout } = await meshctl(check(...flags), { env: { KUBECONFIG: path } });
      expect(stdout).toContain('Read both: meshctl clustermesh check --context mesh-1,mesh-2,mesh-3');
      expect(most).toBeGreaterThanOrEqual(names.length);
    } finally {
      await silent.close();
    }
  });
});

describe('agents that were not asked', () => {
  const flags = ['--context', 'mesh-1,mesh-2', '--category', 'network'];

  it('are counted beside what passes by the others', async () => {
    const { stdout } = await meshctl.ok(check(...flags));
    expect(stdout).toContain('√ nodes reach the nodes of other clusters (mesh-1: 10 of 12 agents asked)\n');
    const { stdout: junit } = await meshctl.ok(check(...flags, '-o', 'junit'));
    expect(junit).toContain('<system-out>mesh-1: 10 of 12 agents asked</system-out>');
  });
});
