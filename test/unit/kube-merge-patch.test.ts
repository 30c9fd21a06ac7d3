import { describe, expect, test } from 'vitest';
import { asStored, contains, inversePatch, mergePatch, overlay } from '../../src/kube/merge-patch.ts';

describe('mergePatch', () => {
  // The examples of RFC 7386, appendix A, as far as both sides are mappings.
  test.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j', (target, patch, result) => {
    expect(mergePatch(target, patch)).toEqual(result);
  });
});

test('overlay sets fields and replaces lists', () => {
  expect(overlay({ a: { b: 1, c: [1, 2] }, d: 1 }, { a: { c: [3] }, e: 2 })).toEqual({
    a: { b: 1, c: [3] },
    d: 1,
    e: 2,
  });
});

test('contains looks only at what is expected', () => {
  expect(contains({ a: { b: 1, c: 2 }, d: 3 }, { a: { b: 1 } })).toBe(true);
  expect(contains({ a: { b: 1 } }, { a: { b: 2 } })).toBe(false);
  // API servers add what the entries of a list do not say, and entries of others.
  expect(
    contains({ a: [{ name: 'x', port: 1, protocol: 'TCP' }, { name: 'y' }] }, { a: [{ name: 'x', port: 1 }] }),
  ).toBe(true);
  expect(contains({ a: [{ name: 'x', port: 2 }] }, { a: [{ name: 'x', port: 1 }] })).toBe(false);
  expect(contains({}, { a: {} })).toBe(true);
  expect(contains({}, { a: [] })).toBe(false);
});

test('what was sent is as the API server has stored it', () => {
  const sent = { spec: { replicas: 2, ports: [{ port: 1 }], args: ['a'] } };
  const live = { spec: { replicas: 3, ports: [{ port: 1, protocol: 'TCP' }], args: ['b'] }, status: {} };
  expect(asStored({ ranges: ['a'] }, { ranges: ['a', 'theirs'] })).toEqual({ ranges: ['a'] });
  expect(asStored(sent, live)).toEqual({ spec: { replicas: 2, ports: live.spec.ports, args: ['a'] } });
});

describe('inversePatch', () => {
  test('takes back what was changed, added and removed', () => {
    const before = { data: { changed: 'old', removed: 'r', same: 's' } };
    const after = { data: { changed: 'new', added: 'a', same: 's' } };
    const patch = inversePatch(before, after, after);
    expect(patch).toEqual({ data: { changed: 'old', removed: 'r', added: null } });
    expect(mergePatch(after, patch)).toEqual(before);
  });

  test('leaves what others wrote since', () => {
    const before = { data: { mine: 'old' } };
    const after = { data: { mine: 'new', added: 'a' } };
    expect(inversePatch(before, after, { data: { mine: 'theirs', added: 'a', more: 'm' } })).toEqual({
      data: { added: null },
    });
    expect(inversePatch(before, after, { data: { mine: 'theirs', added: 'b' } })).toBeUndefined();
  });

  test('a mapping that is new goes as a whole, unless others use it too', () => {
    const after = { metadata: { annotations: { a: '1' } } };
    expect(inversePatch({ metadata: {} }, after, after)).toEqual({ metadata: { annotations: null } });
    const live = { metadata: { annotations: { a: '1', theirs: '2' } } };
    expect(inversePatch({ metadata: {} }, after, live)).toEqual({ metadata: { annotations: { a: null } } });
  });

  test('a mapping that became empty may be left out by the API server', () => {
    const before = { data: { only: 'x' } };
    expect(inversePatch(before, { data: {} }, {})).toEqual({ data: { only: 'x' } });
    expect(inversePatch(before, {}, { data: {} })).toEqual({ data: { only: 'x' } });
    expect(inversePatch({}, { data: { only: 'x' } }, { data: {} })).toBeUndefined();
  });

  test('lists are one value', () => {
    const [before, after] = [{ list: [1, 2] }, { list: [1, 2, 3] }];
    expect(inversePatch(before, after, after)).toEqual({ list: [1, 2] });
    expect(inversePatch(before, after, { list: [3] })).toBeUndefined();
  });

  test('nothing changed, nothing to take back', () => {
    expect(inversePatch({ a: [{ b: 1 }] }, { a: [{ b: 1 }] }, { a: [{ b: 1 }] })).toBeUndefined();
  });
});
