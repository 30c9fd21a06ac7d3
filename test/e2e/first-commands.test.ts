/** What is printed in a state is not refused in that very state: each way, typed as it is printed, from its first command on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMAND_LINES } from '../../src/mesh/command-line.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { jsonOf } from '../support/cli.ts';
import { BOTH, type FaultMesh, ONE, startFaultMesh, TWO } from '../support/fault-mesh.ts';
import { dropSecret } from '../support/fault-parts.ts';
import { isLook, printedCommands } from '../support/printed-commands.ts';
import { refsOf } from '../support/sandbox-mesh.ts';
import { textOf } from '../support/verdicts.ts';

let mesh: FaultMesh;
beforeAll(async () => {
  mesh = await startFaultMesh();
});
afterAll(() => mesh.close());

const PEERS = ['cilium-kvstoremesh', 'cilium-clustermesh'];
const run = async (...argv: string[]) => {
  const result = await mesh.meshctl(['clustermesh', ...argv]);
  expect(result.exitCode, `${argv.join(' ')}\n${textOf(result)}`).toBe(0);
};
const disable = (context: string) => run('disable', '--context', context, '--disconnect=false', '--yes');
const part = (context: string, peer: string) => run('disconnect', '--context', context, '--peer', peer, '--yes');
const oneWay = () =>
  run('disconnect', '--context', TWO, '--destination-context', ONE, '--connection-mode', 'unicast', '--yes');
const dropServer = (cluster: SandboxCluster) =>
  cluster.store.delete(refsOf(cluster).deployment('clustermesh-apiserver'));
const dropFiles = (cluster: SandboxCluster) => {
  for (const name of PEERS) dropSecret(cluster, name);
};

/** Every hint of a document. */
function hintsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(hintsIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, entry]) =>
    ['hint', 'next', 'mend'].includes(key) && typeof entry === 'string' ? [entry] : hintsIn(entry),
  );
}

/** The ways that hints tell, each as the commands to type; what only looks, or leaves something to fill in, is none. */
function waysIn(hints: readonly string[]): string[][] {
  const ways = hints.flatMap((hint) => hint.split(/; (?:or\b|if\b)/)).map((way) => way.match(COMMAND_LINES) ?? []);
  const changing = ways
    .map((lines) => lines.filter((line) => line.startsWith('meshctl ') && !line.includes('<')))
    .map((lines) =>
      lines.filter((line) => printedCommands({ stdout: `→ ${line}`, stderr: '' }).some((one) => !isLook(one))),
    )
    .filter((lines) => lines.length > 0);
  return [...new Map(changing.map((lines) => [lines.join(' && '), lines])).values()];
}

describe('what is printed is not refused where', () => {
  it.each<[what: string, arrange: () => unknown]>([
    ['a peer was disabled, and is dialled still', () => disable(TWO)],
    [
      'a peer has parted, and was disabled',
      async () => {
        await part(TWO, 'mesh-1');
        await disable(TWO);
      },
    ],
    [
      'who dials one-way was disabled',
      async () => {
        await oneWay();
        await disable(ONE);
      },
    ],
    [
      'who is dialled one-way was disabled',
      async () => {
        await oneWay();
        await disable(TWO);
      },
    ],
    ['a peer has no clustermesh-apiserver', () => dropServer(mesh.two)],
    [
      'a peer has lost its half and its clustermesh-apiserver',
      () => {
        dropFiles(mesh.two);
        dropServer(mesh.two);
      },
    ],
    [
      'a cluster has lost its half and its clustermesh-apiserver',
      () => {
        dropFiles(mesh.one);
        dropServer(mesh.one);
      },
    ],
    [
      'a peer has parted, and has no clustermesh-apiserver',
      async () => {
        await part(TWO, 'mesh-1');
        await dropServer(mesh.two);
      },
    ],
    [
      'a peer has lost its server certificate and its half',
      () => {
        dropFiles(mesh.two);
        dropSecret(mesh.two, 'clustermesh-apiserver-server-cert');
      },
    ],
    ['both were disabled', () => disable(BOTH)],
    ['a peer does not answer', () => mesh.shutDown(mesh.two)],
    [
      'a peer has lost its half and does not answer',
      () => {
        dropFiles(mesh.two);
        mesh.shutDown(mesh.two);
      },
    ],
  ])('%s', async (what, arrange) => {
    // Of one that does not answer there may be nothing to type.
    const isAnswering = !what.includes('does not answer');
    await mesh.restore();
    await arrange();
    const looks = [BOTH, ONE, TWO].flatMap((context) =>
      ['status', 'check'].map((command) => mesh.meshctl(['clustermesh', command, '--context', context, '-o', 'json'])),
    );
    const printed = (await Promise.all(looks)).filter(({ stdout }) => stdout.startsWith('{'));
    const ways = waysIn(printed.flatMap((result) => hintsIn(jsonOf(result))));
    if (isAnswering) expect(ways.length).toBeGreaterThan(0);
    for (const lines of ways) {
      await mesh.restore();
      await arrange();
      for (const line of lines) {
        const [command] = printedCommands({ stdout: `→ ${line}`, stderr: '' });
        const result = await mesh.run(
          [...(command?.argv ?? []), '--wait-duration', '5s'].slice(0, /connect|enable/.test(line) ? undefined : -2),
        );
        expect(result.exitCode, `${lines.join(' && ')}\n${line}\n${textOf(result)}`).toBe(0);
      }
    }
  });
});
