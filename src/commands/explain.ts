import { MeshctlError } from '../mesh/errors.ts';
import { EXPLANATIONS_PAGE, explanationsIn } from '../mesh/explain.ts';
import { explanationList, explanationText } from '../views/explain-view.ts';
import type { CommandContext, CommandResult } from './command.ts';
import type { EXPLAIN } from './explain-spec.ts';
import type { FlagsOf } from './flags-of.ts';
import { parseList, requireKnown } from './option-values.ts';

/** `meshctl explain`: what ids mean, by the page of the package. */
export async function run(
  { installation }: Pick<CommandContext, 'installation'>,
  { ids }: FlagsOf<typeof EXPLAIN>,
): Promise<CommandResult> {
  const page = await installation.read(EXPLANATIONS_PAGE).catch((cause: unknown) => {
    throw new MeshctlError('Bug', `${EXPLANATIONS_PAGE} of this package is not readable`, {
      hint: 'Install meshctl again.',
      cause,
    });
  });
  const all = explanationsIn(page);
  const wanted = ids === undefined ? undefined : parseList(ids);
  requireKnown(
    'id',
    wanted ?? [],
    all.map(({ id }) => id),
  );
  const explanations = all.filter(({ id }) => wanted?.includes(id) ?? true);
  return {
    kind: 'ExplanationList',
    data: { explanations },
    text: (theme) => (wanted ? explanationText(explanations, theme) : explanationList(explanations, theme)),
  };
}
