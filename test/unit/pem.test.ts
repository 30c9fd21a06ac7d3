import { beforeAll, describe, expect, it } from 'vitest';
import { certificateBlocks } from '../../src/mesh/certificates/pem.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { readBundle, readTlsFiles } from '../../src/pki/read.ts';

let authority: Awaited<ReturnType<typeof createAuthority>>;
beforeAll(async () => {
  authority = await createAuthority();
});

/** What becomes of a file in editors and scripts, and how many of its two certificates Go's encoding/pem still finds. */
const SPELLINGS: [what: string, spelled: (one: string, other: string) => string, found: number][] = [
  ['as openssl writes it', (one, other) => one + other, 2],
  ['with text around it', (one, other) => `issuer=x\n${one}\n# and\n${other}`, 2],
  ['with CRLF', (one, other) => (one + other).replaceAll('\n', '\r\n'), 2],
  ['without a last line break', (one, other) => (one + other).trimEnd(), 2],
  ['with blanks after the marks', (one, other) => (one + other).replaceAll('-----\n', '----- \t\n'), 2],
  ['behind a byte order mark', (one, other) => `\uFEFF${one}${other}`, 1],
  ['indented', (one, other) => one + other.replaceAll(/^/gm, '  '), 1],
  ['glued to the one before', (one, other) => one.trimEnd() + other, 0],
  ['on one line', (one, other) => (one + other).replaceAll('\n', ' '), 0],
];

describe('a PEM file', () => {
  it.each(SPELLINGS)('%s is read as etcd and Cilium read it', async (_what, spelled, found) => {
    const other = await createAuthority();
    const text = spelled(authority.certificate, other.certificate);
    expect(certificateBlocks(text)).toHaveLength(found);
    expect(readBundle(text)).toHaveLength(found);
  });

  it('behind a byte order mark is no certificate, no CA and no key', () => {
    const { certificate, privateKey } = authority;
    const marked = (text: string) => `\uFEFF${text}`;
    const files = { certificate: marked(certificate), privateKey: marked(privateKey), ca: marked(certificate) };
    expect(readTlsFiles(files)).toMatchObject({
      certificate: 'unreadable',
      privateKey: 'unreadable',
      ca: 'unreadable',
    });
  });
});
