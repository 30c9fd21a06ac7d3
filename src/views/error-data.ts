import { type ErrorCode, isAway, type MeshctlError } from '../mesh/errors.ts';
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
  const state = code === 'Interrupted' || isAway({ code }) ? stateAfter(details) : undefined;
  const hint = [state, given].filter(Boolean).join(' ');
  return {
    code,
    message: printableSentence(message),
    ...(hint ? { hint: printableSentence(hint) } : {}),
    details: printableLines(details),
  };
}

/**
 * What a run has left that was stopped, or ended by an API server that went away, where it is all as before: each cluster that is not was
 * told of by itself.
 */
function stateAfter({ rollback, renewed }: MeshctlError['details']): string | undefined {
  if (!Array.isArray(rollback) || rollback.length === 0) return undefined;
  const isBefore = (rollback as readonly { outcome?: unknown }[]).every(({ outcome }) =>
    ['as-before', 'untouched'].includes(String(outcome)),
  );
  if (!isBefore) return undefined;
  // A rotation goes by phases, and what was done before the one that it stopped in stays.
  return Array.isArray(renewed) && renewed.length > 0
    ? 'What was being written has been rolled back; what was renewed before stays.'
    : 'Everything that was written has been rolled back: all is as before.';
}
