/**
 * Paths of `--set`, written as in plans: `spec.template.spec.containers[etcd].imagePullPolicy`. Brackets hold a list
 * entry's name or index, or a mapping's key that has dots in it: `metadata.annotations[example.com/team]`.
 */

/** `a.b[c.d].e` as `a`, `b`, `c.d`, `e`; undefined when it is none. */
export function segmentsOf(path: string): string[] | undefined {
  const parts = [...path.matchAll(/(?:^|\.)([^.[\]=]+)|\[([^\]]+)\]/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== path) return undefined;
  return parts.map(([, name, bracketed]) => name ?? bracketed ?? '');
}

/** The place of an entry: by its name, else by its index; the index after the last one is a new entry. */
export function entryOf(list: readonly unknown[], segment: string): number | undefined {
  const named = list.findIndex((entry) => (entry as { name?: unknown } | null)?.name === segment);
  if (named >= 0) return named;
  const index = Number(segment);
  return /^\d{1,4}$/.test(segment) && index <= list.length ? index : undefined;
}

/**
 * Whether a setting is about a field of a plan, something within it, or what it is within. In plans a list's entry is told
 * by its key where a setting may have its index, and a key with dots has no brackets.
 */
export function isAbout(setting: string, changed: string): boolean {
  let rest = changed;
  for (const segment of segmentsOf(setting) ?? []) {
    if (rest === '') return true;
    const entry = /^\[[^\]]*\]/.exec(rest)?.[0];
    if (entry !== undefined && (entry === `[${segment}]` || /^\d+$/.test(segment))) rest = rest.slice(entry.length);
    else {
      const name = rest.replace(/^\./, '');
      if (!/^(\.|\[|$)/.test(name.slice(segment.length)) || !name.startsWith(segment)) return false;
      rest = name.slice(segment.length);
    }
  }
  return true;
}
