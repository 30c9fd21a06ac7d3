import { COMMAND_LINES, meshctlCommand } from '../command-line.ts';

/**
 * What must be there before the next can be done, by the command that makes it: what a cluster serves, then the certificates
 * that all have, then who dials it; whoever is gone is forgotten last. Commands that only look have no place in it.
 */
const STAGES: readonly (readonly string[])[] = [
  ['clustermesh enable'],
  ['clustermesh certs rotate'],
  ['clustermesh connect', 'clustermesh invite', 'clustermesh accept'],
  ['clustermesh disconnect'],
];
/** What pods, Services and rights are is under all of it. */
const OBJECTS = /^kubectl (?:.* )?(?:annotate|apply|auth|create|delete|label|patch|rollout|scale) /;
const LOOKS = / --dry-run\b/;
const ALTERNATIVES = /; (?:or\b|if\b)/;

/**
 * When a hint can be typed, among others: the higher, the later. That of its last command, but before hints of that one alone
 * where it does an earlier one, too. Of alternatives the first that does something counts.
 * @returns undefined where it only looks: then it may stand anywhere
 */
export function stageOf(hint: string): number | undefined {
  for (const way of hint.split(ALTERNATIVES)) {
    const stages = (way.match(COMMAND_LINES) ?? []).filter((line) => !LOOKS.test(line)).flatMap(stageOfCommand);
    const [first, last] = [stages[0], stages.at(-1)];
    if (first !== undefined && last !== undefined) return first < last ? last - 0.5 : last;
  }
  return undefined;
}

function stageOfCommand(line: string): number[] {
  if (OBJECTS.test(line)) return [0];
  const at = STAGES.findIndex((commands) => commands.some((command) => line.startsWith(meshctlCommand(command))));
  return at === -1 ? [] : [at + 1];
}

/**
 * Things with their hints in an order in which each hint can be typed as soon as those before it have been. What is in order
 * stays where it is; the rest is put off to the end.
 */
export function inOrderOfHints<T>(things: readonly T[], hintOf: (thing: T) => string | undefined): T[] {
  const staged = things.map((thing) => ({ thing, stage: stageOf(hintOf(thing) ?? '') }));
  const isTooEarly = staged.map(({ stage }, index) =>
    staged.slice(index + 1).some((later) => (later.stage ?? Number.POSITIVE_INFINITY) < (stage ?? 0)),
  );
  const first = Math.min(
    ...staged.map(({ stage = 0 }, index) => (isTooEarly[index] ? stage : Number.POSITIVE_INFINITY)),
  );
  const isPutOff = staged.map(({ stage = -1 }, index) => isTooEarly[index] === true || stage > first);
  const putOff = staged
    .filter((_, index) => isPutOff[index])
    .sort((a, b) => (a.stage ?? 0) - (b.stage ?? 0))
    .map(({ thing }) => thing);
  return [...things.filter((_, index) => !isPutOff[index]), ...putOff];
}
