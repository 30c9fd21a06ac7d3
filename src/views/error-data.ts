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
export function errorData({ code, message, hint, details }: MeshctlError): ErrorData {
  return {
    code,
    message: printableSentence(message),
    ...(hint ? { hint: printableSentence(hint) } : {}),
    details: printableLines(details),
  };
}
