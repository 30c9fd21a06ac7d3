import { execFileSync } from 'node:child_process';

/** Runs npm in a folder. @returns {string} what it prints */
export function npm(args, cwd) {
  // The npm that runs this script, where one does: on Windows the program itself is a script of cmd.
  const script = process.env.npm_execpath;
  const [program, ...first] = script?.endsWith('.js') ? [process.execPath, script] : ['npm'];
  return execFileSync(program, [...first, ...args, '--loglevel=error'], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 28,
    shell: process.platform === 'win32' && first.length === 0,
  });
}
