import { contextList } from '../../../mesh/command-line.ts';
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

/** What prints the values of the chart that make a cluster as this run of enable does, with its flags; as the end of a sentence. */
export function valuesOfRun({ againWithout }: Pick<CommandContext, 'againWithout'>): (name: string) => string {
  return (name) => {
    const line = againWithout(LEFT_OUT, '--context', contextList([name]));
    return `: ${line.replace(ENABLE.path.join(' '), HELM_VALUES.path.join(' '))}`;
  };
}
