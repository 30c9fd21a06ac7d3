import type { CiliumConfig, CiliumConfigKey } from '../../mesh/cilium/known-keys.ts';

/** An init container writes cilium-config there when the pod starts (`cilium-dbg build-config`); the agent reads it there. */
const STARTED_WITH = '/tmp/cilium/config-map';

/** The program in an agent's container that tells what it was started with, all of it at once: what is not set is no file. */
export function startedWithCommand(keys: readonly CiliumConfigKey[]): string[] {
  return ['grep', '-sH', '', ...keys.map((key) => `${STARTED_WITH}/${key}`)];
}

/** What of the keys that were asked for an agent was started with, by what the program printed. */
export function startedWithIn(stdout: string): CiliumConfig {
  const lines = stdout.split('\n').flatMap((line): [string, string][] => {
    const [path = '', ...value] = line.split(':');
    return path.startsWith(`${STARTED_WITH}/`) ? [[path.slice(STARTED_WITH.length + 1), value.join(':')]] : [];
  });
  return Object.fromEntries(lines);
}

/** The number that one of them is; undefined where it is none, or was not told. */
export function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}
