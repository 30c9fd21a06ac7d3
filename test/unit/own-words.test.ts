import { expect, it } from 'vitest';
import { ownWords } from '../../src/cli/own-words.ts';

it.each<[string, string[], string[]]>([
  [
    'clustermesh enable',
    ['clustermesh', 'enable', '--context', 'a,b', '--replicas', '2'],
    ['--context', 'a,b', '--replicas', '2'],
  ],
  ['clustermesh enable', ['cm', 'enable', '--kubeconfig', 'k', '--as=me', '-n', 'x', '--context=a'], ['--context=a']],
  [
    'clustermesh enable',
    ['clustermesh', 'enable', '--dry-run=server', '-ojson', '--debug', '-y'],
    ['--dry-run=server', '-y'],
  ],
  ['clustermesh enable', ['clustermesh', 'enable', '-vv', '-q', '--color', 'never', '--context=a'], ['--context=a']],
  ['service global', ['service', 'global', 'ns/name', '--shared', 'false'], ['ns/name', '--shared', 'false']],
])('%s %j', (path, argv, words) => {
  expect(ownWords({ path: path.split(' ') }, argv)).toEqual(words);
});

it('keeps the namespace that a command is about, where Cilium has a flag of its own', () => {
  const command = {
    path: ['service', 'global'],
    options: [{ flags: '--cilium-namespace <namespace>', description: '' }],
  };
  const argv = ['service', 'global', 'web', '-n', 'shop', '--cilium-namespace', 'nope'];
  expect(ownWords(command, argv)).toEqual(['web', '-n', 'shop']);
});
