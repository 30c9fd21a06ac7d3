import type { CommandResult } from '../../commands/command.ts';
import { printableLines } from '../../views/printable.ts';
import type { Theme } from '../../views/theme.ts';
import type { Host } from './host.ts';

/** The version of every document that `-o json|yaml` prints. */
const API_VERSION = 'meshctl.io/v1alpha1';

/** Formats for machines; every other format is the command's own text. */
export function isDocumentFormat(format: unknown): format is 'json' | 'yaml' {
  return format === 'json' || format === 'yaml';
}

/**
 * The only writer of stdout: a command's result as text, or as one document.
 * @param besides what every document of this run has
 */
export async function writeResult(
  host: Host,
  theme: Theme,
  format: unknown,
  result: CommandResult,
  besides: Besides,
): Promise<void> {
  if (result.raw !== undefined) return host.stdout.write(withNewline(result.raw));
  if (isDocumentFormat(format)) {
    const more = result.isFile ? {} : besidesData(besides);
    return writeDocument(host, format, result.kind, { ...result.data, ...more });
  }
  const text = result.text(theme);
  if (text) host.stdout.write(withNewline(text));
}

/** Writes one document, of a result or of a failure. */
export async function writeDocument(
  host: Host,
  format: 'json' | 'yaml',
  kind: string,
  data: Record<string, unknown>,
): Promise<void> {
  const document = { apiVersion: API_VERSION, kind, ...data };
  if (format === 'json') return host.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  const { yamlDocument } = await import('./yaml-document.ts');
  host.stdout.write(yamlDocument(document));
}

/** What there is to be told of a run, whatever comes of it. */
export interface Besides {
  /** Contexts that `--all` leaves out, with why. */
  leftOut: ReadonlyMap<string, string>;
  /** What is said of clocks that are wrong, a clause each. */
  clocks: readonly string[];
}

/** That, as a document has it; nothing where there is nothing. */
export function besidesData({ leftOut, clocks }: Besides): Record<string, unknown> {
  return {
    ...(leftOut.size > 0 ? { leftOut: printableLines([...leftOut].map(([context, why]) => ({ context, why }))) } : {}),
    ...(clocks.length > 0 ? { clocks: printableLines([...clocks]) } : {}),
  };
}

function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
