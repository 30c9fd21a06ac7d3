import { access, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { SYSTEM_CLOCK } from '../../src/cli/terminal/system-clock.ts';
import type { CommandContext } from '../../src/commands/command.ts';
import { run } from '../../src/commands/sandbox/up.ts';
import { CHECKOUT } from '../support/schemas.ts';

const plain: CommandContext['theme'] = { bold: same, dim: same, ok: same, warn: same, fail: same };
const ended = () => undefined;
const quiet: CommandContext['progress'] = {
  start: () => ({ update: ended, tick: ended, done: ended, fail: ended, stop: ended }),
  warn: ended,
  info: ended,
};

function same(text: string): string {
  return text;
}

it('runs clusters until it is aborted, says how to reach them and what is simulated, and leaves nothing behind', async () => {
  const abort = new AbortController();
  let output = '';
  const context: CommandContext = {
    progress: quiet,
    again: () => '',
    againWithout: () => '',
    interactive: false,
    screenRows: () => undefined,
    print(text) {
      output += text;
      if (output.includes('Ctrl-C')) up();
    },
    confirm: async () => false,
    canAsk: false,
    readInput: async () => '',
    theme: plain,
    env: {},
    cwd: tmpdir(),
    kubeconfigs: new Map(),
    leftOut: new Map(),
    silentServers: new Set(),
    work: { hasBegun: false },
    leaveUnnamed: () => undefined,
    reachBy: () => undefined,
    sawClock: () => undefined,
    client: { version: 'test', node: 'test' },
    userAgent: 'test',
    installation: CHECKOUT,
    now: () => new Date(),
    aheadMs: () => 0,
    clock: SYSTEM_CLOCK,
    signal: abort.signal,
    runCommand: async () => 0,
    verbosity: 0,
    debugLog: ended,
  };
  let up: () => void = ended;
  const isUp = new Promise<void>((done) => {
    up = done;
  });
  const running = run(context, { clusters: 2, nodes: 1, ciliumVersion: '1.20.0', detach: false });
  await isUp;
  const kubeconfig = /kubeconfig +(\S+)/.exec(output)?.[1] ?? '';
  const directory = dirname(kubeconfig);
  expect((await stat(kubeconfig)).isFile()).toBe(true);
  const demo = parseAllDocuments(await readFile(join(directory, 'rebel-base.yaml'), 'utf8'));
  expect(demo.map((document) => document.get('kind'))).toEqual(['Service', 'Deployment', 'Deployment']);
  expect(output.replaceAll(directory, 'DIR')).toMatchInlineSnapshot(`
    "kubeconfig  DIR/kubeconfig.yaml
    contexts    mesh-1, mesh-2

    Real: API servers, objects, certificates and the TLS handshakes between the clusters.
    Simulated: etcd, Cilium’s programs, kubelets and the network.

    In another terminal:
      export KUBECONFIG=DIR/kubeconfig.yaml
      meshctl clustermesh enable --context mesh-1,mesh-2
      meshctl clustermesh connect --context mesh-1 --destination-context mesh-2
      kubectl --context mesh-1 apply -f DIR/rebel-base.yaml
      kubectl --context mesh-2 apply -f DIR/rebel-base.yaml
      meshctl clustermesh status --context mesh-1,mesh-2 --wait

    Ctrl-C ends the clusters.
    "
  `);
  abort.abort();
  expect(await running).toMatchObject({ kind: 'Sandbox' });
  await expect(access(directory)).rejects.toMatchObject({ code: 'ENOENT' });
});

const usage = (options: object) =>
  run({ theme: plain } as CommandContext, { nodes: 1, ciliumVersion: '1.20.0', detach: false, ...options });

it.each([
  [{ provider: ['gke', 'nowhere'] }, 'There are: gke, eks, aks, kind, bare-metal'],
  [{ provider: ['gke', 'eks'], clusters: 3 }, 'Name one for all, or one for each cluster.'],
])('takes a provider for all clusters, or one for each: %j is refused', async (options, hint) => {
  await expect(usage(options)).rejects.toMatchObject({ code: 'Usage', hint: expect.stringContaining(hint) });
});
