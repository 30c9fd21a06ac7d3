import { expect, it } from 'vitest';
import { EtcdReadError, type EtcdReadReason } from '../../src/etcd/read-error.ts';
import { explainRefusal, refusalOf } from '../../src/flows/etcd/refusal.ts';
import type { Flow, Target } from '../../src/flows/flow.ts';
import type { Direction } from '../../src/mesh/connect/direction.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { apiserverDeployment, certificateFacts, NOW, snapshotOf, tlsFacts } from '../support/snapshots.ts';

const [RUNNING, OTHER] = ['f'.repeat(64), '0'.repeat(64)];
const REPLACED = 'server-ca-replaced';

/** mesh-1's etcd was started with the CA of the mark; mesh-2 is to dial it. */
function direction(mark: string | undefined, beside: readonly string[]): Direction {
  const authorities = beside.map((sha256) => certificateFacts({ sha256, isCa: true }));
  const snapshot = snapshotOf({
    live: [mark === undefined ? apiserverDeployment() : markedAs(mark)],
    tlsSecrets: new Map([
      ['clustermesh-apiserver-server-cert', { ...tlsFacts('ca', {}), ca: authorities[0], authorities }],
    ]),
  });
  return {
    client: { identity: { name: 'mesh-2' }, snapshot: snapshotOf({ context: 'two' }) },
    server: { identity: { name: 'mesh-1' }, snapshot },
    credential: { user: 'remote-mesh-2' },
  } as Direction;
}

function markedAs(mark: string): KubeObject {
  const deployment = apiserverDeployment();
  const { template } = deployment.spec as { template: KubeObject };
  const metadata = { ...template.metadata, annotations: { 'meshctl.io/ca': mark } };
  return { ...deployment, spec: { ...(deployment.spec as object), template: { ...template, metadata } } };
}

it.each<[string, EtcdReadReason, string | undefined, string[], string]>([
  ['its CA was replaced since its start', 'timeout', RUNNING, [OTHER], REPLACED],
  ['so, and it says more', 'tls-client-rejected', RUNNING, [OTHER], REPLACED],
  ['it runs with that CA', 'timeout', RUNNING, [RUNNING], 'timeout'],
  ['it is in the middle of a rotation', 'timeout', RUNNING, [OTHER, RUNNING], 'timeout'],
  ['nobody knows what it runs with', 'timeout', undefined, [OTHER], 'timeout'],
  ['it is something else', 'tls-expired', RUNNING, [OTHER], 'tls-expired'],
])('an etcd that refuses a credential: %s', async (_what, reason, mark, beside, wanted) => {
  const of = direction(mark?.slice(0, 16), beside);
  const last = refusalOf(new EtcdReadError(reason, 'it refuses'), of);
  const told = await explainRefusal({} as Flow, {} as Target, of, last, []);
  expect(told.details.reason).toBe(wanted);
  if (wanted !== REPLACED) return;
  expect(told.message).toContain(
    'its server certificate is from another CA than the one that its etcd was started with',
  );
  expect(told.hint).toMatch(/: meshctl clustermesh enable --context one$/);
});

it.each([
  [
    { alert: 'certificate expired' },
    /to it the client certificate has expired or is not valid yet/,
    /get --raw \/version -v=8$/,
  ],
  [
    { alert: 'bad certificate' },
    /it refuses the client certificate/,
    /logs deployment\/clustermesh-apiserver -c etcd; or restart it/,
  ],
  [{}, /it refuses the client certificate/, /rollout restart deployment\/clustermesh-apiserver$/],
])('an etcd that refuses the client certificate: %j', (seen, says, hint) => {
  const of = direction(RUNNING, [RUNNING]);
  const told = refusalOf(new EtcdReadError('tls-client-rejected', 'it refuses', undefined, seen), of);
  expect(told.message).toMatch(says);
  expect(told.hint).toMatch(hint);
});

it.each<[EtcdReadReason, 'it is asked' | 'it is not']>([
  ['tls-client-rejected', 'it is asked'],
  ['permission-denied', 'it is asked'],
  ['unavailable', 'it is not'],
  ['timeout', 'it is not'],
  ['protocol', 'it is not'],
  ['tls-unknown-ca', 'it is not'],
  ['tls-expired', 'it is not'],
  ['tls-name', 'it is not'],
])('an etcd is said not to accept a credential only where it says so itself: %s, %s', (reason, asked) => {
  const { message } = refusalOf(new EtcdReadError(reason, 'no'), direction(RUNNING, [RUNNING]));
  const refuses = 'context "one": etcd does not accept the credential for "mesh-2" (user remote-mesh-2): ';
  const lacks = 'context "one": the credential for "mesh-2" (user remote-mesh-2) could not be proved to etcd: ';
  expect(message.startsWith(asked === 'it is asked' ? refuses : lacks), message).toBe(true);
});

it('a server certificate that only the clock of its own cluster refuses is not to be renewed', async () => {
  const whole = direction(RUNNING, [RUNNING]);
  const { server } = whole;
  const ahead = { ...server, snapshot: { ...server.snapshot, clockAheadMs: 1000 * 24 * 60 * 60 * 1000 } };
  const of = { ...whole, server: ahead };
  const last = refusalOf(new EtcdReadError('tls-expired', 'it expired'), of);
  const told = await explainRefusal({ now: () => NOW } as Flow, {} as Target, of, last, []);
  expect(told.message).toContain('by the clock of its own cluster');
  expect(told.hint).toMatch(/^The clock of context "one" is 1000 days ahead: .* check --context one --category tls$/);
  // Of one that has expired by every clock, a new one is issued.
  const late = new Date('2100-01-01T00:00:00Z');
  const expired = await explainRefusal({ now: () => late } as Flow, {} as Target, of, last, []);
  expect(expired.hint).toMatch(/clustermesh enable --context one$/);
});
