import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  addUsers,
  addUsersEdit,
  lackOfUsers,
  namesInUnreadable,
  removeUsers,
  removeUsersEdit,
  rollbackAddUsers,
  rollbackRemoveUsers,
  userNames,
  userRole,
  usersLetIn,
} from '../../src/mesh/peers/users/remote-users.ts';

const EMPTY = 'users:\n';
const ONE = 'users:\n- name: remote-a\n  role: remote\n';
const COMMENTED =
  '# peers\nusers:\n  # by hand\n  - name: "ops"\n    role: root\n  - role: remote\n    name: remote-a # a\n';

const configMap = (text: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'clustermesh-remote-users' },
  data: { 'users.yaml': text },
});

describe('users.yaml', () => {
  it.each([EMPTY, 'users: []\n', 'users: null\n', ''])('gets its first user: %j', (text) => {
    expect(addUsers(text, ['remote-a'])).toBe(ONE);
  });

  it.each([EMPTY, ONE, COMMENTED])('is byte for byte as before when users come and go: %j', (text) => {
    const grown = addUsers(text, ['remote-b', 'remote-c']);
    expect(grown).not.toBe(text);
    expect(removeUsers(grown, ['remote-b', 'remote-c'])).toBe(text);
  });

  it('counts the last of several entries for one name, as the clustermesh-apiserver does', () => {
    const twice = (first: string, last: string) =>
      `users:\n- name: remote-a\n  role: ${first}\n- name: remote-b\n  role: remote\n- name: remote-a\n  role: ${last}\n`;
    expect(addUsers(twice('admin', 'remote'), ['remote-a'])).toBe(twice('admin', 'remote'));
    const mended = 'users:\n- name: remote-b\n  role: remote\n- name: remote-a\n  role: remote\n';
    expect(addUsers(twice('remote', 'admin'), ['remote-a'])).toBe(mended);
  });

  it('keeps comments, order, indentation and the entries of others', () => {
    expect(addUsers(COMMENTED, ['remote-b'])).toBe(`${COMMENTED}  - name: remote-b\n    role: remote\n`);
    expect(removeUsers(COMMENTED, ['remote-a'])).toBe(
      '# peers\nusers:\n  # by hand\n  - name: "ops"\n    role: root\n',
    );
  });

  it('changes nothing when the user is there, and gives it the right role when it has another', () => {
    expect(addUsers(ONE, ['remote-a'])).toBe(ONE);
    expect(addUsers('users:\n- name: remote-a\n  role: root\n', ['remote-a'])).toBe(ONE);
    expect(addUsersEdit(['remote-a'])(configMap(ONE))).toBeUndefined();
    expect(removeUsersEdit(['remote-b'])(configMap(ONE))).toBeUndefined();
  });

  it.each([
    ['peers:\n- a\n', 'it has no "users"'],
    ['users:\n- *anchor\n', 'it is not valid YAML'],
    ['users: [{name: remote-a, role: remote}\n', 'it is not valid YAML'],
    ['users:\n- remote-a\n', 'an entry of it is no user'],
    ['users: [{name: [remote-a]}]\n', 'an entry of it is no user'],
    ['users: {name: remote-a}\n', 'it has no "users"'],
    ['- name: remote-a\n', 'it has no "users"'],
    ['me', 'it has no "users"'],
    ['{}', 'it has no "users"'],
  ])('is not touched where it is no list of users, and it is said why: %j', (text, why) => {
    expect(lackOfUsers(configMap(text))).toBe(`the list of users cannot be read: ${why}`);
    expect(usersLetIn(text)).toEqual([]);
    for (const change of [addUsers, removeUsers])
      expect(() => change(text, ['remote-b'])).toThrow(/is not a list of users/);
  });
});

/** Lists that are not written as Cilium's chart does, with remote-a and ops, and what stays of each without remote-a. */
const OTHER_STYLES: readonly [what: string, text: string, rest: string][] = [
  [
    'in brackets',
    '# peers\nusers: [{name: ops, role: root}, {name: remote-a, role: remote}]\n',
    '# peers\nusers: [{name: ops, role: root}]\n',
  ],
  [
    'in brackets with space, over lines',
    'users: [\n  { name: ops, role: root }, # by hand\n  { name: remote-a, role: remote },\n]\n',
    'users:\n  [\n    { name: ops, role: root } # by hand\n  ]\n',
  ],
  [
    'each in braces',
    'users:\n- {name: ops, role: root} # by hand\n- {name: remote-a, role: remote}\n',
    'users:\n- {name: ops, role: root} # by hand\n',
  ],
  [
    'with a field of its own',
    'users:\n  - name: ops\n    role: root\n    note: by hand\n  - name: remote-a\n    role: remote\n',
    'users:\n  - name: ops\n    role: root\n    note: by hand\n',
  ],
  [
    'with anchors',
    'users:\n- &one {name: ops, role: &role root}\n- {name: remote-a, role: remote}\n',
    'users:\n- &one {name: ops, role: &role root}\n',
  ],
  [
    'as JSON',
    '{"users":[{"name":"ops","role":"root"},{"name":"remote-a","role":"remote"}]}',
    '{"users": [{"name": "ops", "role": "root"}]}\n',
  ],
  [
    'with a field beside it, and an entry that is none',
    'version: 1\nusers:\n-\n- name: ops\n  role: root\n- name: remote-a\n  role: remote\n',
    'version: 1\nusers:\n- \n- name: ops\n  role: root\n',
  ],
];

describe.each(OTHER_STYLES)('a list %s', (_what, text, rest) => {
  const usersOf = (of: string) =>
    ((parse(of, { merge: true }) as { users: ({ name: string; role: string } | null)[] }).users ?? []).flatMap(
      (user) => (user ? [`${user.name} ${user.role}`] : []),
    );

  it('is read, and is as it is where nothing is to change', () => {
    expect(userNames(text).filter((name) => name !== '')).toEqual(['ops', 'remote-a']);
    expect(userRole(configMap(text), 'remote-a')).toBe('remote');
    expect(usersLetIn(text).map(({ name, role }) => `${name} ${role}`)).toEqual(usersOf(text));
    expect(lackOfUsers(configMap(text))).toBeUndefined();
    expect(addUsersEdit(['remote-a'])(configMap(text))).toBeUndefined();
    expect(removeUsersEdit(['remote-b'])(configMap(text))).toBeUndefined();
  });

  it('gets users and loses them, and keeps the others', () => {
    expect(removeUsers(text, ['remote-a'])).toBe(rest);
    const grown = addUsers(text, ['remote-b', 'remote-c']);
    expect(usersOf(grown)).toEqual(['ops root', 'remote-a remote', 'remote-b remote', 'remote-c remote']);
    expect(usersOf(removeUsers(grown, ['remote-b', 'remote-a']))).toEqual(['ops root', 'remote-c remote']);
    expect(usersOf(addUsers(removeUsers(text, ['ops', 'remote-a']), ['remote-b']))).toEqual(['remote-b remote']);
    expect(usersOf(addUsers(text, ['ops']))).toEqual(['remote-a remote', 'ops remote']);
  });

  it('is put back to the letter where nobody has changed it since', () => {
    const textAfter = { data: { 'users.yaml': text } };
    const [grown, shrunk] = [addUsers(text, ['remote-b']), removeUsers(text, ['ops'])];
    expect(rollbackAddUsers(['remote-b'])(configMap(text), configMap(grown))).toEqual({ patch: textAfter });
    expect(rollbackRemoveUsers(['ops'])(configMap(text), configMap(shrunk))).toEqual({ patch: textAfter });
  });

  it.each<[which: string, gone: string[]]>([
    ['first', ['ops']],
    ['last', ['remote-a']],
    ['all', ['ops', 'remote-a']],
  ])('is rolled back with the %s in the former place, whoever came meanwhile', (_which, gone) => {
    const textIn = (edit: unknown) =>
      (edit as { patch: { data: Record<string, string> } }).patch.data['users.yaml'] ?? '';
    const meanwhile = addUsers(removeUsers(text, gone), ['remote-else']);
    const undone = textIn(rollbackRemoveUsers(gone)(configMap(text), configMap(meanwhile)));
    expect(usersOf(undone)).toEqual(['ops root', 'remote-a remote', 'remote-else remote']);
    const grown = configMap(addUsers(text, ['remote-b', 'remote-else']));
    expect(usersOf(textIn(rollbackAddUsers(['remote-b'])(configMap(text), grown)))).toEqual([
      ...['ops root', 'remote-a remote', 'remote-else remote'],
    ]);
  });
});

it('of several documents the first one is read and changed, as the clustermesh-apiserver reads it', () => {
  const [second, other] = ['---\nusers:\n- name: remote-b\n  role: remote\n', '---\nx: [\n'];
  for (const rest of [second, other, '---\n']) {
    for (const first of [ONE, `---\n${ONE}`, 'users: [{name: remote-a, role: remote}]\n']) {
      const text = `${first}${rest}`;
      expect([lackOfUsers(configMap(text)), userNames(text)]).toEqual([undefined, ['remote-a']]);
      const grown = addUsers(text, ['remote-b']);
      expect([userNames(grown), grown.endsWith(rest)]).toEqual([['remote-a', 'remote-b'], true]);
      expect(userNames(removeUsers(grown, ['remote-a']))).toEqual(['remote-b']);
    }
  }
  expect(usersLetIn(`---\n${second}`)).toEqual([]);
  expect(userNames(addUsers(`---\n${second}`, ['remote-c']))).toEqual(['remote-c']);
});

it('a list that is JSON is JSON afterwards', () => {
  expect(JSON.parse(addUsers('{"users":[{"name":"ops","role":"root"}]}', ['remote-b']))).toEqual({
    users: [
      { name: 'ops', role: 'root' },
      { name: 'remote-b', role: 'remote' },
    ],
  });
});

it('anchors are written out where users change, since one of them may be gone', () => {
  const text = 'base: &base {role: remote}\nusers:\n- {name: remote-a, <<: *base}\n- {name: remote-b, <<: *base}\n';
  expect(userRole(configMap(text), 'remote-b')).toBe('remote');
  expect(usersLetIn(text)).toEqual([
    { name: 'remote-a', role: 'remote' },
    { name: 'remote-b', role: 'remote' },
  ]);
  expect(removeUsers(text, ['remote-c'])).toBe(text);
  expect(parse(removeUsers(text, ['remote-a']))).toEqual({
    base: { role: 'remote' },
    users: [{ name: 'remote-b', role: 'remote' }],
  });
});

it.each(['null', '{users: }', '{"users": []}'])('a list of nobody gets its first user: %j', (text) => {
  expect(parse(addUsers(text, ['remote-a']))).toEqual({ users: [{ name: 'remote-a', role: 'remote' }] });
});

it('another style than before does not keep users from being rolled back', () => {
  const flow = 'users: [{name: ops, role: root}, {name: remote-a, role: remote}]\n';
  const undone = (before: string, live: string) =>
    rollbackRemoveUsers(['remote-a'])(configMap(before), configMap(live));
  const { patch } = undone(COMMENTED, 'users: [{name: ops, role: root}]\n') as { patch: { data: object } };
  expect(parse(Object.values(patch.data).join())).toEqual(parse(flow));
  expect(undone(flow, 'users: []\n')).toEqual({
    patch: { data: { 'users.yaml': 'users: [{name: remote-a, role: remote}]\n' } },
  });
  expect(undone(flow, '')).toMatchObject({ patch: { data: { 'users.yaml': expect.stringContaining('remote-a') } } });
});

describe('undoing', () => {
  it('takes back only what was added, whoever has written since', () => {
    const later = configMap(addUsers(ONE, ['remote-b', 'remote-else']));
    expect(rollbackAddUsers(['remote-a', 'remote-b'])(configMap(ONE), later)).toEqual({
      patch: { data: { 'users.yaml': addUsers(ONE, ['remote-else']) } },
    });
  });

  it.each([
    ['the first', ['ops']],
    ['the last', ['remote-a']],
  ])('gives %s the very lines back, whoever came and went meanwhile', (_which, gone) => {
    const others = ['remote-else', 'remote-more'];
    const meanwhile = addUsers(removeUsers(COMMENTED, gone), others);
    const undone = rollbackRemoveUsers(gone)(configMap(COMMENTED), configMap(meanwhile));
    const text = (undone as { patch: { data: Record<string, string> } }).patch.data['users.yaml'] ?? '';
    expect(removeUsers(text, others)).toBe(COMMENTED);
  });

  it('gives a user whose role was changed its lines back', () => {
    const other = 'users:\n- role: admin # by hand\n  name: remote-a\n';
    const changed = configMap(addUsers(addUsers(other, ['remote-a']), ['remote-else']));
    const undone = rollbackAddUsers(['remote-a'])(configMap(other), changed);
    expect(undone).toEqual({ patch: { data: { 'users.yaml': `${other}- name: remote-else\n  role: remote\n` } } });
  });

  it.each(['users: []\n', 'users: null # none\n', ''])('an empty list is as it was written: %j', (text) => {
    const undone = rollbackAddUsers(['remote-a'])(configMap(text), configMap(addUsers(text, ['remote-a'])));
    expect(undone).toEqual({ patch: { data: { 'users.yaml': text } } });
  });

  it('lets in again only who was in before', () => {
    expect(rollbackRemoveUsers(['remote-a', 'remote-b'])(configMap(ONE), configMap(EMPTY))).toEqual({
      patch: { data: { 'users.yaml': ONE } },
    });
  });
});

describe('a list that cannot be read', () => {
  it.each<[text: string, names: string[]]>([
    ['users: [', []],
    ['users: [{name: remote-a, role: remote}, {name: "remote-b-2"', ['remote-a', 'remote-b-2']],
    ['users:\n- name: remote-a\n role: remote\n - name: remote-b\n', ['remote-a', 'remote-b']],
    ['users: me\n- role: remote\n  name: remote-a\n', ['remote-a']],
    ['users: [\n- name: ops\n  role: root\n- name: remote-a\n  role: root\n', []],
    ['users: [\n# - name: remote-a\n- name: remote-b # remote-c\n', ['remote-b']],
    ['users: [\n- name: remote-\n- name: remote-A\n- name: remote-a_b\n- nickname: remote-c\n', []],
  ])('names whom its lines name: %j', (text, names) => {
    expect(namesInUnreadable(text)).toEqual(names);
  });
});
