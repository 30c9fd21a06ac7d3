import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** A folder with nothing in it, outside of the checkout. */
export interface EmptyFolder {
  path: string;
  remove(): Promise<void>;
}

export async function emptyFolder(): Promise<EmptyFolder> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'meshctl-package-')));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Runs a program that was installed: in a folder of its own, with nothing of this checkout in its environment. */
export function runIn(folder: string, program: string, args: readonly string[], env: Record<string, string> = {}) {
  return execa(program, args, { cwd: folder, reject: false, extendEnv: false, env: { HOME: folder, ...env } });
}

/** What the article ends with. */
export const LAST_LINES = `✅ All 2 nodes are connected to all clusters
🔌 Cluster Connections:
  • mesh-1: 2/2 configured, 2/2 connected`;
