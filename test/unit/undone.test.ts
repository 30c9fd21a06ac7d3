import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { type OwnWrite, undoneFields } from '../../src/mesh/plan/undone.ts';

/** An object as it was, as a run has left it, as it is at the end, and what of that is to be told. */
interface Case {
  before: object;
  after: object;
  live: object;
  undone: string[];
}

const deployment = (replicas: number, image = 'a') => ({
  spec: { replicas, template: { spec: { containers: [{ name: 'apiserver', image }] } } },
});
const annotated = (annotations: Record<string, string>) => ({ metadata: { annotations } });
const GLOBAL = 'service.cilium.io/global';

const CASES: Record<string, Case> = {
  'a number that an owner has put back': {
    before: deployment(1),
    after: deployment(2),
    live: deployment(1),
    undone: ['spec.replicas'],
  },
  'what stands': { before: deployment(1), after: deployment(2), live: deployment(2), undone: [] },
  'what another run has set otherwise since': {
    before: deployment(1),
    after: deployment(2),
    live: deployment(3),
    undone: [],
  },
  'what somebody has changed beside it': {
    before: deployment(1),
    after: deployment(2),
    live: deployment(2, 'b'),
    undone: [],
  },
  'a part of a list': {
    before: deployment(1, 'a'),
    after: deployment(2, 'b'),
    live: deployment(2, 'a'),
    undone: ['spec.template.spec.containers[apiserver].image'],
  },
  'a key that was taken out and is there again': {
    before: { data: { 'mesh-2': 'x' } },
    after: { data: {} },
    live: { data: { 'mesh-2': 'x' } },
    undone: ['data.mesh-2'],
  },
  'a key that was written and has gone': {
    before: { data: { other: 'x' } },
    after: { data: { other: 'x', 'mesh-2': 'y' } },
    live: { data: { other: 'x' } },
    undone: ['data.mesh-2'],
  },
  'a key of another peer': {
    before: { data: { 'mesh-2': 'x' } },
    after: { data: {} },
    live: { data: { 'mesh-3': 'z' } },
    undone: [],
  },
  'an annotation that was taken away': {
    before: annotated({ [GLOBAL]: 'true' }),
    after: annotated({}),
    live: annotated({ [GLOBAL]: 'true' }),
    undone: [`metadata.annotations.${GLOBAL}`],
  },
  'a mark of meshctl, which another run takes away': {
    before: annotated({}),
    after: annotated({ 'meshctl.io/one-way': 'mesh-2' }),
    live: annotated({}),
    undone: [],
  },
};

const object = (content: object) => {
  const { metadata, ...rest } = content as Partial<KubeObject>;
  return { apiVersion: 'v1', kind: 'Any', ...rest, metadata: { name: 'one', ...metadata } } as KubeObject;
};

it.each(Object.entries(CASES))('%s', (_what, { before, after, live, undone }) => {
  expect(undoneFields([{ before: object(before), after: object(after) }], object(live))).toEqual(undone);
});

it('of an object that a run has made, what is not there any more counts', () => {
  const write = { before: undefined, after: object(deployment(2, 'b')) };
  expect(undoneFields([write], object(deployment(3, 'b')))).toEqual([]);
  expect(undoneFields([write], object({ spec: { replicas: 2 } }))).toEqual([
    'spec.template.spec.containers[apiserver].name',
    'spec.template.spec.containers[apiserver].image',
  ]);
});

describe('what the API server sets beside a field of a run', () => {
  const meant = object({ spec: { type: 'LoadBalancer' } });
  const after = object({ spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Cluster' } });

  it('is not told with it', () => {
    const was = object({ spec: { type: 'ClusterIP' } });
    expect(undoneFields([{ before: was, after, meant }], was)).toEqual(['spec.type']);
  });

  it('nor is it where the run has made the object', () => {
    const live = object({ spec: { type: 'ClusterIP' } });
    expect(undoneFields([{ before: undefined, after, meant }], live)).toEqual([]);
  });
});

describe('several writes of one object', () => {
  const KEYS = ['a', 'b', 'c'];
  type Data = Record<string, string>;
  const content = (data: Data) => object({ data });
  /** Of either hand: a key that is set, or taken out. */
  const write = fc.record({
    isOwn: fc.boolean(),
    key: fc.constantFrom(...KEYS),
    to: fc.constantFrom('x', 'y', 'z', undefined),
  });

  const written = (data: Data, key: string, to: string | undefined): Data => {
    const { [key]: _former, ...others } = data;
    return to === undefined ? others : { ...others, [key]: to };
  };

  it('each counts for what it has changed, whatever others write in between', () => {
    const start = fc.option(fc.dictionary(fc.constantFrom(...KEYS), fc.constantFrom<string>('x', 'y')), {
      nil: undefined,
    });
    fc.assert(
      fc.property(start, fc.array(write, { maxLength: 8 }), (first, writes) => {
        let data = first;
        const own: OwnWrite[] = [];
        const was = new Map<string, (string | undefined)[]>();
        const made = new Map<string, string | undefined>();
        for (const { isOwn, key, to } of writes) {
          const next = written(data ?? {}, key, to);
          if (isOwn && data?.[key] !== to) {
            was.set(key, [...(was.get(key) ?? []), data?.[key]]);
            made.set(key, to);
          }
          if (isOwn) own.push({ before: data && content(data), after: content(next) });
          // Others make nothing of their own here.
          if (isOwn || data) data = next;
        }
        const is = data ?? {};
        const undone = [...made].filter(([key, to]) => is[key] !== to && was.get(key)?.includes(is[key]));
        expect(undoneFields(own, content(is)).sort()).toEqual(undone.map(([key]) => `data.${key}`).sort());
      }),
    );
  });
});
