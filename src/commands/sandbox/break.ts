import { parseRules, requirePlaces } from '../../sandbox/pods/rule-text.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsOf } from '../options/flags-of.ts';
import { parseList } from '../options/option-values.ts';
import type { SANDBOX_BREAK } from './break-spec.ts';
import { networkResult, withRunningNetwork } from './running-sandbox.ts';

/** `meshctl sandbox break`: adds rules to the network of the sandbox that runs, and shows all of them. */
export async function run(context: CommandContext, flags: FlagsOf<typeof SANDBOX_BREAK>): Promise<CommandResult> {
  const rules = flags.rules === undefined ? [] : parseList(flags.rules).flatMap(parseRules);
  return withRunningNetwork(context, flags, async (network) => {
    if (rules.length > 0) requirePlaces(rules, await network.places());
    for (const rule of rules) await network.add(rule);
    return networkResult(await network.rules());
  });
}
