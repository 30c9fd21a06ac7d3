/**
 * Characters that a terminal would obey or hide: controls (C0, DEL, C1), bidirectional overrides, invisible separators
 * and halves of surrogate pairs. Tabs and line ends too: everything that comes from a cluster is one line here.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;
/** Emoji are joined by ZWJ, which is harmless. */
const HARMLESS = '\u200d';

/**
 * A copy of plain data in which no text can do anything to a terminal. Agents' answers, certificates' names and error
 * messages are others' words; commands send what they show through here, for people and for `-o json` alike.
 */
export function printable<T>(data: T): T {
  return cleaned(data) as T;
}

function cleaned(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(UNSAFE, (char) => (char === HARMLESS ? char : '\ufffd'));
  if (Array.isArray(value)) return value.map(cleaned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [cleaned(key), cleaned(entry)]));
}
