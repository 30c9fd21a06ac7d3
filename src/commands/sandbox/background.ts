import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
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
  /** The machine that it runs on: others may have the same home. */
  host?: string | undefined;
  /** When its process began, where that can be told: its number may be another one's after a restart. */
  begun?: string | undefined;
}

const UP_FILE = 'up.json';
const LOG_FILE = 'log';
const LOOK_INTERVAL_MS = 100;
const LONGEST_START_MS = 120_000;
const LONGEST_END_MS = 20_000;
/** `starttime`, after the program's name. */
const BEGINNING_FIELD = 19;

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
  await clearAway(world);
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
  const { pid } = process;
  const up: Omit<BackgroundSandbox, 'folder'> = { contexts, pid, host: hostname(), begun: await beginningOf(pid) };
  await writeFile(file, JSON.stringify(up), { mode: 0o600 });
  while (!signal.aborted && existsSync(file)) await clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => undefined);
}

/** For the sandbox itself, as its last deed: until then who ends it waits. */
export async function leaveFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** The sandboxes that run in the background. */
export async function sandboxesInBackground(world: Pick<World, 'env'>): Promise<BackgroundSandbox[]> {
  const all = await sandboxesLeft(world);
  const gone = await Promise.all(all.map(isGone));
  return all.filter((_, index) => !gone[index]);
}

/** Removes what is left of sandboxes whose process has ended without doing so, as by a restart of the machine. */
export async function clearAway(world: Pick<World, 'env'>): Promise<void> {
  const all = await sandboxesLeft(world);
  await Promise.all(all.map(async (sandbox) => (await isGone(sandbox)) && leaveFolder(sandbox.folder)));
}

async function sandboxesLeft(world: Pick<World, 'env'>): Promise<BackgroundSandbox[]> {
  const parent = sandboxesFolder(world);
  const names = await readdir(parent).catch(() => []);
  const found = await Promise.all(names.map((name) => sandboxIn(join(parent, name))));
  return found.flatMap((sandbox) => sandbox ?? []);
}

async function sandboxIn(folder: string): Promise<BackgroundSandbox | undefined> {
  try {
    const up = JSON.parse(await readFile(join(folder, UP_FILE), 'utf8')) as BackgroundSandbox;
    return { ...up, folder };
  } catch {
    // Not up yet, or on its way down; half a file is one that is being written.
    return undefined;
  }
}

/**
 * Ends a sandbox, and waits until nothing of it is left. What a process that is gone has left behind is removed.
 * @throws MeshctlError `SandboxFailed` where it goes on
 */
export async function endInBackground({ clock, signal }: World, sandbox: BackgroundSandbox): Promise<void> {
  const { folder, pid } = sandbox;
  await rm(join(folder, UP_FILE), { force: true });
  const deadline = clock.ms() + LONGEST_END_MS;
  while (existsSync(folder)) {
    if (await isGone(sandbox)) return leaveFolder(folder);
    if (clock.ms() > deadline) {
      throw new MeshctlError(
        'SandboxFailed',
        `the sandbox of process ${pid} has not ended; its files are in ${folder}`,
      );
    }
    await clock.sleep(LOOK_INTERVAL_MS, signal);
  }
}

/** Whether a sandbox's process is known to be gone. What runs on another machine cannot be seen from here. */
async function isGone({ pid, host, begun }: BackgroundSandbox): Promise<boolean> {
  // A former version did not write it down.
  if (host !== undefined && host !== hostname()) return false;
  return !isRunning(pid) || (begun !== undefined && (await beginningOf(pid)) !== begun);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** What no other process of that number has: when it began since which start of the machine. Only Linux tells (proc(5)). */
async function beginningOf(pid: number): Promise<string | undefined> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name of the program, which comes second and in brackets, may hold anything.
    const [start] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(BEGINNING_FIELD);
    return `${boot.trim()} ${start}`;
  } catch {
    return undefined;
  }
}
