import { expect, it } from 'vitest';
import { withoutVariables } from '../../src/cli/environment.ts';
import { COMMANDS } from '../../src/commands/registry.ts';

it('what stands in for flags is kept from command lines that meshctl runs itself, as in the demo', () => {
  const env = { MESHCTL_CONTEXT: 'a', CILIUM_NAMESPACE: 'b', MESHCTL_NAMESPACE: 'c', KUBECONFIG: 'k', PATH: '/bin' };
  expect(withoutVariables(env, COMMANDS)).toEqual({ KUBECONFIG: 'k', PATH: '/bin' });
});
