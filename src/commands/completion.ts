import type { CommandContext, CommandResult } from './command.ts';
import type { COMPLETION, SHELLS } from './completion-spec.ts';
import type { FlagsOf } from './options/flags-of.ts';
import { readPackageFile } from './package-file.ts';

const FILE_NAMES: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: 'meshctl.bash',
  zsh: 'meshctl.zsh',
  fish: 'meshctl.fish',
  powershell: 'meshctl.ps1',
};

/** `meshctl completion`: a script of the package, as it is. */
export async function run(
  context: Pick<CommandContext, 'installation'>,
  { shell }: FlagsOf<typeof COMPLETION>,
): Promise<CommandResult> {
  const script = await readPackageFile(context, `templates/completion/${FILE_NAMES[shell]}`);
  return { kind: 'CompletionScript', data: { shell, script }, text: () => script };
}
