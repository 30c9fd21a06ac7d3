import { COMMAND_LINES, contextsIn } from '../command-line.ts';
import { MANY_ALIKE } from '../pairs.ts';

/**
 * What must be there before the next can be done, by the command that makes it: what pods, Services and rights is are under all
 * of it, as what kubectl changes; then what a cluster serves, the certificates that all have, and who dials it; whoever is gone
 * is forgotten last, and what served them goes after that. Commands that only look have no place in it.
 */
const STAGES: readonly (readonly string[])[] = [
  ['service global'],
  ['clustermesh enable', 'apply', 'demo'],
  ['clustermesh certs rotate'],
  ['clustermesh connect', 'clustermesh invite', 'clustermesh accept', 'apply', 'demo'],
  ['clustermesh disconnect', 'clustermesh invitations revoke'],
  ['clustermesh disable'],
];
/** What only looks: any other command of kubectl changes something. What our hints run in pods only looks, too. */
const KUBECTL_LOOKS: readonly string[] = [
  ...['api-resources', 'describe', 'diff', 'events', 'exec', 'explain', 'get', 'logs', 'top', 'version', 'wait'],
  ...[
    'auth can-i',
    'auth whoami',
    'config get-contexts',
    'config view',
    'create token',
    'rollout history',
    'rollout status',
  ],
];
/** Words as a shell takes them. */
const WORDS = /(?:\\'|[^\s']|'[^']*')+/g;
const LOOKS = / --(?:dry-run|help)\b/;
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
  const [program, ...words] = line.match(WORDS) ?? [];
  if (program === 'kubectl') return isKubectlLook(words) ? [] : [0];
  const isOf = (command: string) => `${words.join(' ')} `.startsWith(`${command} `);
  return STAGES.flatMap((commands, stage) => (commands.some(isOf) ? [stage] : []));
}

/** @param words behind `kubectl`: flags with their values may stand before the command */
function isKubectlLook(words: readonly string[]): boolean {
  const start = words.findIndex((word, index) => !word.startsWith('-') && !takesNext(words[index - 1]));
  const [verb, noun] = words.slice(Math.max(0, start));
  return KUBECTL_LOOKS.includes(`${verb}`) || KUBECTL_LOOKS.includes(`${verb} ${noun}`);
}

/** Flags of all of kubectl are given with a value, in one word or in two. */
function takesNext(word = ''): boolean {
  return word.startsWith('-') && !word.includes('=');
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

/** How far something reaches: whether it is an outage now, and of how many clusters. */
export interface Reach {
  isOutage: boolean;
  clusters: number;
}

/**
 * Of things in an order of hints, those that reach many clusters first, an outage before what is none yet, and the larger before the
 * smaller. Before each of them stays what must be there before its hint can be typed: an earlier stage in one of its clusters.
 */
export function largestFirst<T>(things: readonly T[], hintOf: (thing: T) => string, reachOf: (thing: T) => Reach): T[] {
  const known = things.map((thing) => ({
    thing,
    reach: reachOf(thing),
    stage: stageOf(hintOf(thing)),
    contexts: (hintOf(thing).match(COMMAND_LINES) ?? []).flatMap(contextsIn),
  }));
  const ordered = new Set<(typeof known)[number]>();
  const place = (one: (typeof known)[number]): void => {
    if (ordered.has(one)) return;
    const { stage, contexts } = one;
    if (stage !== undefined) {
      const before = known.filter((other) => other.stage !== undefined && other.stage < stage);
      for (const other of before) if (other.contexts.some((name) => contexts.includes(name))) place(other);
    }
    ordered.add(one);
  };
  const large = known.filter(({ reach }) => reach.clusters >= MANY_ALIKE);
  for (const one of large.sort(
    ({ reach: a }, { reach: b }) => Number(b.isOutage) - Number(a.isOutage) || b.clusters - a.clusters,
  )) {
    place(one);
  }
  return [...ordered, ...known.filter((one) => !ordered.has(one))].map(({ thing }) => thing);
}
