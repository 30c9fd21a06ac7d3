/** The styles that a view may use; the cli gives them, plain when colour is off. */
export interface Theme {
  bold(text: string): string;
  dim(text: string): string;
  ok(text: string): string;
  warn(text: string): string;
  fail(text: string): string;
  /** How many characters a line of the terminal has; absent where there is none, or nobody knows. */
  columns?: number | undefined;
}
