import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { stateOf } from '../support/cluster-state.ts';
import { type ConnectClusters, isMeshWrite, startConnectClusters } from '../support/connect-clusters.ts';

/**
 * A program that reads the one document of an interrupted command learns of everything that is otherwise than before, and how it goes on,
 * whichever write it was interrupted at.
 */
let clusters: ConnectClusters;
const BOTH = ['--context', 'mesh-1,mesh-2'];
const PAIR = ['--context', 'mesh-1', '--destination-context', 'mesh-2'];

beforeAll(async () => {
  clusters = await startConnectClusters(2);
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

/** Runs a command, which is interrupted at its n-th write. */
async function cutAt(n: number, argv: readonly string[]) {
  const ctrlC = new AbortController();
  let writes = 0;
  clusters.fault = async (request) => {
    if (isMeshWrite(request) && ++writes === n) ctrlC.abort();
    return undefined;
  };
  const result = await clusters.meshctl([...argv, '-o', 'json'], { signal: ctrlC.signal });
  clusters.fault = undefined;
  return { ...result, writes };
}

/** How many of its writes a command is interrupted at: first, last, and so many between. */
const SAMPLES = Number(process.env.INTERRUPTED_RUNS ?? 3);

const ENABLE = ['clustermesh', 'enable', ...BOTH];
const CONNECT = ['clustermesh', 'connect', ...PAIR];

it.each<[what: string, argv: string[], before: string[][]]>([
  ['disable', ['clustermesh', 'disable', ...BOTH, '--yes'], []],
  ['enable', ENABLE, [['clustermesh', 'disable', ...BOTH, '--yes']]],
  ['enable of one', ['clustermesh', 'enable', '--context', 'mesh-1'], [['clustermesh', 'disable', ...BOTH, '--yes']]],
  ['connect', CONNECT, [ENABLE]],
  ['certs rotate', ['clustermesh', 'certs', 'rotate', ...BOTH], [CONNECT]],
  ['certs rotate --ca', ['clustermesh', 'certs', 'rotate', ...BOTH, '--ca', '--yes'], []],
  ['disconnect', ['clustermesh', 'disconnect', ...PAIR, '--yes'], []],
])('the document of an interrupted run names all that it has changed: %s', async (_what, argv, before) => {
  for (const words of before) expect(await clusters.meshctl(words)).toMatchObject({ exitCode: 0 });
  const begin = stateOf(clusters.clusters);
  const { writes, exitCode, stderr } = await cutAt(Number.POSITIVE_INFINITY, argv);
  expect(exitCode, stderr).toBe(0);
  expect(writes).toBeGreaterThan(1);
  const at = Array.from({ length: SAMPLES }, (_, index) => 1 + Math.round(((writes - 1) * index) / (SAMPLES - 1)));
  for (const n of new Set(at)) {
    begin.restore();
    const cut = await cutAt(n, argv);
    // All was done by then.
    if (cut.exitCode === 0) continue;
    expect(cut.exitCode, cut.stderr).toBe(130);
    const document = jsonOf(cut);
    const text = JSON.stringify(document);
    const others = begin.differences();
    for (const other of others) {
      const [context = '', , object = ''] = other.split(' ');
      expect(text, `write ${n}: ${other}`).toContain(context);
      expect(text, `write ${n}: ${other}`).toContain(object.split('/').at(-1));
    }
    if (others.length > 0) expect(text, `write ${n}: ${others.join('; ')}`).toMatch(/"(hint|mend)":"[^"]*meshctl /);
  }
  begin.restore();
  await clusters.meshctl(argv);
});
