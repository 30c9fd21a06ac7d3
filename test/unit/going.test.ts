import { describe, expect, it } from 'vitest';
import { requireRolling, stallOf } from '../../src/mesh/apiserver/stall.ts';
import { enableAdvice, lostAuthority } from '../../src/mesh/certificates/authority.ts';
import { enableOnceGone, leftOut, unfinishedDisable } from '../../src/mesh/enable/unfinished-disable.ts';
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
    const check = () => requireStaying([{ ...step(going, 'keep'), ...how }], []);
    if (isRefused)
      expect(check).toThrow(/Secret kube-system\/cilium-kvstoremesh is being deleted, held by its finalizer/);
    else expect(check).not.toThrow();
    expect(() => requireStaying([{ ...step(secret, 'keep'), ...how }], [])).not.toThrow();
  });

  it.each<[string, Partial<Step>, boolean]>([
    ['what is kept', { action: 'keep' }, false],
    ['what is new', { action: 'create', before: undefined, write: { method: 'create', object: secret } }, true],
    ['what is changed', { action: 'update', write: { method: 'patch', patch: {} } }, true],
    ['what is deleted', { action: 'delete', write: { method: 'delete' } }, false],
    ['what is in no namespace', { action: 'create', object: { apiVersion: 'v1', kind: 'X', name: 'x' } }, false],
    ['what is in another cluster', { action: 'create', cluster: 'mesh-2' }, false],
  ])('and is the namespace: %s', (_, how, isRefused) => {
    const goingNamespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system', ...GOING } };
    const home = { context: 'mesh-1', namespace: 'kube-system', goingNamespace };
    for (const one of [secret, going]) {
      const check = () => requireStaying([{ ...step(one, 'update'), ...how }], [home]);
      if (isRefused) expect(check).toThrow(/^context "mesh-1": Namespace kube-system is being deleted[^;]*$/);
      else if (one === secret) expect(check).not.toThrow();
    }
  });

  it('is named and waited for at once, also in several clusters and namespaces', () => {
    const named = (name: string, namespace: string) => ({ ...going, metadata: { ...going.metadata, name, namespace } });
    const write = { method: 'patch', patch: {} } as const;
    const steps = [
      { ...step(named('a', 'x'), 'update'), write },
      { ...step(named('b', 'x'), 'keep') },
      { ...step(named('c', 'y'), 'update'), write },
      { ...step(named('d', 'x'), 'update'), write, cluster: 'mesh-2' },
    ];
    const held = 'is being deleted, held by its finalizer example.com/x';
    const says = `context "mesh-1": Secret x/a ${held}; Secret x/b ${held}; Secret y/c ${held}; context "mesh-2": Secret x/d ${held}`;
    const wait = (context: string, namespace: string, names: string) =>
      `kubectl --context ${context} -n ${namespace} wait --for=delete ${names} --timeout=5m`;
    const waits = [
      wait('mesh-1', 'x', 'secret/a secret/b'),
      wait('mesh-1', 'y', 'secret/c'),
      wait('mesh-2', 'x', 'secret/d'),
    ];
    expect(() => requireStaying(steps, [])).toThrow(
      expect.objectContaining({
        message: says,
        hint: `Run the same command again once all of it is gone: ${waits.join(' && ')}`,
      }),
    );
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

  const enable = `${wait} && meshctl clustermesh enable --context mesh-1`;
  const disable = `${wait} && meshctl clustermesh disable --context mesh-1`;
  const both = `finish the disable: ${disable}; or enable it again: ${enable}`;

  it('is finished or taken back, with which nothing is left that would need its CA back', () => {
    expect(unfinished?.wait).toBe(wait);
    expect(enableAdvice({ ...PLACE, unsigned: true, unfinished })).toBe(both);
  });

  it('is waited for by who wants it enabled', () => {
    const other = snapshotOf({ context: 'mesh-2' });
    expect(enableOnceGone([snapshot, other])).toBe(`${enable},mesh-2`);
    expect(enableOnceGone([other])).toBe('meshctl clustermesh enable --context mesh-2');
  });

  it('is why a cluster is left out, with both ways on', () => {
    const out = 'context "mesh-1" is left out: Cluster Mesh is not enabled there';
    expect(leftOut(snapshot)).toBe(`${out}; ${unfinished?.says} → ${both}`);
    expect(leftOut(snapshotOf({ context: 'mesh-1' }))).toBe(out);
  });

  it('is finished before others forget the cluster, or waited for before it is joined again', () => {
    const place = { ...PLACE, component: 'apiserver', object: '', outage: true, says: '' } as const;
    expect(mendOf({ id: 'mesh-disabled', ...place, peers: ['mesh-2'], unfinished }, new Map())).toBe(
      `finish the disable and forget it: ${disable} && meshctl clustermesh disconnect --context '<context of mesh-2>' --peer mesh-1; ` +
        `or join it again: ${enable} && meshctl clustermesh connect --context mesh-1 --destination-context '<context of mesh-2>'`,
    );
    expect(mendOf({ id: 'apiserver-missing', ...place, unfinished }, new Map())).toBe(both);
  });
});
