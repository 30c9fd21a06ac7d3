import { describe, expect, it } from 'vitest';
import {
  addUsers,
  addUsersEdit,
  namesInUnreadable,
  removeUsers,
  removeUsersEdit,
  rollbackAddUsers,
  rollbackRemoveUsers,
} from '../../src/mesh/peers/remote-users.ts';

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

  it.each(['users: [{name: remote-a, role: remote}]\n', 'peers:\n- a\n', 'users:\n- *anchor\n'])(
    'is not touched in a style that is not understood: %j',
    (text) => {
      expect(() => addUsers(text, ['remote-b'])).toThrow(/is not a user/);
    },
  );
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
