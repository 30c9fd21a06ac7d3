import { exitCodeOf, MeshctlError } from '../../mesh/errors.ts';
import { type FileFault, faultText } from '../../mesh/file/fault.ts';
import { type ErrorData, errorData } from '../../views/error-data.ts';
import { hintLines } from '../../views/hint-lines.ts';
import { printableLines, printableSentence } from '../../views/printable.ts';
import type { Theme } from '../../views/theme.ts';
import { type AddRunFlags, withRunFlags } from '../run-flags.ts';
import type { Host } from './host.ts';
import { type Besides, besidesData, isDocumentFormat, writeDocument } from './output.ts';

const BUG_HINT =
  'This is a bug in meshctl. Please report it with the command line and the output of the same command with --debug.';

/** Any thrown value as a MeshctlError; what is not one already is a bug, unless the user interrupted. */
function asMeshctlError(thrown: unknown, signal: AbortSignal): MeshctlError {
  if (thrown instanceof MeshctlError) return thrown;
  if (signal.aborted) return new MeshctlError('Interrupted', 'interrupted', { cause: thrown });
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new MeshctlError('Bug', `unexpected error: ${message}`, { cause: thrown, hint: BUG_HINT });
}

/**
 * Says what went wrong: for people on stderr, as a document of kind `Error` on stdout with `-o json|yaml`. A test report that
 * is empty is taken for one without failures, so with `-o junit` it is a failed case on stdout as well.
 * @param options.command its words, where it can make such a report
 * @returns the exit status
 */
export async function reportError(
  host: Host,
  theme: Theme,
  options: {
    format: unknown;
    debug: boolean;
    addRunFlags: AddRunFlags;
    besides: Besides;
    command?: string | undefined;
  },
  thrown: unknown,
): Promise<number> {
  const failure = asMeshctlError(thrown, host.signal);
  const error = withRunFlags(errorData(failure), options.addRunFlags);
  if (isDocumentFormat(options.format)) {
    await writeDocument(host, options.format, 'Error', { error, ...besidesData(options.besides) });
  } else {
    host.stderr.write(`${theme.fail('✖')} ${error.message}\n`);
    for (const line of faultLines(error.details.faults)) host.stderr.write(`${line}\n`);
    for (const line of error.hint ? hintLines(error.hint, theme, 2, Infinity) : []) host.stderr.write(`${line}\n`);
    if (options.format === 'junit' && options.command !== undefined)
      await writeFailedCase(host, options.command, error);
  }
  if (options.debug) host.stderr.write(`${printableLines(stackOf(failure))}\n`);
  return exitCodeOf(error.code);
}

async function writeFailedCase(host: Host, command: string, error: ErrorData): Promise<void> {
  const { code, message, hint, details } = error;
  const { junitXml, withNextStep } = await import('../../views/junit.ts');
  const text = withNextStep([message, ...faultLines(details.faults)].join('\n'), hint);
  const failed = { name: command, className: 'meshctl', failure: { type: code, message, text } };
  host.stdout.write(`${junitXml([{ name: command, cases: [failed] }])}\n`);
}

/** What is wrong with files, a line each, as editors and pipelines take it; a single fault is the message itself. */
function faultLines(faults: unknown): string[] {
  const list = Array.isArray(faults) ? (faults as FileFault[]) : [];
  return list.length > 1 ? list.map((fault) => printableSentence(faultText(fault))) : [];
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
