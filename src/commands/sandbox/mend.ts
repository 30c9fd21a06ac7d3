import { meshctlCommand } from '../../mesh/command-line.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { byNearness } from '../../mesh/nearest.ts';
import { parseRules } from '../../sandbox/pods/rule-text.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsOf } from '../options/flags-of.ts';
import { parseList } from '../options/option-values.ts';
import type { SANDBOX_MEND } from './mend-spec.ts';
import { networkResult, withRunningNetwork } from './running-sandbox.ts';

/** `meshctl sandbox mend`: takes rules off the network of the sandbox that runs, and shows those that are left. */
export async function run(context: CommandContext, flags: FlagsOf<typeof SANDBOX_MEND>): Promise<CommandResult> {
  const { rules: given, all = false } = flags;
  if ((given === undefined) !== all) {
    throw new MeshctlError('Usage', all ? 'a rule cannot be used with --all' : 'no rule is named', {
      hint: `See what is broken: ${meshctlCommand('sandbox break')}`,
    });
  }
  const wanted =
    given === undefined
      ? []
      : parseList(given)
          .flatMap(parseRules)
          .map(({ id }) => id);
  return withRunningNetwork(context, flags, async (network) => {
    const broken = await network.rules();
    for (const rule of wanted) requireBroken(rule, broken);
    for (const rule of all ? broken : wanted) await network.remove(rule);
    return networkResult(await network.rules());
  });
}

function requireBroken(rule: string, broken: readonly string[]): void {
  if (broken.includes(rule)) return;
  const [nearest] = byNearness(rule, broken);
  throw new MeshctlError('Usage', `no rule "${rule}" is in effect`, {
    hint:
      nearest === undefined
        ? 'The network has no rules.'
        : `Mend the closest one: ${meshctlCommand('sandbox mend', {}, [nearest])}`,
  });
}
