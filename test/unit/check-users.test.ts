import { expect, it } from 'vitest';
import { describeFindings } from '../../src/mesh/checks/catalogue.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { USERS_CHECKS } from '../../src/mesh/checks/tls/users.ts';
import { keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import { apiserverDeployment, NOW, snapshotOf } from '../support/snapshots.ts';

const cluster = snapshotOf({
  live: [apiserverDeployment()],
  remoteUsers: [{ name: 'remote-mesh-2', role: 'remote' }],
});
const judge = (etcdUsers: string[], etcdsUnasked: string[] = [], of = cluster) => {
  const seen = { containers: [], nodes: [], etcdUsers: new Map([['one', etcdUsers]]), etcdsUnasked };
  const input = { clusters: [of], now: NOW, observed: new Map([[of.context, seen]]) };
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

it.each([
  [
    'to wait where the list was changed a moment ago, as by each disconnect',
    10_000,
    /^Wait .*: meshctl clustermesh check --context one --category tls$/,
  ],
  ['to replace the pod later', 600_000, /^kubectl .* rollout restart deployment\/clustermesh-apiserver$/],
])('etcd that has a user who is not in the list any more leads %s', (_what, agoMs, hint) => {
  const time = new Date(NOW.getTime() - agoMs).toISOString();
  const metadata = { name: 'clustermesh-remote-users', namespace: 'kube-system', managedFields: [{ time }] };
  const list = { apiVersion: 'v1', kind: 'ConfigMap', metadata };
  const changed = { ...cluster, objects: new Map([...cluster.objects, [keyOf(refOf(list)), list]]) };
  const findings = describeFindings(USERS_CHECKS, judge(['root', 'remote-mesh-2', 'remote-mesh-3'], [], changed));
  expect(findings).toMatchObject([{ severity: 'warn', hint: expect.stringMatching(hint) }]);
});
