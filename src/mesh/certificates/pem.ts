/**
 * As Go reads it, and so etcd and Cilium (encoding/pem's Decode): both marks are lines of their own. What stands behind a byte order
 * mark, or on the line of another's end, is none.
 */
const CERTIFICATE =
  /(?<![^\n])-----BEGIN CERTIFICATE-----[ \t\r]*\n(?:(?!-----)[\s\S])+\n-----END CERTIFICATE-----(?=[ \t\r]*(?:\n|$))/g;
const PRIVATE_KEY = /(?<![^\n])-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[ \t\r]*\n/;

/** Whether Go would find a private key in a PEM text. */
export function hasPrivateKey(pem: string): boolean {
  return PRIVATE_KEY.test(pem);
}

/** The certificates of a PEM text, a block each, in their order; without the text around them. */
export function certificateBlocks(pem: string): string[] {
  return pem.match(CERTIFICATE) ?? [];
}

/** PEM certificates as one file, each once, in their order. */
export function joinCertificates(pems: readonly string[]): string {
  const blocks = pems.flatMap(certificateBlocks).map((block) => block.replaceAll('\r\n', '\n'));
  return `${[...new Set(blocks)].join('\n')}\n`;
}

/**
 * What a Secret trusts once a certificate of a CA comes into it. That stays where the signer is in it already: while a CA is being replaced,
 * the former one must not go before everything that it has signed.
 */
export function bundleWith(signer: string, present = ''): string {
  const blocks = certificateBlocks(joinCertificates([present]));
  const own = certificateBlocks(joinCertificates([signer]));
  return own.every((block) => blocks.includes(block)) ? present : signer;
}
