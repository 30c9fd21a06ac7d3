/**
 * The words of a command line as a POSIX shell splits it. Nothing is expanded: no variables, no patterns, no commands.
 * @param {string} line
 * @returns {string[]}
 * @throws Error for a quote without its end
 */
export function shellWords(line) {
  const words = [];
  let word;
  for (const [piece, space, single, double, escaped] of line.matchAll(
    /(\s+)|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|[\s\S]/g,
  )) {
    if (space !== undefined) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    if (piece === "'" || piece === '"') throw new Error(`a quote is not ended: ${line}`);
    word = (word ?? '') + (single ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? escaped ?? piece);
  }
  return word === undefined ? words : [...words, word];
}
