import { expect, it } from 'vitest';
import { describeFindings } from '../../src/mesh/checks/catalogue.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { USERS_CHECKS } from '../../src/mesh/checks/users.ts';
import { apiserverDeployment, NOW, snapshotOf } from '../support/snapshots.ts';

const cluster = snapshotOf({
  live: [apiserverDeployment()],
  remoteUsers: [{ name: 'remote-mesh-2', role: 'remote' }],
});
const judge = (etcdUsers: string[], etcdsUnasked: string[] = []) => {
  const seen = { containers: [], nodes: [], etcdUsers: new Map([['one', etcdUsers]]), etcdsUnasked };
  const input = { clusters: [cluster], now: NOW, observed: new Map([[cluster.context, seen]]) };
  return runChecks(USERS_CHECKS, input as never);
};

it('is no pass while the etcd of one of several pods did not tell', () => {
  const severities = (unasked: string[]) => judge(['root', 'remote-mesh-2'], unasked).map(({ severity }) => severity);
  expect(severities([])).toEqual(['pass']);
  expect(severities(['two'])).toEqual(['skip']);
});

it('fails where etcd has no root: it asks no client who it is, whatever else it has', () => {
  const [finding, ...more] = describeFindings(USERS_CHECKS, judge(['remote-mesh-2']));
  expect(more).toEqual([]);
  expect(finding).toMatchObject({ id: 'tls-users-made', severity: 'fail' });
  expect(finding?.message).toContain('etcd of one has no user root, so it has lost its data');
});
