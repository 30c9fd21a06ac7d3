/** Every two of the values, each pair once, in their order. */
export function pairsOf<T>(values: readonly T[]): [T, T][] {
  return values.flatMap((one, index) => values.slice(index + 1).map((other): [T, T] => [one, other]));
}

/** The values in groups of equal keys, in the order of their first appearance. */
export function groupBy<K, V>(values: readonly V[], keyOf: (value: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  return groups;
}

/** From so many on, what is the same of several is told as one: what two have stays with each. */
export const MANY_ALIKE = 3;

/** The values in groups of equal keys where many are alike; of fewer, each by itself. In the order of their first appearance. */
export function foldAlike<K, V>(values: readonly V[], keyOf: (value: V) => K): V[][] {
  return [...groupBy(values, keyOf).values()].flatMap((alike) =>
    alike.length < MANY_ALIKE ? alike.map((one) => [one]) : [alike],
  );
}

/** The name that is there most often, the first of several, and how often; none of none. */
export function mostOften(names: readonly string[]): { name: string; count: number } {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].reduce((most, [name, count]) => (count > most.count ? { name, count } : most), {
    name: '',
    count: 0,
  });
}
