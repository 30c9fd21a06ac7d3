import { expect, it } from 'vitest';
import { withFlagsBehind } from '../../src/cli/flags-first.ts';
import { COMMAND_ALIASES, COMMANDS } from '../../src/commands/registry.ts';

it.each([
  ['--debug clustermesh status', 'clustermesh status --debug'],
  ['--context a clustermesh status --wait', 'clustermesh status --context a --wait'],
  ['--context=a mesh -v certs -n cilium list -o json', 'mesh certs list --context=a -v -n cilium -o json'],
  ['-ojson --all service list', 'service list -ojson --all'],
  ['-vv --kubeconfig k version', 'version -vv --kubeconfig k'],
  ['--context service service list', 'service list --context service'],
  ['clustermesh status --context a', 'clustermesh status --context a'],
  ['--debug clustermesh --help', 'clustermesh --help'],
  ['--context a --help', '--help'],
  ['--context a clustermesh stauts', 'clustermesh stauts --context a'],
  ['--contxt a clustermesh status', '--contxt a clustermesh status'],
  ['--version', '--version'],
  ['help clustermesh enable', 'help clustermesh enable'],
  ['', ''],
])('%s', (line, expected) => {
  const words = (text: string) => text.split(' ').filter((word) => word !== '');
  expect(withFlagsBehind(COMMANDS, COMMAND_ALIASES, words(line))).toEqual(words(expected));
});
