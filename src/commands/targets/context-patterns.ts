/** Contexts of a kubeconfig by name or glob: `*` stands for any text, `?` for one character. */

/** Whether a word stands for several contexts. */
export function isGlob(text: string): boolean {
  return /[*?]/.test(text);
}

/** Whether a name is one of these, or fits one of the globs among them. */
export function matchesAny(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => pattern === name || (isGlob(pattern) && globToRegExp(pattern).test(name)));
}

function globToRegExp(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's');
}
