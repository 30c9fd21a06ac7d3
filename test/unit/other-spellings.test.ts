import { expect, it } from 'vitest';
import { commandOf } from '../../src/cli/flags-first.ts';
import { inOwnSpelling } from '../../src/cli/other-spellings.ts';
import { COMMAND_ALIASES, COMMANDS } from '../../src/commands/registry.ts';

it.each([
  ['clustermesh status --wait=true --all=false', 'clustermesh status --wait'],
  ['mesh status --timeout 5m', 'mesh status --wait-duration 5m'],
  ['clustermesh enable --timeout=5m', 'clustermesh enable --wait-duration=5m'],
  ['clustermesh disconnect --wait=false --yes=true', 'clustermesh disconnect --no-wait --yes'],
  ['clustermesh disconnect --wait=true --no-wait=false', 'clustermesh disconnect'],
  ['clustermesh disable --wait=false', 'clustermesh disable --no-wait'],
  ['clustermesh enable --wait --context a', 'clustermesh enable --context a'],
  ['apply --wait=true -f a', 'apply -f a'],
  ['clustermesh accept --wait=false a', 'clustermesh accept --wait=false a'],
  ['clustermesh firewall --wait', 'clustermesh firewall --wait'],
  ['clustermesh connect --rollback=false', 'clustermesh connect --no-rollback'],
  ['service global a/b --shared=false', 'service global a/b --shared=false'],
  ['service list --headers=false', 'service list --no-headers'],
  ['clustermesh status --context=true', 'clustermesh status --context=true'],
  ['clustermesh status --wait=maybe', 'clustermesh status --wait=maybe'],
  ['clustermesh status -- --timeout', 'clustermesh status -- --timeout'],
  ['clustermesh --timeout', 'clustermesh --timeout'],
  ['clustermesh status -o=json -n=cilium', 'clustermesh status --output=json --namespace=cilium'],
  ['clustermesh status -n=a=b,c=d', 'clustermesh status --namespace=a=b,c=d'],
  ['clustermesh status -v=2 -q=true', 'clustermesh status --verbose --verbose --quiet'],
  ['clustermesh status --verbose=1 -v=0 -q=false', 'clustermesh status --verbose'],
  ['clustermesh status -h=true --help=false', 'clustermesh status --help'],
  ['clustermesh status -v=12 -v=x', 'clustermesh status --verbose=12 --verbose=x'],
  ['apply -f=mesh.yaml -o=json', 'apply --filename=mesh.yaml --output=json'],
  ['clustermesh status -x=1 -ojson -- -o=json', 'clustermesh status -x=1 --output=json -- -o=json'],
  ['clustermesh status -qo json -qvojson', 'clustermesh status -q -o json -q -v --output=json'],
  ['clustermesh status -qo=json -vvv -qx', 'clustermesh status -q --output=json -v -v -v -qx'],
  ['clustermesh status --as -qv -- -qv', 'clustermesh status --as -qv -- -qv'],
  ['service list -Aojson', 'service list -A --output=json'],
])('%s', (line, expected) => {
  const words = line.split(' ');
  expect(inOwnSpelling(commandOf(COMMANDS, COMMAND_ALIASES, words), words).join(' ')).toBe(expected);
});
