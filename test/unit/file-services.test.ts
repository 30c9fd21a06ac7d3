import { describe, expect, it } from 'vitest';
import type { MeshSpec } from '../../src/mesh/file/mesh-spec.ts';
import { type ClusterServiceObjects, missingServicesHint, planServices } from '../../src/mesh/file/services.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';

const NAMES = ['a', 'b', 'c'];
const SERVICE: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'shop', name: 'web', annotations: { 'service.cilium.io/global': 'true' } },
  spec: { selector: { app: 'web' } },
};

/** The clusters that were read, of those of the file: with a capital, those that have the Service, global or, with `-`, not. */
const readOf = (words: string) =>
  (words.match(/\w-?/g) ?? []).map((letter): ClusterServiceObjects => {
    const cluster = letter.charAt(0).toLowerCase();
    const has = letter.charAt(0) !== cluster;
    const { annotations, ...metadata } = SERVICE.metadata;
    const service = letter.endsWith('-') ? { ...SERVICE, metadata } : SERVICE;
    return { context: `at-${cluster}`, cluster, services: new Map(has ? [['shop/web', service]] : []) };
  });

const specOf = (clusters?: readonly string[]): MeshSpec => ({
  names: ['test'],
  clusters: NAMES.map((name) => ({ name, context: `at-${name}`, connectOnly: false, enable: {}, external: [] })),
  dials: [],
  services: [{ namespace: 'shop', name: 'web', among: NAMES, ...(clusters ? { clusters } : {}) }],
  servicesOf: NAMES,
});

const CREATE = (name: string) => `kubectl --context at-${name} -n shop create service clusterip web --tcp 80`;
const NOWHERE =
  'Take out of the file what none of its clusters has (services: shop/web), or create it, here with port 80: ';
const COPY = (contexts: string, effect = '') =>
  `Name in the file the clusters that have it, or copy it${effect}: meshctl service global --context ${contexts} shop/web --create-missing`;

describe('a Service that a file names', () => {
  it.each<[what: string, read: string, clusters: readonly string[] | undefined, missing: string, hint: string]>([
    ['is there where one has it', 'Abc', undefined, '', ''],
    ['is missing where none has it', 'abc', undefined, 'abc', NOWHERE + CREATE('a')],
    ['is not missing as long as one may have it that was not read', 'ab', undefined, '', ''],
    ['is not missing where nothing was read', '', undefined, '', ''],
    ['is missing in clusters by name', 'abC', ['a', 'b'], 'ab', COPY('at-c,at-a,at-b')],
    ['is copied from those that it is named for alone', 'AbC-', ['a', 'b'], 'b', COPY('at-a,at-b')],
    ['is so also where the others are global', 'AbC', ['a', 'b'], 'b', COPY('at-a,at-b')],
    [
      'becomes global in another one only where it has to be copied from there',
      'abC-',
      ['a', 'b'],
      'ab',
      COPY('at-c,at-a,at-b', ', which makes it global in c too'),
    ],
    ['is created in each of them', 'abc', ['a', 'b'], 'ab', `${NOWHERE}${CREATE('a')} && ${CREATE('b')}`],
    ['is copied from one that was read', 'aB', ['a', 'b', 'c'], 'a', COPY('at-b,at-a')],
    [
      'is not created where one may have it that was not read',
      'ab',
      ['a', 'c'],
      'a',
      'Whether shop/web can be copied from c is known once that answers.',
    ],
    [
      'is not created where one of several may have it',
      'a',
      ['a'],
      'a',
      'Whether shop/web can be copied from b or c is known once they answer.',
    ],
    ['is not missing in one that was not read', 'ab', ['c'], '', ''],
  ])('%s', (_what, read, clusters, lacking, hint) => {
    const { missing, steps, extra } = planServices(readOf(read), specOf(clusters));
    expect(missing.flatMap((one) => one.clusters).join('')).toBe(lacking);
    expect(missing.length > 0 ? missingServicesHint(missing) : '').toBe(hint);
    expect(steps.every(({ action }) => action === 'keep')).toBe(true);
    expect(extra).toEqual(
      clusters && /C(?!-)/.test(read) && !clusters.includes('c') ? [{ service: 'shop/web', clusters: ['c'] }] : [],
    );
  });

  it('is not made global in a namespace that is being deleted, and may be there as it is', () => {
    const metadata = { name: 'shop', deletionTimestamp: '2026-01-01T00:00:00Z' };
    const going = new Map([['shop', { apiVersion: 'v1', kind: 'Namespace', metadata }]]);
    const plan = (words: string) =>
      planServices(
        readOf(words).map((one) => (one.cluster === 'b' ? { ...one, goingNamespaces: going } : one)),
        specOf(),
      );
    expect(() => plan('AB-c')).toThrow('context "at-b": Namespace shop is being deleted');
    expect(plan('A-Bc').steps.map(({ action }) => action)).toEqual(['update', 'keep']);
  });

  it('tells the doubt of one before what is to be done about the others', () => {
    const { missing } = planServices(readOf('aB'), {
      ...specOf(),
      services: [
        { namespace: 'shop', name: 'web', among: NAMES, clusters: ['a', 'b'] },
        { namespace: 'shop', name: 'cart', among: NAMES, clusters: ['a'] },
      ],
    });
    const doubt = 'Whether shop/cart can be copied from c is known once that answers.';
    expect(missingServicesHint(missing)).toBe(`${doubt} ${COPY('at-b,at-a')}`);
  });
});
