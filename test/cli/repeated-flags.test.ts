/** A hint that has the operator's command typed again has the flags that they gave: without one, it would do something else. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONNECT } from '../../src/commands/clustermesh/connect/connect-spec.ts';
import { flagNamesOf } from '../../src/commands/options/shared-options.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { connect as connected, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { printedCommands } from '../support/printed-commands.ts';
import { found, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { saveObjects } from '../support/saved-objects.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;
let clusters: SandboxCluster[];
const PAIR = ['--context', 'mesh-1', '--destination-context', 'mesh-2'];

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
  clusters = sandbox.clusters.map((one) => found(one, 'a cluster'));
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2'));
  await meshctl.ok(connected('mesh-1', 'mesh-2'));
});

afterAll(() => sandbox.close());

/** Each flag that changes what is done, with a value. */
const CHANGING: Readonly<Record<string, readonly string[]>> = {
  '--destination-endpoint': ['--destination-endpoint', 'mesh-2=172.18.2.100:2379'],
  '--source-endpoint': ['--source-endpoint', '172.18.1.100:2379'],
  '--credentials': ['--credentials', 'per-peer'],
  '--skip-checks': ['--skip-checks', 'mesh-size'],
  '--no-proof': ['--no-proof'],
  '--no-rollback': ['--no-rollback'],
  '--wait-duration': ['--wait-duration', '9s'],
  '--yes': ['--yes'],
  '--dry-run': ['--dry-run'],
  '--probe': ['--probe'],
};
/** What names the clusters is repeated, too, or stands for what the hint is to change; a word that does nothing is free to go. */
const OTHERS = ['--context', '--destination-context', '--all', '--connection-mode', '--allow-mismatching-ca'];

it('every flag of connect is looked at', () => {
  const { options } = CONNECT;
  const own = options.filter((one) => !('group' in one) || one.group === 'run').map((one) => flagNamesOf(one));
  const isKnown = (names: readonly string[]) =>
    names.some(
      (name) =>
        name in CHANGING || OTHERS.includes(name) || /^(-o|--output|--destination-kubeconfig|--parallel)$/.test(name),
    );
  expect(own.filter((names) => !isKnown(names))).toEqual([]);
});

describe('a flag survives in what is printed to type connect again', () => {
  it.each<[state: string, mode: readonly string[], arrange: readonly string[] | undefined]>([
    ['where the other direction is to end first', ['--connection-mode', 'unicast'], undefined],
    [
      'where a connection stays one-way',
      [],
      ['disconnect', '--context', 'mesh-2', '--destination-context', 'mesh-1', '--connection-mode', 'unicast', '--yes'],
    ],
  ])('%s', async (_state, mode, arrange) => {
    const saved = saveObjects(clusters);
    if (arrange) await meshctl.ok(['clustermesh', ...arrange]);
    for (const [flag, words] of Object.entries(CHANGING)) {
      // By itself a connect that goes through is no longer in that state, and one that probes takes its time.
      const isDry = ['--dry-run', '--probe'].includes(flag) || mode.length > 0 ? [] : ['--dry-run'];
      if (flag === '--probe' && mode.length === 0) continue;
      // Then nothing is printed that would be typed after a disconnect.
      if (flag === '--dry-run' && mode.length > 0) continue;
      const result = await meshctl(['clustermesh', 'connect', ...PAIR, ...mode, ...words, ...isDry]);
      const again = printedCommands(result).filter(({ argv }) => argv[1] === 'connect');
      expect(again.length, `${flag}\n${result.stderr}`).toBeGreaterThan(0);
      for (const { line } of again) for (const word of [...words, ...isDry]) expect(line).toContain(word);
    }
    await saved.restore();
  });
});
