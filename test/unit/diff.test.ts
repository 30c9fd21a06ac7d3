import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { applyChanges, changesTo } from '../../src/mesh/plan/diff.ts';

describe('changesTo', () => {
  it.each<[string, unknown, unknown, { path: string; from?: unknown; to?: unknown }[]]>([
    ['equal scalars', { a: 1 }, { a: 1 }, []],
    ['fields that only the live object has', { a: 1, b: 2 }, { a: 1 }, []],
    ['a changed field', { a: 1 }, { a: 2 }, [{ path: 'a', from: 1, to: 2 }]],
    ['a missing field', {}, { a: { b: 2 } }, [{ path: 'a.b', to: 2 }]],
    ['nothing and emptiness', {}, { a: '', b: [], c: {}, d: null }, []],
    [
      'list entries by their name, in any order',
      {
        list: [
          { name: 'b', x: 1, defaulted: true },
          { name: 'a', x: 1 },
        ],
      },
      {
        list: [
          { name: 'a', x: 1 },
          { name: 'b', x: 2 },
        ],
      },
      [{ path: 'list[b].x', from: 1, to: 2 }],
    ],
    [
      'a new list entry',
      { list: [{ name: 'a' }] },
      { list: [{ name: 'a' }, { name: 'b' }] },
      [{ path: 'list[b].name', to: 'b' }],
    ],
    [
      'entries that others added to a keyed list',
      { list: [{ name: 'a' }, { name: 'sidecar' }] },
      { list: [{ name: 'a' }] },
      [],
    ],
    [
      'the order of a plain list',
      { args: ['a', 'b'] },
      { args: ['b', 'a'] },
      [{ path: 'args', from: ['a', 'b'], to: ['b', 'a'] }],
    ],
    [
      'defaults within a list of records without a key',
      { rules: [{ verbs: ['get'], extra: 1 }] },
      { rules: [{ verbs: ['get'] }] },
      [],
    ],
  ])('sees %s', (_case, live, desired, changes) => {
    expect(changesTo(live, desired)).toEqual(changes);
  });
});

describe('applyChanges', () => {
  const object = (fields: Record<string, unknown>, annotations: Record<string, string> = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's', annotations },
    ...fields,
  });
  const owned = (live: KubeObject, manager: string, fieldsV1: Record<string, unknown>): KubeObject => ({
    ...live,
    metadata: { ...live.metadata, managedFields: [{ manager, operation: 'Apply', fieldsV1 }] },
  });

  it('names fields that were applied before and are wanted no more', () => {
    const live = owned(object({ spec: { a: 1, b: 2 } }, { keep: 'x', drop: 'y' }), 'meshctl', {
      'f:metadata': { 'f:annotations': { 'f:keep': {}, 'f:drop': {} } },
      'f:spec': { 'f:a': {}, 'f:b': {} },
    });
    expect(applyChanges(live, object({ spec: { a: 1 } }, { keep: 'x' }), 'meshctl')).toEqual([
      { path: 'metadata.annotations.drop', from: 'y' },
      { path: 'spec.b', from: 2 },
    ]);
  });

  it('follows list keys, with the parts that the API server defaults', () => {
    const live = owned(
      object({
        spec: {
          ports: [
            { port: 1, protocol: 'TCP' },
            { port: 2, protocol: 'TCP' },
          ],
        },
      }),
      'meshctl',
      {
        'f:spec': {
          'f:ports': {
            'k:{"port":1,"protocol":"TCP"}': { '.': {}, 'f:port': {} },
            'k:{"port":2,"protocol":"TCP"}': { '.': {}, 'f:port': {} },
          },
        },
      },
    );
    expect(applyChanges(live, object({ spec: { ports: [{ port: 1 }] } }), 'meshctl')).toEqual([
      { path: 'spec.ports[2/TCP]', from: { port: 2, protocol: 'TCP' } },
    ]);
  });

  it.each([
    ['NodePort', 'LoadBalancer', {}, []],
    ['LoadBalancer', 'NodePort', {}, []],
    [
      'NodePort',
      'LoadBalancer',
      { allocateLoadBalancerNodePorts: false },
      [{ path: 'spec.ports[1/TCP].nodePort', from: 30001 }],
    ],
    ['NodePort', 'ClusterIP', {}, [{ path: 'spec.ports[1/TCP].nodePort', from: 30001 }]],
  ])(
    'of a Service that was a %s and becomes a %s (%j), the API server decides about node ports',
    (was, type, more, given) => {
      const live = owned(
        object({ spec: { type: was, ports: [{ port: 1, protocol: 'TCP', nodePort: 30001 }] } }),
        'meshctl',
        {
          'f:spec': {
            'f:type': {},
            'f:ports': { 'k:{"port":1,"protocol":"TCP"}': { 'f:port': {}, 'f:nodePort': {} } },
          },
        },
      );
      const changes = applyChanges(live, object({ spec: { type, ports: [{ port: 1 }], ...more } }), 'meshctl');
      expect(changes.filter(({ path }) => path.endsWith('nodePort'))).toEqual(given);
    },
  );

  it('gives up its own fields of a mapping that it wants no longer, and leaves those of others out', () => {
    const live = owned(object({}, { own: 'a', 'deployment.kubernetes.io/revision': '2' }), 'meshctl', {
      'f:metadata': { 'f:annotations': { 'f:own': {} } },
    });
    expect(applyChanges(live, object({}), 'meshctl')).toEqual([{ path: 'metadata.annotations.own', from: 'a' }]);
  });

  it("takes a Service's selector as a whole", () => {
    const live = object({ spec: { selector: { app: 'x', more: 'y' } } });
    expect(applyChanges(live, object({ spec: { selector: { app: 'x' } } }), 'meshctl')).toEqual([
      { path: 'spec.selector', from: { app: 'x', more: 'y' }, to: { app: 'x' } },
    ]);
    expect(applyChanges(live, object({ spec: { selector: { more: 'y', app: 'x' } } }), 'meshctl')).toEqual([]);
  });

  it('has no opinion on annotations that others made where it wants none', () => {
    const live = object({}, { 'deployment.kubernetes.io/revision': '1' });
    const { annotations: _none, ...metadata } = live.metadata;
    expect(applyChanges(live, { ...live, metadata }, 'meshctl')).toEqual([]);
  });

  it('leaves alone what other managers own', () => {
    const live = owned(object({ spec: { a: 1, b: 2 } }), 'helm', { 'f:spec': { 'f:b': {} } });
    expect(applyChanges(live, object({ spec: { a: 1 } }), 'meshctl')).toEqual([]);
  });
});
