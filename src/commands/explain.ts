import { EXPLANATIONS_PAGE, explanationsIn } from '../mesh/explain.ts';
import { explanationList, explanationText } from '../views/explain-view.ts';
import type { CommandContext, CommandResult } from './command.ts';
import type { EXPLAIN } from './explain-spec.ts';
import type { FlagsOf } from './options/flags-of.ts';
import { parseList, requireKnown } from './options/option-values.ts';
import { readPackageFile } from './package-file.ts';

/** `meshctl explain`: what ids mean, by the page of the package. */
export async function run(
  context: Pick<CommandContext, 'installation'>,
  { ids }: FlagsOf<typeof EXPLAIN>,
): Promise<CommandResult> {
  const page = await readPackageFile(context, EXPLANATIONS_PAGE);
  const all = explanationsIn(page);
  const spelt = (text: string) => all.find(({ id }) => id.toLowerCase() === text.toLowerCase())?.id ?? text;
  const wanted = ids === undefined ? undefined : parseList(ids).map(spelt);
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
