import { resolve } from 'node:path';
import { readTextFile } from '../kube/access/read-text-file.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { CommandContext } from './command.ts';

/** What stands for standard input where a file is named. */
export const STANDARD_INPUT = '-';

/**
 * The text of a file that the operator names, or of standard input.
 * @param what it is, for messages: `mesh file`
 * @throws MeshctlError `Usage` for what cannot be read or is not there; `Interrupted`
 */
export async function readTextInput(
  { cwd, signal, readInput }: Pick<CommandContext, 'cwd' | 'signal' | 'readInput'>,
  path: string,
  what: string,
): Promise<string> {
  if (path === STANDARD_INPUT) return readInput();
  // The current folder to node:path; to who typed it, a variable that is not set.
  if (path === '') throw new MeshctlError('Usage', `"" names no ${what}`);
  try {
    const text = await readTextFile(resolve(cwd, path), `${what} ${path}`, { signal });
    if (text !== undefined) return text;
  } catch (error) {
    if (!(error instanceof MeshctlError) || error.code === 'Interrupted') throw error;
    throw new MeshctlError('Usage', error.message, { cause: error, details: error.details });
  }
  throw new MeshctlError('Usage', `${what} ${path} does not exist`, { details: { path } });
}
