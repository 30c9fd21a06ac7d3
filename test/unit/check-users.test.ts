import { expect, it } from 'vitest';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { USERS_CHECKS } from '../../src/mesh/checks/users.ts';
import { apiserverDeployment, NOW, snapshotOf } from '../support/snapshots.ts';

it('is no pass while the etcd of one of several pods did not tell', () => {
  const cluster = snapshotOf({
    live: [apiserverDeployment()],
    remoteUsers: [{ name: 'remote-mesh-2', role: 'remote' }],
  });
  const severities = (etcdsUnasked: string[]) => {
    const seen = { containers: [], nodes: [], etcdUsers: new Map([['one', ['root', 'remote-mesh-2']]]), etcdsUnasked };
    const input = { clusters: [cluster], now: NOW, observed: new Map([[cluster.context, seen]]) };
    return runChecks(USERS_CHECKS, input as never).map(({ severity }) => severity);
  };
  expect(severities([])).toEqual(['pass']);
  expect(severities(['two'])).toEqual(['skip']);
});
