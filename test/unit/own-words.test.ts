import { expect, it } from 'vitest';
import { ownWords } from '../../src/cli/own-words.ts';
import { APPLY } from '../../src/commands/apply-spec.ts';

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

it.each<[string[], string[]]>([
  [['--dry-run'], []],
  [['--dry-run', 'server', '--prune'], ['--prune']],
  [['--dry-run=server', '-y', '--prune'], ['--prune']],
  [['--yes', '--dry-run', '--prune'], ['--prune']],
  [
    ['-f', 'a --dry-run b.yaml', '--kubeconfig', 'k', '--yes'],
    ['-f', 'a --dry-run b.yaml'],
  ],
  [
    ['--wait-duration', '5m', '--yes', '-f', 'a'],
    ['-f', 'a'],
  ],
  [['--wait-duration=5m'], []],
])('leaves out what it is told to, with its value, and nothing that only looks like it: apply %j', (flags, words) => {
  const without = ['--dry-run', '--yes', '--wait-duration'];
  expect(ownWords(APPLY, ['apply', ...flags], without)).toEqual(words);
});

it('keeps the namespace that a command is about, where Cilium has a flag of its own', () => {
  const command = {
    path: ['service', 'global'],
    options: [{ flags: '--cilium-namespace <namespace>', description: '' }],
  };
  const argv = ['service', 'global', 'web', '-n', 'shop', '--cilium-namespace', 'nope'];
  expect(ownWords(command, argv)).toEqual(['web', '-n', 'shop']);
});
