/** How a cell is coloured; its width is that of its plain text. */
export type Style = (text: string) => string;

export interface Cell {
  text: string;
  style?: Style | undefined;
}

const GAP = '  ';

/** Rows as aligned columns, the last one ragged; each line is indented. */
export function tableLines(rows: readonly (readonly (Cell | string)[])[], indent = ''): string[] {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? { text: cell } : cell)));
  const widths: number[] = [];
  for (const row of cells) {
    row.forEach(({ text }, column) => {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(text));
    });
  }
  return cells.map((row) => {
    const line = row.map(({ text, style = String }, column) => {
      const padding = column === row.length - 1 ? '' : ' '.repeat((widths[column] ?? 0) - widthOf(text));
      return style(text) + padding;
    });
    return `${indent}${line.join(GAP)}`.trimEnd();
  });
}

/** In characters; all that these tables show is one column wide. */
function widthOf(text: string): number {
  return [...text].length;
}
