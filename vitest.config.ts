import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that run sandboxes for long. One that begins last would run alone, while the other cores have nothing to do. */
const LONG = /\/test\/(e2e|contract)\//;
/** They wait more than they compute, so others have their time. */
const LONGEST = /\/test\/(cli\/connectivity-test|contract\/writes-property)\.test\.ts$/;
/** What they put into the place of modules of `src/` would stay for the files that come after them. */
const WITH_OWN_MODULES = ['test/unit/rotation-model.test.ts'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification) => (LONGEST.test(moduleId) ? 0 : LONG.test(moduleId) ? 1 : 2);
    return sorted.sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    globalSetup: ['test/setup/run-folders.ts'],
    setupFiles: ['test/setup/rsa-keys.ts', 'test/setup/in-process-api.ts'],
    // Only for what hangs: on a machine that has sixteen other things to do, all takes ten times as long.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 120_000 } },
    pool: 'forks',
    // Four even where there are only two cores: tests wait for pods and sockets as long as they compute.
    maxWorkers: Math.max(4, availableParallelism() - 1),
    // Sandboxes make garbage: in a small young generation much of it lives long enough to be moved.
    execArgv: ['--max-semi-space-size=64'],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        // Loading `src/` takes longer than most files; it keeps no state that one could leave to the next.
        test: { name: 'files', include: ['test/**/*.test.ts'], exclude: WITH_OWN_MODULES, isolate: false },
      },
      { extends: true, test: { name: 'with own modules', include: WITH_OWN_MODULES, benchmark: { include: [] } } },
    ],
  },
});
