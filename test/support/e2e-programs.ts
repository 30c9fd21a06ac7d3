import { execFileSync } from 'node:child_process';
import { dirname } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';

/** Why tests that need a program are skipped, and says so; false where it is there. */
export function missingProgram(program: string, ...versionArgs: string[]): string | false {
  try {
    execFileSync(program, versionArgs, { stdio: 'ignore' });
    return false;
  } catch {
    const reason = `${program} is not installed`;
    console.warn(`tests with ${program} are skipped: ${reason}`);
    return reason;
  }
}

/** A program of somebody else, unmodified, run against one kubeconfig; an exit other than 0 fails the test. */
export function programAgainst(kubeconfigPath: string, program: string) {
  return async (args: readonly string[], input = ''): Promise<string> => {
    const result = await execa(program, args, {
      input,
      env: { PATH: process.env.PATH ?? '', HOME: dirname(kubeconfigPath), KUBECONFIG: kubeconfigPath },
      extendEnv: false,
      reject: false,
      timeout: 30_000,
      all: true,
    });
    expect(result.exitCode, `${program} ${args.join(' ')}\n${result.all}`).toBe(0);
    return String(result.stdout);
  };
}
