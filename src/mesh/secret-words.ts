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
    .replaceAll(BASE64, (word, at: number) => (isMixed(word) && !isPath(word, text[at - 1]) ? HIDDEN : word));
}

/** Between two slashes of base64 there is as a rule a part as long and mixed: at 32 characters one in a hundred has none. */
const LONG_PART = 12;

/**
 * Whether a word is of a path or an address: it begins with a slash, or goes on after what base64 has not, and its parts are
 * names. Of keys, one in some thousands could be taken for that.
 */
function isPath(word: string, before = ''): boolean {
  const isPlaced = word.startsWith('/') || /[-._~%]/.test(before);
  const parts = word.split('/');
  return (
    isPlaced &&
    parts.length > 1 &&
    !/[+=]/.test(word) &&
    !parts.some((part) => part.length >= LONG_PART && isMixed(part))
  );
}

function isMixed(word: string): boolean {
  return /[A-Z]/.test(word) && /[a-z]/.test(word) && /\d/.test(word);
}
