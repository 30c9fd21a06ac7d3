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
  { installation }: Pick<CommandContext, 'installation'>,
  { shell }: FlagsOf<typeof COMPLETION>,
): Promise<CommandResult> {
  const file = `templates/completion/${FILE_NAMES[shell]}`;
  const script = await installation.read(file).catch((cause: unknown) => {
    throw new MeshctlError('Bug', `${file} of this package is not readable`, {
      hint: 'Install meshctl again.',
      cause,
    });
  });
  return { kind: 'CompletionScript', data: { shell, script }, text: () => script };
}
