import type { ErrorCode, MeshctlError } from '../mesh/errors.ts';
import { printableLines, printableSentence } from './printable.ts';

/** An error as it is shown, for people and for `-o json`. */
export interface ErrorData {
  code: ErrorCode;
  message: string;
  hint?: string;
  details: Record<string, unknown>;
}

/** What an error says. API servers and programs in clusters word much of it, so nothing of it can act on a terminal. */
export function errorData({ code, message, hint: given, details }: MeshctlError): ErrorData {
  const hint = given ?? (code === 'Interrupted' ? stateAfter(details.rollback) : undefined);
  return {
    code,
    message: printableSentence(message),
    ...(hint ? { hint: printableSentence(hint) } : {}),
    details: printableLines(details),
  };
}

/** What an interrupted run has left, where it is all as before: each cluster that is not was told of by itself. */
function stateAfter(rollback: unknown): string | undefined {
  if (!Array.isArray(rollback) || rollback.length === 0) return undefined;
  const isBefore = (rollback as readonly { outcome?: unknown }[]).every(({ outcome }) =>
    ['as-before', 'untouched'].includes(String(outcome)),
  );
  return isBefore ? 'Everything that was written has been rolled back: all is as before.' : undefined;
}
