const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** The certificates of a PEM text, a block each, in their order; without the text around them. */
export function certificateBlocks(pem: string): string[] {
  return pem.match(CERTIFICATE) ?? [];
}

/** PEM certificates as one file, each once, in their order. */
export function joinCertificates(pems: readonly string[]): string {
  const blocks = pems.flatMap(certificateBlocks).map((block) => block.replaceAll('\r\n', '\n'));
  return `${[...new Set(blocks)].join('\n')}\n`;
}
