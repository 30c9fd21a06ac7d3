/** `1 backend`, `2 backends`. */
export function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** A part of a whole: `1 of 3 nodes`, `the only node`. */
export function shareOf(part: number, whole: number, word: string): string {
  return part === 1 && whole === 1 ? `the only ${word}` : `${part} of ${counted(whole, word)}`;
}

/**
 * A part of a whole, with the verb that goes with the part: `1 of 3 nodes is`, `2 of 3 nodes are`, `the only node is`.
 * @param verb for one and for several
 */
export function partOf(part: number, whole: number, word: string, verb: readonly [string, string]): string {
  return `${shareOf(part, whole, word)} ${part === 1 ? verb[0] : verb[1]}`;
}

/** All of something, with the verb: `all 2 nodes are`, `the only node is`. @param verb for one and for several */
export function allOf(count: number, word: string, verb: readonly [string, string]): string {
  return count === 1 ? `the only ${word} ${verb[0]}` : `all ${count} ${word}s ${verb[1]}`;
}

/** So many of a thing are named in a line before the rest is only counted. */
export const MOST_NAMED = 3;

/** `node-1, node-2 and 3 more`. @param most so many are named, where that is not {@link MOST_NAMED} */
export function firstOf(names: readonly string[], most: number = MOST_NAMED): string {
  const named = names.slice(0, most).join(', ');
  return names.length > most ? `${named} and ${names.length - most} more` : named;
}

/** `a, b and c`. */
export function enumerated(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** The first letter as within a sentence. */
export function uncapital(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** The first letter as a sentence has it. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
