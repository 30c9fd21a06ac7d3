import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Tells a process from all others, also of other machines and containers: its number, and a digest of what numbers it, which are the
 * machine since it was started and the namespace of processes (Linux: proc(5), pid_namespaces(7)). Undefined where that is not known.
 */
export function processMark(pid = process.pid): string | undefined {
  const space = spaceOfProcesses();
  return space === undefined ? undefined : `${pid}@${space}`;
}

/**
 * Whether a process has ended that was on this machine, and in this container; false of any other one, of which nothing is known here.
 * @param mark of {@link processMark}
 */
export function hasEnded({ process: mark = '' }: { process?: string | undefined }): boolean {
  const [number = '', space] = mark.split('@');
  if (!/^[1-9]\d*$/.test(number) || space === undefined || space !== spaceOfProcesses()) return false;
  try {
    // Sends nothing, and asks whether it could be sent.
    process.kill(Number(number), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function spaceOfProcesses(): string | undefined {
  try {
    const machine = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return createHash('sha256')
      .update(`${machine} ${readlinkSync('/proc/self/ns/pid')}`)
      .digest('hex')
      .slice(0, 16);
  } catch {
    return undefined;
  }
}
