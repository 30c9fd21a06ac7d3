import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Two even where there are only two cores: tests wait for pods and sockets more than they compute.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
