import { expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { undoneFields } from '../../src/mesh/plan/undone.ts';

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
  expect(undoneFields(object(before), object(after), object(live))).toEqual(undone);
});

it('what the API server sets beside a field of a run is not told with it', () => {
  const managedFields = [{ manager: 'meshctl', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:type': {} } } }];
  const after = { metadata: { managedFields }, spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Cluster' } };
  const was = { spec: { type: 'ClusterIP' } };
  expect(undoneFields(object(was), object(after), object(was))).toEqual(['spec.type']);
});
