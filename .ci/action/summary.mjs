/** GitHub takes 1 MiB for a step's summary. */
const LONGEST_TEXT = 200_000;

/**
 * The summary of a step, in GitHub's Markdown.
 * @param {object} run
 * @param {string} run.line the command line, as it was typed
 * @param {number} run.exitCode
 * @param {string} run.output what it printed
 * @param {import('./report.mjs').Report} [run.report] what was understood of it
 * @param {string} [run.picture] the mesh, in Mermaid
 */
export function summaryOf({ line, exitCode, output, report, picture }) {
  const mark = exitCode === 0 ? '✅' : '❌';
  const parts = [`### ${mark} \`${line.replaceAll('`', "'")}\``];
  if (report) {
    parts.push(escapeHtml(report.headline));
    if (report.rows?.length) parts.push(table(report.head, report.rows));
    // What neither the table nor the headline tells has no other place.
    const told = new Set([report.headline, ...(report.rows ?? []).flat()]);
    for (const { where, says, hint } of report.findings.filter((one) => one.hint || !told.has(one.says)))
      parts.push(`**${cell(where)}**: ${cell(says)}${hint ? `\n\n${codeBlock(hint)}` : ''}`);
  }
  if ((!report || report.isPart) && output.trim() !== '') parts.push(codeBlock(output.slice(0, LONGEST_TEXT)));
  if (picture) parts.push(codeBlock(picture, 'mermaid'));
  return `${parts.join('\n\n')}\n`;
}

/**
 * A finding as a line that makes GitHub show it beside the run.
 * @param {import('./report.mjs').Finding} finding
 */
export function annotationOf({ level, where, says, hint, place = {} }) {
  const text = hint ? `${says}\n${hint}` : says;
  const properties = Object.entries({ ...place, title: `meshctl: ${where}` });
  const given = properties.map(([name, value]) => `${name}=${escapeProperty(String(value))}`);
  return `::${level} ${given.join()}::${escapeData(text)}`;
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map((row) => line(row.map(cell)))].join('\n');
}

function cell(text = '') {
  return escapeHtml(text).replaceAll('|', '\\|').replaceAll(/\r?\n/g, '<br>');
}

function escapeHtml(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Fenced with more backticks than the text has in a row. */
function codeBlock(text, language = 'text') {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text.trimEnd()}\n${fence}`;
}

function escapeData(text) {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text) {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
