import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that run sandboxes for long. One that begins last would run alone, while the other cores have nothing to do. */
const LONG = /\/test\/(e2e|contract)\//;
/** They wait for pods, time limits and programs as long as they compute, the longest first: side by side they would leave cores idle. */
const WAITING = [
  'contract/writes-property',
  'cli/connectivity-test',
  'e2e/faults-serving',
  'e2e/faults-surroundings',
  'e2e/faults-nodes',
  'e2e/faults-dialing',
  'e2e/rbac',
  'cli/completion-shells',
  'contract/connect-faults',
  'cli/demo-clusters',
  'e2e/demo',
  'contract/etcd-tls',
  'contract/apiserver-kubectl',
  'packages/npm-package',
  'e2e/kubectl',
  'contract/sandbox-detach',
  'packages/action',
  'cli/completion',
].map((name) => `/test/${name}.test.ts`);
/** So many others begin between two of those that wait. */
const BETWEEN = 10;

/**
 * Sandboxes make garbage: in a small young generation much of it lives long enough to be moved. And tests call most functions a
 * few times: to optimise these costs more than it saves. V8 has a cheap compiler for that from Node 22 on, and these flags
 * before it.
 */
const V8_FLAGS = [
  '--max-semi-space-size=64',
  ...(Number.parseInt(process.versions.node, 10) < 22 ? ['--always-sparkplug', '--interrupt-budget=300000'] : []),
];

/** Begins with what takes longest, and spreads what waits among what computes. */
class Spread extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const placeOf = ({ moduleId }: TestSpecification) => WAITING.findIndex((path) => moduleId.endsWith(path));
    const waiting = sorted.filter((file) => placeOf(file) >= 0).sort((a, b) => placeOf(a) - placeOf(b));
    const isLong = ({ moduleId }: TestSpecification) => LONG.test(moduleId);
    const others = sorted.filter((file) => placeOf(file) < 0).sort((a, b) => Number(isLong(b)) - Number(isLong(a)));
    return waiting.flatMap((file, at) => [file, ...others.splice(0, at === 0 ? 0 : BETWEEN)]).concat(others);
  }
}

export default defineConfig({
  test: {
    globalSetup: ['test/setup/run-folders.ts'],
    setupFiles: ['test/setup/rsa-keys.ts', 'test/setup/in-process-api.ts', 'test/setup/in-process-etcd.ts'],
    // Only for what hangs: on a machine that has sixteen other things to do, all takes ten times as long.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 120_000 } },
    pool: 'forks',
    // Four even where there are only two cores: some tests wait for pods and programs. Each worker loads and compiles all of `src/` for
    // itself, so that six took a third more processor time than four (189 s and 147 s for 20 files of test/cli).
    maxWorkers: Math.max(4, availableParallelism() - 1),
    execArgv: V8_FLAGS,
    sequence: { sequencer: Spread },
    include: ['test/**/*.test.ts'],
    // Loading `src/` takes longer than most files; it keeps no state that one could leave to the next.
    isolate: false,
  },
});
