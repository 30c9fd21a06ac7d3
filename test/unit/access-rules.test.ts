import { describe, expect, it } from 'vitest';
import { type AccessRule, describeRights, missingRights } from '../../src/mesh/objects/access-rules.ts';

const rule = (verbs: string, apiGroup: string, resources: string, resourceNames: string[] = []): AccessRule => ({
  verbs: verbs.split(' '),
  apiGroups: [apiGroup],
  resources: resources.split(' '),
  resourceNames,
});

describe('missingRights', () => {
  const needed = [
    rule('get list', '', 'secrets configmaps'),
    rule('create', '', 'pods/exec'),
    rule('list', 'apps', 'daemonsets'),
  ];

  it.each([
    ['nothing', [], 'get, list: secrets, configmaps; create: pods/exec; list: daemonsets.apps'],
    ['everything', [rule('*', '*', '*')], ''],
    [
      'a part of the verbs',
      [rule('get', '', 'secrets configmaps')],
      'list: secrets, configmaps, daemonsets.apps; create: pods/exec',
    ],
    [
      'a resource in another group',
      [rule('*', 'extensions', 'daemonsets'), rule('*', '', '*')],
      'list: daemonsets.apps',
    ],
    ['a subresource by its name', [rule('*', '', '*/exec secrets configmaps'), rule('*', 'apps', '*')], ''],
    [
      'one object only',
      [rule('*', '', 'secrets', ['one']), rule('*', '', 'configmaps pods/exec'), rule('*', 'apps', '*')],
      'get, list: secrets',
    ],
  ])('of who has %s', (_title, held, words) => {
    expect(describeRights(missingRights(needed, held))).toBe(words);
  });

  it('takes a right in named objects for a need of those', () => {
    const named = [rule('get', '', 'secrets', ['one'])];
    expect(missingRights(named, named)).toEqual([]);
    expect(missingRights([rule('get', '', 'secrets', ['one', 'two'])], named)).toHaveLength(1);
  });
});
