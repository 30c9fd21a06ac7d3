import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that run sandboxes for minutes. One that begins last would run alone, while the other cores have nothing to do. */
const LONG = /\/test\/(e2e|contract)\//;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => LONG.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/key-folder.ts'],
    setupFiles: ['test/setup/rsa-keys.ts'],
    // Only for what hangs: on a machine that has sixteen other things to do, all takes ten times as long.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    pool: 'forks',
    // Three even where there are only two cores: tests wait for pods and sockets more than they compute.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
  },
});
