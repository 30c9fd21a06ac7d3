import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Tests of what `npm run dist` has made; no part of `npm test`, since that makes nothing of the kind. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../../', import.meta.url)),
    include: ['test/packages/**/*.dist.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
