import { describe, expect, it } from 'vitest';
import { requireRolling, stallOf } from '../../src/mesh/apiserver/stall.ts';
import { enableAdvice, lostAuthority } from '../../src/mesh/certificates/authority.ts';
import { enableOnceGone, unfinishedDisable } from '../../src/mesh/enable/unfinished-disable.ts';
import { mendOf } from '../../src/mesh/faults/fault-advice.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import { requireStaying } from '../../src/mesh/plan/going.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
import { apiserverDeployment, secretObject, snapshotOf } from '../support/snapshots.ts';

const PLACE = { context: 'mesh-1', namespace: 'kube-system' };
const GOING = { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['example.com/x'] };

function deployment(spec: object, status: object, metadata: object = {}): KubeObject {
  const live = apiserverDeployment();
  return {
    ...live,
    metadata: { ...live.metadata, ...metadata },
    spec: { ...(live.spec as object), ...spec },
    status: { observedGeneration: 1, ...status },
  };
}

function step(object: KubeObject, action: Step['action'], paths: readonly string[] = []): Step {
  const changes = paths.map((path) => ({ path }));
  return { cluster: 'mesh-1', action, object: refOf(object), changes, why: '', before: object };
}

function snapshotWith(object: KubeObject) {
  return snapshotOf({ context: 'mesh-1', objects: new Map([[keyOf(refOf(object)), object]]) });
}

describe('a Deployment that gets no new pods', () => {
  const old = { replicas: 1, updatedReplicas: 0, availableReplicas: 1 };
  const all = { replicas: 1, updatedReplicas: 1, availableReplicas: 1 };
  it.each<[string, KubeObject, RegExp | undefined]>([
    ['rolls out', deployment({}, old), undefined],
    ['is paused, and has all pods', deployment({ paused: true }, all), undefined],
    [
      'is paused, and is scaled up',
      deployment({ paused: true, replicas: 2 }, { ...all, availableReplicas: 1 }),
      undefined,
    ],
    [
      'is paused before its controller looked',
      deployment({ paused: true }, { ...old, observedGeneration: 0 }),
      undefined,
    ],
    ['is paused with old pods', deployment({ paused: true }, old), /rollout resume deployment\/clustermesh-apiserver$/],
    ['is paused without pods', deployment({ paused: true }, {}), /rollout resume deployment\/clustermesh-apiserver$/],
    ['is being deleted', deployment({}, all, GOING), /wait --for=delete .* && meshctl clustermesh enable/],
  ])('%s', (_, live, hint) => {
    if (hint) expect(stallOf(PLACE, live)?.hint).toMatch(hint);
    else expect(stallOf(PLACE, live)).toBeUndefined();
  });

  it('is not given a template that it would not roll out', () => {
    const paused = deployment({ paused: true }, all);
    const plan = (path: string) => () => requireRolling(snapshotWith(paused), [step(paused, 'update', [path])]);
    expect(plan('spec.template.metadata.annotations.meshctl.io/ca')).toThrow(
      /is paused, and this change needs new pods/,
    );
    expect(plan('spec.replicas')).not.toThrow();
  });
});

describe('what is being deleted', () => {
  const secret = secretObject('cilium-kvstoremesh', {});
  const going = { ...secret, metadata: { ...secret.metadata, ...GOING } };
  it.each<[string, Partial<Step>, boolean]>([
    ['kept', { action: 'keep' }, true],
    ['changed', { action: 'update', write: { method: 'patch', patch: {} } }, true],
    ['emptied, and so deleted', { action: 'delete', write: { method: 'edit', edit: () => 'delete' } }, true],
    ['deleted', { action: 'delete', write: { method: 'delete' } }, false],
  ])('is not %s', (_, how, isRefused) => {
    const check = () => requireStaying([{ ...step(going, 'keep'), ...how }]);
    if (isRefused)
      expect(check).toThrow(/Secret kube-system\/cilium-kvstoremesh is being deleted, held by its finalizer/);
    else expect(check).not.toThrow();
    expect(() => requireStaying([{ ...step(secret, 'keep'), ...how }])).not.toThrow();
  });
});

describe('a CA that went with the rest', () => {
  const started = () =>
    deployment({ template: { metadata: { annotations: { 'meshctl.io/ca': 'abc' } }, spec: { containers: [] } } }, {});
  const users = (): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'clustermesh-remote-users', namespace: 'kube-system' },
  });
  it.each<[string, () => KubeObject]>([
    ['Secret with a certificate', () => secretObject('clustermesh-apiserver-admin-cert', { 'tls.crt': 'x' })],
    ['Deployment whose pods started with it', started],
    ['Secret that names peers', () => secretObject('cilium-clustermesh', { 'mesh-2': 'endpoints:\n- x\n' })],
    ['list of users, for a peer that dials', users],
  ])('is told by a %s, not by one that goes too', (_, object) => {
    const peer = snapshotOf({
      context: 'mesh-2',
      ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' },
      live: [secretObject('cilium-clustermesh', { 'mesh-1': 'endpoints:\n- https://10.0.0.1:2379\n' })],
    });
    const tracesOf = (live: KubeObject) => {
      const one = { ...snapshotWith(live), ciliumConfig: { 'cluster-name': 'mesh-1', 'cluster-id': '1' } };
      return lostAuthority({ ...one, ca: undefined, tlsSecrets: new Map() }, [peer])?.traces;
    };
    const live = object();
    expect(tracesOf(live)).toBeDefined();
    expect(tracesOf({ ...live, metadata: { ...live.metadata, ...GOING } })).toBeUndefined();
  });
});

describe('an unfinished disable', () => {
  const service: KubeObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      ...{ name: 'clustermesh-apiserver', namespace: 'kube-system', ...GOING },
      labels: { 'app.kubernetes.io/managed-by': 'meshctl' },
      managedFields: [{ manager: 'meshctl' }],
    },
  };
  const snapshot = snapshotWith(service);
  const wait = 'kubectl --context mesh-1 -n kube-system wait --for=delete service/clustermesh-apiserver --timeout=5m';
  const unfinished = unfinishedDisable(snapshot);

  it('is waited for before enable, with which nothing is left that would need its CA back', () => {
    expect(unfinished?.wait).toBe(wait);
    const enable = `${wait} && meshctl clustermesh enable --context mesh-1`;
    expect(enableAdvice({ ...PLACE, unsigned: true, unfinished })).toBe(enable);
    const other = snapshotOf({ context: 'mesh-2' });
    expect(enableOnceGone([snapshot, other])).toBe(`${enable},mesh-2`);
    expect(enableOnceGone([other])).toBe('meshctl clustermesh enable --context mesh-2');
  });

  it('is waited for before a cluster that others dial is joined again', () => {
    const place = { ...PLACE, component: 'apiserver', object: '', outage: true, says: '' } as const;
    expect(mendOf({ id: 'mesh-disabled', ...place, peers: ['mesh-2'], unfinished }, new Map())).toContain(
      `or join it again: ${wait} && meshctl clustermesh enable --context mesh-1 && meshctl clustermesh connect`,
    );
    expect(mendOf({ id: 'apiserver-missing', ...place, unfinished }, new Map())).toMatch(
      /^kubectl .* wait --for=delete/,
    );
  });
});
