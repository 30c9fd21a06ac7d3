import { readFile } from 'node:fs/promises';
import { MeshctlError } from '../mesh/errors.ts';
import type { CommandContext, CommandResult } from './command.ts';
import type { COMPLETION, SHELLS } from './completion-spec.ts';
import type { FlagsOf } from './flags-of.ts';

const FILE_NAMES: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: 'meshctl.bash',
  zsh: 'meshctl.zsh',
  fish: 'meshctl.fish',
  powershell: 'meshctl.ps1',
};

/** `meshctl completion`: a script of the package, as it is. */
export async function run(
  { packageRoot }: Pick<CommandContext, 'packageRoot'>,
  { shell }: FlagsOf<typeof COMPLETION>,
): Promise<CommandResult> {
  const file = new URL(`templates/completion/${FILE_NAMES[shell]}`, packageRoot);
  const script = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new MeshctlError('Bug', `${file.pathname} of this package is not readable`, {
      hint: 'Install meshctl again.',
      cause,
    });
  });
  return { kind: 'CompletionScript', data: { shell, script }, text: () => script };
}
