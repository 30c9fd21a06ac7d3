/** Names by how near they are to what somebody wrote, the nearest first; equal ones by the alphabet. */
export function byNearness(wanted: string, names: readonly string[]): string[] {
  const distances = new Map(names.map((name) => [name, distanceOf(wanted, name)]));
  return [...names].sort((a, b) => (distances.get(a) ?? 0) - (distances.get(b) ?? 0) || a.localeCompare(b));
}

/** The name that somebody probably meant; undefined where more than a third of it would have to be written otherwise. */
export function probablyMeant(wanted: string, names: readonly string[]): string | undefined {
  const [nearest] = byNearness(wanted, names);
  return nearest !== undefined && distanceOf(wanted, nearest) * 3 <= nearest.length ? nearest : undefined;
}

function distanceOf(a: string, b: string): number {
  return editDistance(a.toLowerCase(), b.toLowerCase());
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
