import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where test files find the primes of the RSA keys that others of the same run have made. */
    keyFolder: string;
    /** Where test files find the bundle that another one of the same run has built. */
    buildFolder: string;
  }
}

/** Folders of this run; nothing of them stays. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const keys = await mkdtemp(join(tmpdir(), 'meshctl-test-keys-'));
  const build = await mkdtemp(join(tmpdir(), 'meshctl-test-build-'));
  provide('keyFolder', keys);
  provide('buildFolder', build);
  return async () => {
    for (const folder of [keys, build]) await rm(folder, { recursive: true, force: true });
  };
}
