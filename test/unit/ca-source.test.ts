import { expect, it } from 'vitest';
import { caSourceOf } from '../../src/mesh/file/ca-source.ts';

/** `ab`: a is to get the CA of b. */
const clustersOf = (words: string) =>
  words
    .split(' ')
    .filter(Boolean)
    .map(([name = '', caFrom]) => ({ name, enable: caFrom === undefined ? {} : { caFrom } }));

it.each<[what: string, cluster: string, lacking: string, source: string | undefined]>([
  ['is nobody where none is named', 'c', 'ab bc c', undefined],
  ['is the one that is named', 'b', 'ab bc c', 'c'],
  ['is the end of the chain, where those between have none', 'a', 'ab bc c', 'c'],
  ['is the end of the chain, where that has one', 'a', 'ab bc', 'c'],
  ['is the next one that has one, whatever that is to have', 'a', 'ab', 'b'],
  ['is the cluster itself where it is that of all', 'a', 'aa ba', 'a'],
  ['is the one that is that of all', 'b', 'aa ba', 'a'],
])('%s', (_what, cluster, lacking, source) => {
  const clusters = clustersOf(lacking);
  const own = clusters.find(({ name }) => name === cluster);
  expect(own && caSourceOf(own, clusters)).toBe(source);
});
