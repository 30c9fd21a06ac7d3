/** Of what a program said instead of an answer, the beginning: a copy, so that nothing of a long text stays in memory. */
export function firstLine(text: string): string {
  const line = text.slice(0, 2000).trim().split('\n', 1)[0] ?? '';
  return [...line.slice(0, 200)].join('');
}
