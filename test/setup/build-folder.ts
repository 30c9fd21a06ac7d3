import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where test files find the bundle that another one of the same run has built. */
    buildFolder: string;
  }
}

/** A folder of this run; nothing of it stays. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'meshctl-test-build-'));
  provide('buildFolder', folder);
  return () => rm(folder, { recursive: true, force: true });
}
