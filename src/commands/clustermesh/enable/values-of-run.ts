import { meshctlCommand } from '../../../mesh/command-line.ts';
import type { CommandContext } from '../../command.ts';
import { flagNameOf, flagNamesOf } from '../../options/shared-options.ts';
import { HELM_VALUES } from '../helm-values/helm-values-spec.ts';
import { ENABLE } from './enable-spec.ts';

/** Flags that name the clusters, that `helm-values` has otherwise, and that it refuses. */
const NOT_TAKEN = ['--context', '--all', '--output', '--set'];

/** The flags of enable that say nothing of the values. */
const LEFT_OUT = ENABLE.options
  .filter((option) => {
    const name = flagNameOf(option) ?? '';
    return NOT_TAKEN.includes(name) || !HELM_VALUES.options.some((one) => flagNameOf(one) === name);
  })
  .flatMap(flagNamesOf);

/** The command that prints the values of the chart by which a cluster is made as this run of enable makes it: with what its flags chose. */
export function valuesCommand({ againWithout }: Pick<CommandContext, 'againWithout'>, name: string): string {
  const chosen = againWithout(LEFT_OUT).slice(meshctlCommand(ENABLE.path.join(' ')).length);
  return `${meshctlCommand(HELM_VALUES.path.join(' '), { context: name })}${chosen}`;
}

/** The same as the end of a sentence. */
export function valuesOfRun(context: Pick<CommandContext, 'againWithout'>): (name: string) => string {
  return (name) => `: ${valuesCommand(context, name)}`;
}
