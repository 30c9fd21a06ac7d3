import { parse } from 'yaml';
import { MeshctlError } from '../errors.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { REMOTE_ROLE } from '../objects/names.ts';
import { dataOf } from '../objects/secret-data.ts';
import type { Edit } from '../plan/plan.ts';
import { remembered } from '../remembered.ts';
import { remoteUsersFile } from './file/peer-config.ts';

/**
 * Changes to `users.yaml` of ConfigMap clustermesh-remote-users, which holds all peers in one value. They are made to the
 * text, so that everything else in it stays byte for byte: comments, order, the entries of others.
 */

/** One entry of the list and the lines it takes up. */
interface Entry {
  name: string;
  role: string | undefined;
  /** First line, and the line after the last. */
  start: number;
  end: number;
}

/** The key of ConfigMap clustermesh-remote-users. */
export const USERS_FILE = 'users.yaml';
const EMPTY_LIST = /^users:\s*(\[\s*\]|null|~)?\s*(#.*)?$/;
const FIELD = /^(\s*)(-\s+)?(name|role):\s*(?:"([^"]*)"|'([^']*)'|([^\s"'#]+))\s*(#.*)?$/;

/** Lets users in with the role of peers. */
export function addUsersEdit(names: readonly string[]): (live: KubeObject) => Edit | undefined {
  return (live) => editOf(live, addUsers(usersFile(live), names));
}

/** Shuts users out. */
export function removeUsersEdit(names: readonly string[]): (live: KubeObject) => Edit | undefined {
  return (live) => editOf(live, removeUsers(usersFile(live), names));
}

/** Takes {@link addUsersEdit} back: whoever was not let in before is shut out, whatever others have added since. */
export function rollbackAddUsers(names: readonly string[]): (before: KubeObject, live: KubeObject) => Edit | undefined {
  return (before, live) => editOf(live, withUsersAsBefore(usersFile(before), usersFile(live), names));
}

/** Takes {@link removeUsersEdit} back: whoever was let in before is again, unless somebody else has seen to it. */
export function rollbackRemoveUsers(
  names: readonly string[],
): (before: KubeObject, live: KubeObject) => Edit | undefined {
  return (before, live) => {
    const present = userNames(usersFile(live));
    const absent = names.filter((name) => !present.includes(name));
    return editOf(live, withUsersAsBefore(usersFile(before), usersFile(live), absent));
  };
}

/**
 * The text with these users as they were before: gone, or with the very lines that they had, after the one that they came
 * after. What others have changed of other users stays.
 */
function withUsersAsBefore(before: string, live: string, names: readonly string[]): string {
  const had = readEntries(before);
  const text = removeUsers(live, names);
  if (had.length === 0 && readEntries(text).length === 0) return before;
  return had.reduce((current, entry, index) => {
    if (!names.includes(entry.name)) return current;
    const own = linesOf(before).slice(entry.start, entry.end);
    const present = readEntries(current);
    const former = had.slice(0, index).findLast(({ name }) => present.some((other) => other.name === name));
    const after = present.find(({ name }) => name === former?.name);
    if (!after && present.length === 0) return withFirstEntry(current, own) ?? before;
    const at = after?.end ?? present[0]?.start ?? 0;
    const lines = linesOf(current);
    return [...lines.slice(0, at), ...own, ...lines.slice(at)].join('\n');
  }, text);
}

/** The text of an empty list with these lines as its first entry; undefined where there is no list. */
function withFirstEntry(text: string, entry: readonly string[]): string | undefined {
  const lines = linesOf(text);
  const head = lines.findIndex((line) => EMPTY_LIST.test(line));
  if (head === -1) return undefined;
  return [...lines.slice(0, head), 'users:', ...entry, ...lines.slice(head + 1)].join('\n');
}

/** The text with users of role `remote` for these names; those with another role get this one. */
export function addUsers(text: string, names: readonly string[]): string {
  const entries = readEntries(text);
  const missing = names.filter((name) => roleIn(entries, name) !== REMOTE_ROLE);
  if (missing.length === 0) return text;
  const lines = linesOf(removeUsers(text, missing));
  const indent = /^\s*/.exec(linesOf(text)[entries[0]?.start ?? -1] ?? '')?.[0] ?? '';
  const added = missing.flatMap((name) => [`${indent}- name: ${name}`, `${indent}  role: ${REMOTE_ROLE}`]);
  const last = readEntries(lines.join('\n')).at(-1);
  if (last) return [...lines.slice(0, last.end), ...added, ...lines.slice(last.end)].join('\n');
  return (
    withFirstEntry(lines.join('\n'), added) ?? remoteUsersFile(missing.map((name) => ({ name, role: REMOTE_ROLE })))
  );
}

/** The text without these users. */
export function removeUsers(text: string, names: readonly string[]): string {
  const gone = readEntries(text).filter(({ name }) => names.includes(name));
  return linesOf(text)
    .filter((_, index) => !gone.some(({ start, end }) => index >= start && index < end))
    .join('\n');
}

/** The names of the users in the text, in its order. */
export function userNames(text: string): string[] {
  return readEntries(text).map(({ name }) => name);
}

/** Why the clustermesh-apiserver can read no users in the ConfigMap, as a clause; undefined where it can. */
export function lackOfUsers({ data }: KubeObject): string | undefined {
  const text = (data as Record<string, unknown> | undefined)?.[USERS_FILE];
  return typeof text === 'string' ? lackIn(text) : 'the list of etcd users for peers is missing';
}

const lackIn = remembered((text: string): string | undefined => {
  try {
    const content = parse(text, { logLevel: 'error' }) as { users?: unknown } | null;
    const users = content?.users;
    if (Array.isArray(users)) {
      return users.every(isUser) ? undefined : 'the list of users cannot be read: an entry of it is no user';
    }
    return users === null || content === null ? undefined : 'the list of users cannot be read: it has no "users"';
  } catch {
    return 'the list of users cannot be read: it is not valid YAML';
  }
}, 200);

/** As the clustermesh-apiserver takes it (clustermesh-apiserver/clustermesh/users_mgmt.go): anything else, and it reads none at all. */
function isUser(entry: unknown): boolean {
  if (entry === null) return true;
  if (typeof entry !== 'object' || Array.isArray(entry)) return false;
  const { name, role } = entry as { name?: unknown; role?: unknown };
  return [name, role].every((field) => typeof field !== 'object' || field === null);
}

/**
 * The names of peers' users in a text that cannot be read as a list, as far as lines of it say them; not those in comments, nor
 * those of another role.
 */
export function namesInUnreadable(text: string): string[] {
  const entries = text.replaceAll(/(^|\s)#.*$/gm, '').split(/(?=\bname\s*:)/);
  const names = entries.flatMap((entry) => {
    const [, name] = /^name\s*:\s*["']?(remote-[a-z0-9]+(?:-[a-z0-9]+)*)(?=["'\s,}\]]|$)/.exec(entry) ?? [];
    const [, role = REMOTE_ROLE] = /\brole\s*:\s*["']?([^"'\s,}\]]+)/.exec(entry) ?? [];
    return name !== undefined && role === REMOTE_ROLE ? [name] : [];
  });
  return [...new Set(names)];
}

/** The role of a user; undefined when there is no such user. */
export function userRole(configMap: KubeObject, name: string): string | undefined {
  return roleIn(readEntries(usersFile(configMap)), name);
}

/** Of several entries for one name the last one counts (Cilium's clustermesh-apiserver/clustermesh/users_mgmt.go). */
function roleIn(entries: readonly Entry[], name: string): string | undefined {
  return entries.findLast((entry) => entry.name === name)?.role;
}

function editOf(live: KubeObject, text: string): Edit | undefined {
  return text === usersFile(live) ? undefined : { patch: { data: { [USERS_FILE]: text } } };
}

/** The text of the list of users; empty where there is none. */
export function usersFile(configMap: KubeObject): string {
  return dataOf(configMap)[USERS_FILE] ?? '';
}

/**
 * The list in the block style in which Cilium's chart and meshctl write it, with any indentation, quotes and comments.
 * @throws MeshctlError `Rejected` for YAML in another style: changing it blindly could shut peers out
 */
function readEntries(text: string): Entry[] {
  const entries: Entry[] = [];
  linesOf(text).forEach((line, index) => {
    if (/^\s*(#.*|---)?$/.test(line) || /^users:\s*(#.*)?$/.test(line) || EMPTY_LIST.test(line)) return;
    const [, , dash, key, ...values] = FIELD.exec(line) ?? [];
    const value = values.slice(0, 3).find((text) => text !== undefined) ?? '';
    const current = entries.at(-1);
    if (dash && key) entries.push({ name: '', role: undefined, start: index, end: index + 1 });
    else if (!key || !current) throw notUnderstood(line);
    const entry = entries.at(-1);
    if (!entry) return;
    if (key === 'name') entry.name = value;
    else entry.role = value;
    entry.end = index + 1;
  });
  return entries;
}

function notUnderstood(line: string): MeshctlError {
  return new MeshctlError(
    'Rejected',
    `ConfigMap clustermesh-remote-users: "${line.trim()}" in users.yaml is not a user`,
    {
      hint: 'Write users.yaml as a list of entries with name and role, one field a line, as Cilium’s chart does.',
    },
  );
}

function linesOf(text: string): string[] {
  return text.split('\n');
}
