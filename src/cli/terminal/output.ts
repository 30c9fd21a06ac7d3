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
 * @param leftOut contexts that have no part in it, with why
 */
export async function writeResult(
  host: Host,
  theme: Theme,
  format: unknown,
  result: CommandResult,
  leftOut: ReadonlyMap<string, string>,
): Promise<void> {
  if (result.raw !== undefined) return host.stdout.write(withNewline(result.raw));
  if (isDocumentFormat(format)) {
    const left = result.isFile ? {} : leftOutData(leftOut);
    return writeDocument(host, format, result.kind, { ...result.data, ...left });
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

/** Contexts that `--all` leaves out, as a document has them; nothing where there is none. */
export function leftOutData(leftOut: ReadonlyMap<string, string>): Record<string, unknown> {
  if (leftOut.size === 0) return {};
  return { leftOut: printableLines([...leftOut].map(([context, why]) => ({ context, why }))) };
}

function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
