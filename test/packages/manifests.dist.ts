import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { krewFaults } from '../support/krew-rules.ts';
import { RELEASE_FOLDER, released } from '../support/released.ts';

it('krew and Homebrew are given files of this release, with their sums', async () => {
  const sums = await readFile(`${RELEASE_FOLDER}/SHA256SUMS`, 'utf8');
  const manifest = parse(await readFile(released(/^clustermesh\.yaml$/), 'utf8'));
  expect(krewFaults('clustermesh', manifest)).toEqual([]);
  const formula = await readFile(released(/^meshctl\.rb$/), 'utf8');
  const inKrew = (manifest.spec.platforms as { uri: string; sha256: string }[]).map(({ uri, sha256 }) => [uri, sha256]);
  const inFormula = [...formula.matchAll(/url "([^"]+)"\s+sha256 "(\w+)"/g)].map(([, uri = '', sum = '']) => [
    uri,
    sum,
  ]);
  expect(inKrew).toHaveLength(5);
  expect(inFormula).toHaveLength(4);
  for (const [uri, sum] of [...inKrew, ...inFormula]) expect(sums).toContain(`${sum}  ${uri?.split('/').at(-1)}\n`);
});
