import { expect, test } from 'vitest';
import { decodeText, encodeText } from '../../src/mesh/objects/secret-data.ts';

test('a CA bundle of a megabyte, and any text, come back as they were', () => {
  for (const text of ['', 'ä€\u{1f600}\n', 'x'.repeat(1_000_000)]) expect(decodeText(encodeText(text))).toBe(text);
});
