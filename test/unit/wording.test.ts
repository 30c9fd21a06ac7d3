import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { docPages, readPage } from '../support/doc-blocks.ts';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));
const LITERALS = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`/g;

/** One word for each thing that operators are told, and British spelling, in all that has more words than one. */
const INSTEAD: readonly (readonly [RegExp, string])[] = [
  [/\banew\b/, 'again, or re-'],
  [/\b(nobody|somebody)\b/i, 'no one, no peer, someone'],
  [/\bshall\b/, 'is to'],
  [/\bthe own\b/, "this cluster's"],
  [/\bput(ting)? (it |them |everything )?back\b/, 'rolled back, restored'],
  [/\blet go\b/, 'dropped'],
  [/\b(goes?|going) on (with|from|to)\b|\bto go on\b/i, 'continue'],
  [/\btakes? (it|them) back\b/i, 'undo'],
  [/\b(does not|do not) go with\b|\bexclude each other\b/, 'cannot be used with, cannot be used together'],
  [/\bnot looked at\b/, 'skipped'],
  [/\b(color|behavior|canceled|dialing|dialed|labeled|(recogni|synchroni|summari|organi)z)/, 'British'],
];

it('what operators read has one word for each thing', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.startsWith('sandbox/'),
  );
  const odd = files.flatMap((file) =>
    [...readFileSync(join(SRC, file), 'utf8').matchAll(LITERALS)].flatMap(([, single, double, template]) => {
      const text = (single ?? double ?? template ?? '').replace(/\$\{[^}]*\}/g, '…');
      if (!/[a-z]+ [a-z]+/i.test(text)) return [];
      return INSTEAD.filter(([words]) => words.test(text)).map(([, better]) => `${file}: ${text} → ${better}`);
    }),
  );
  expect(odd).toEqual([]);
});

it('has them in the pages, too', () => {
  const odd = [...docPages(), 'CHANGELOG.md'].flatMap((file) => {
    const prose = readPage(file)
      .replaceAll(/^ *```[\s\S]*?^ *```$/gm, '')
      .replaceAll(/`[^`]*`/g, '…');
    return INSTEAD.flatMap(([words, better]) => {
      const [found] = words.exec(prose) ?? [];
      return found ? [`${file}: ${found} → ${better}`] : [];
    });
  });
  expect(odd).toEqual([]);
});
