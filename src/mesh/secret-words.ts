/** Where a block of PEM begins, and where it ends. */
export const PEM_BEGINS = /-----BEGIN [A-Z0-9 ]+-----/;
export const PEM_ENDS = /-----END [A-Z0-9 ]+-----/;
/** From its first line on; what has no end is cut off there, or goes on in later lines. */
const PEM_BLOCK = new RegExp(`${PEM_BEGINS.source}.*?(?:${PEM_ENDS.source}|$)`, 'gs');
const TOKEN = /\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?/g;
/** As Secrets hold their data, and as PEM does: no name or digest is as long and as mixed, and of a path no part is. */
const BASE64 = /[A-Za-z0-9+/]{32,}={0,2}/g;
const HIDDEN = '<hidden>';

/**
 * What another program said, without what may be a key or a token: it may quote whole objects (Helm's errors do). Certificates
 * go too, which look the same.
 */
export function withoutSecretWords(text: string): string {
  return text
    .replaceAll(PEM_BLOCK, HIDDEN)
    .replaceAll(TOKEN, HIDDEN)
    .replaceAll(BASE64, (word) => (isMixed(word) && !isPath(word) ? HIDDEN : word));
}

/** Of base64 with slashes in it, one word in a hundred would pass at the shortest, and far less of longer ones. */
const LONG_PART = 12;

/** Whether its parts are words: between two slashes of base64 there is as a rule much more. */
function isPath(word: string): boolean {
  const parts = word.split('/');
  return parts.length > 1 && !/[+=]/.test(word) && !parts.some((part) => part.length >= LONG_PART && isMixed(part));
}

function isMixed(word: string): boolean {
  return /[A-Z]/.test(word) && /[a-z]/.test(word) && /\d/.test(word);
}
