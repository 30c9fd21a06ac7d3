import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { MeshctlError } from '../../mesh/errors.ts';
import { printableSentence } from '../../views/printable.ts';
import type { CommandContext } from '../command.ts';

/**
 * Sandboxes that run in processes of their own. Each has a folder that only its owner can read, with its kubeconfig, its log
 * and a file that says that it is up. Taking that file away is what ends it: a number of a process may be another one's by
 * then.
 */
export interface BackgroundSandbox {
  folder: string;
  contexts: readonly string[];
  /** Of its process. */
  pid: number;
}

const UP_FILE = 'up.json';
const LOG_FILE = 'log';
const LOOK_INTERVAL_MS = 100;
const LONGEST_START_MS = 120_000;
const LONGEST_END_MS = 20_000;

type World = Pick<CommandContext, 'env' | 'clock' | 'signal' | 'installation'>;

/** Where the state of programs goes (XDG Base Directory Specification). */
function sandboxesFolder({ env }: Pick<World, 'env'>): string {
  return join(env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state'), 'meshctl', 'sandboxes');
}

/** The name of a sandbox, which is that of its folder. */
export function sandboxNameOf({ folder }: Pick<BackgroundSandbox, 'folder'>): string {
  return basename(folder);
}

/** The kubeconfig of a sandbox in the background. */
export function kubeconfigIn(folder: string): string {
  return join(folder, 'kubeconfig.yaml');
}

/**
 * Starts `sandbox up` in a process of its own, and waits until it is up.
 * @param words the flags of the sandbox
 * @throws MeshctlError `SandboxFailed` with what it said last; it does not run then
 */
export async function startInBackground(world: World, words: readonly string[]): Promise<BackgroundSandbox> {
  const parent = sandboxesFolder(world);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(parent, 'sandbox-'));
  const log = await open(join(folder, LOG_FILE), 'a', 0o600);
  const [program, ...first] = world.installation.command;
  const child = spawn(program, [...first, 'sandbox', 'up', '--background-folder', folder, ...words], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    cwd: folder,
    env: world.env,
    windowsHide: true,
  });
  let ended: string | undefined;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code, signal) => {
    ended ??= `it ended with ${signal ?? `status ${code}`}`;
  });
  try {
    const deadline = world.clock.ms() + LONGEST_START_MS;
    for (;;) {
      const sandbox = await sandboxIn(folder);
      if (sandbox) {
        child.unref();
        return sandbox;
      }
      if (ended === undefined && world.clock.ms() > deadline) ended = `it was not up in ${LONGEST_START_MS / 1000} s`;
      if (ended !== undefined) throw new MeshctlError('SandboxFailed', await lastWords(folder, ended));
      await world.clock.sleep(LOOK_INTERVAL_MS, world.signal);
    }
  } catch (error) {
    child.kill();
    await rm(folder, { recursive: true, force: true });
    throw error;
  } finally {
    await log.close();
  }
}

/** What a sandbox that did not come up has said of it. */
async function lastWords(folder: string, otherwise: string): Promise<string> {
  const log = await readFile(join(folder, LOG_FILE), 'utf8').catch(() => '');
  const failure = log.split('\n').findLast((line) => line.startsWith('✖'));
  return `the sandbox did not start: ${printableSentence(failure?.replace(/^✖ /, '') ?? otherwise)}`;
}

/** For the sandbox itself: says that it is up, and waits until it is told to end, or aborted. */
export async function runInBackground(
  { clock, signal }: World,
  folder: string,
  contexts: readonly string[],
): Promise<void> {
  const file = join(folder, UP_FILE);
  await writeFile(file, JSON.stringify({ contexts, pid: process.pid }), { mode: 0o600 });
  while (!signal.aborted && existsSync(file)) await clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => undefined);
}

/** For the sandbox itself, as its last deed: until then who ends it waits. */
export async function leaveFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** The sandboxes that run in the background, as far as their folders say. */
export async function sandboxesInBackground(world: Pick<World, 'env'>): Promise<BackgroundSandbox[]> {
  const parent = sandboxesFolder(world);
  const names = await readdir(parent).catch(() => []);
  const found = await Promise.all(names.map((name) => sandboxIn(join(parent, name))));
  return found.flatMap((sandbox) => sandbox ?? []);
}

async function sandboxIn(folder: string): Promise<BackgroundSandbox | undefined> {
  try {
    const { contexts, pid } = JSON.parse(await readFile(join(folder, UP_FILE), 'utf8')) as BackgroundSandbox;
    return { folder, contexts, pid };
  } catch {
    // Not up yet, or on its way down; half a file is one that is being written.
    return undefined;
  }
}

/**
 * Ends a sandbox, and waits until nothing of it is left. What a process that is gone has left behind is removed.
 * @throws MeshctlError `SandboxFailed` where it goes on
 */
export async function endInBackground({ clock, signal }: World, { folder, pid }: BackgroundSandbox): Promise<void> {
  await rm(join(folder, UP_FILE), { force: true });
  const deadline = clock.ms() + LONGEST_END_MS;
  while (existsSync(folder)) {
    if (!isRunning(pid)) return rm(folder, { recursive: true, force: true });
    if (clock.ms() > deadline) {
      throw new MeshctlError(
        'SandboxFailed',
        `the sandbox of process ${pid} has not ended; its files are in ${folder}`,
      );
    }
    await clock.sleep(LOOK_INTERVAL_MS, signal);
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
