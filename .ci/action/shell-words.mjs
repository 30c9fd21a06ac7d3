/**
 * The words of a command line as a POSIX shell splits it: below a line that ends with a backslash it goes on. Nothing is
 * expanded: no variables, no patterns, no commands.
 * @param {string} line
 * @returns {string[]}
 * @throws Error for a quote without its end
 */
export function shellWords(line) {
  const words = [];
  let word;
  for (const [piece, space, goesOn, single, double, escaped] of line.matchAll(
    /(\s+)|(\\\r?\n)|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|[\s\S]/g,
  )) {
    if (goesOn !== undefined) continue;
    if (space !== undefined) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    if (piece === "'" || piece === '"') throw new Error(`a quote is not ended: ${line}`);
    word = (word ?? '') + (single ?? double?.replaceAll(/\\(?:\r?\n|(["\\$`]))/g, '$1') ?? escaped ?? piece);
  }
  return word === undefined ? words : [...words, word];
}
