/** A digest as people compare it: `SHA256:AB:CD:…`, as `openssl x509 -fingerprint -sha256` prints it. */
export function fingerprintOf(sha256: string): string {
  return `SHA256:${(sha256.match(/../g) ?? []).join(':').toUpperCase()}`;
}

/** A fingerprint in any spelling as the digest's hexadecimal digits; undefined for anything else. */
export function parseFingerprint(text: string): string | undefined {
  const digits = text
    .replace(/^sha-?256( fingerprint)?[:=]/i, '')
    .replaceAll(':', '')
    .toLowerCase();
  return /^[0-9a-f]{64}$/.test(digits) ? digits : undefined;
}
