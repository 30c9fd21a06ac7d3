import { describe, expect, it } from 'vitest';
import { requireRolling, stallOf } from '../../src/mesh/apiserver/stall.ts';
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
