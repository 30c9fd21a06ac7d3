import { during } from '../../flows/flow.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { endedText } from '../../views/sandbox/sandbox-view.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsOf } from '../options/flags-of.ts';
import {
  type BackgroundSandbox,
  clearAway,
  endInBackground,
  sandboxesInBackground,
  sandboxNameOf,
} from './background.ts';
import type { SANDBOX_DOWN } from './down-spec.ts';

/** `meshctl sandbox down`: ends a sandbox that runs in the background, or all of them. Without any, there is nothing to do. */
export async function run(context: CommandContext, flags: FlagsOf<typeof SANDBOX_DOWN>): Promise<CommandResult> {
  await clearAway(context);
  const sandboxes = chosen(await sandboxesInBackground(context), flags);
  if (sandboxes.length > 0) {
    await during(context, { doing: 'Ending the clusters', done: 'Ended the clusters' }, () =>
      Promise.all(sandboxes.map((sandbox) => endInBackground(context, sandbox))),
    );
  }
  const contexts = sandboxes.map((sandbox) => sandbox.contexts);
  return {
    kind: 'SandboxDown',
    data: { ended: contexts },
    text: () => endedText(contexts),
  };
}

/** Another one may be somebody else's who works under the same account. @throws MeshctlError `Usage` */
function chosen(
  all: readonly BackgroundSandbox[],
  { sandbox, all: isAll = false }: Pick<FlagsOf<typeof SANDBOX_DOWN>, 'sandbox' | 'all'>,
): readonly BackgroundSandbox[] {
  if (sandbox !== undefined && isAll) throw new MeshctlError('Usage', 'a name cannot be used with --all');
  const described = all.map((one) => `${sandboxNameOf(one)} (${one.contexts.join(', ')})`).join('; ');
  if (sandbox !== undefined) {
    const named = all.filter((one) => sandboxNameOf(one) === sandbox);
    if (named.length > 0) return named;
    throw new MeshctlError('Usage', `no sandbox "${sandbox}" runs in the background`, {
      hint: all.length > 0 ? `There are: ${described}.` : 'None does.',
    });
  }
  if (isAll || all.length < 2) return all;
  const [first] = all.map(sandboxNameOf);
  throw new MeshctlError('Usage', `${all.length} sandboxes run in the background: ${described}`, {
    hint: `Name one: ${meshctlCommand('sandbox down', {}, [first ?? ''])}; or end all of them: ${meshctlCommand('sandbox down', {}, ['--all'])}`,
  });
}
