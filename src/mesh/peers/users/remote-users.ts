import type { RemoteUser } from '../../cluster-snapshot.ts';
import { MeshctlError } from '../../errors.ts';
import type { KubeObject } from '../../objects/kube-object.ts';
import { REMOTE_ROLE } from '../../objects/names.ts';
import { dataOf } from '../../objects/secret-data.ts';
import type { Edit } from '../../plan/plan.ts';
import { remoteUsersFile } from '../file/peer-config.ts';
import {
  addToDocument,
  type ListedUser,
  lackInDocument,
  removeFromDocument,
  restoreInDocument,
  usersInDocument,
} from './users-document.ts';

/**
 * Changes to `users.yaml` of ConfigMap clustermesh-remote-users, which holds all peers in one value. They are made to the
 * text, so that everything else in it stays byte for byte: comments, order, the entries of others. In a style that has no lines
 * of their own for users they are made to the document.
 */

/** One entry of the list and the lines it takes up. */
interface Entry extends ListedUser {
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
  return (before, live) => {
    const [former, text] = [usersFile(before), usersFile(live)];
    // What nobody has changed since is put back to the letter, in whatever style it was.
    return editOf(live, text === addUsers(former, names) ? former : withUsersAsBefore(former, text, names));
  };
}

/** Takes {@link removeUsersEdit} back: whoever was let in before is again, unless somebody else has seen to it. */
export function rollbackRemoveUsers(
  names: readonly string[],
): (before: KubeObject, live: KubeObject) => Edit | undefined {
  return (before, live) => {
    const [former, text] = [usersFile(before), usersFile(live)];
    if (text === removeUsers(former, names)) return editOf(live, former);
    const present = userNames(text);
    const absent = names.filter((name) => !present.includes(name));
    return editOf(live, withUsersAsBefore(former, text, absent));
  };
}

/**
 * The text with these users as they were before: gone, or with the very lines that they had, after the one that they came
 * after. What others have changed of other users stays.
 */
function withUsersAsBefore(before: string, live: string, names: readonly string[]): string {
  const text = removeUsers(live, names);
  if (readUsers(before).length === 0 && readUsers(text).length === 0) return before;
  const had = linesOfUsers(before);
  if (!had || !linesOfUsers(text)) return restoreInDocument(before, text, names);
  return had.reduce((current, entry, index) => {
    if (!names.includes(entry.name)) return current;
    const own = linesOf(before).slice(entry.start, entry.end);
    const present = linesOfUsers(current) ?? [];
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
  const users = readUsers(text);
  const missing = names.filter((name) => roleIn(users, name) !== REMOTE_ROLE);
  if (missing.length === 0) return text;
  const entries = linesOfUsers(text);
  const rest = removeUsers(text, missing);
  if (!entries)
    return addToDocument(
      rest,
      missing.map((name) => ({ name, role: REMOTE_ROLE })),
    );
  const lines = linesOf(rest);
  const indent = /^\s*/.exec(linesOf(text)[entries[0]?.start ?? -1] ?? '')?.[0] ?? '';
  const added = missing.flatMap((name) => [`${indent}- name: ${name}`, `${indent}  role: ${REMOTE_ROLE}`]);
  const last = linesOfUsers(rest)?.at(-1);
  if (last) return [...lines.slice(0, last.end), ...added, ...lines.slice(last.end)].join('\n');
  return withFirstEntry(rest, added) ?? remoteUsersFile(missing.map((name) => ({ name, role: REMOTE_ROLE })));
}

/** The text without these users. */
export function removeUsers(text: string, names: readonly string[]): string {
  const entries = linesOfUsers(text);
  if (!entries) return removeFromDocument(text, names);
  const gone = entries.filter(({ name }) => names.includes(name));
  return linesOf(text)
    .filter((_, index) => !gone.some(({ start, end }) => index >= start && index < end))
    .join('\n');
}

/** The names of the users in the text, in its order. */
export function userNames(text: string): string[] {
  return readUsers(text).map(({ name }) => name);
}

/**
 * Whom a text lets in, as the clustermesh-apiserver reads it (clustermesh-apiserver/clustermesh/users_mgmt.go): nobody where it
 * cannot be read; entries without a name are passed over, and of several for one name the last one counts.
 */
export function usersLetIn(text: string): RemoteUser[] {
  try {
    const named = readUsers(text).filter(({ name }) => name !== '');
    return [...new Map(named.map(({ name, role = '' }) => [name, { name, role }])).values()];
  } catch (error) {
    if (error instanceof MeshctlError) return [];
    throw error;
  }
}

/** Why the clustermesh-apiserver can read no users in the ConfigMap, as a clause; undefined where it can. */
export function lackOfUsers({ data }: KubeObject): string | undefined {
  const text = (data as Record<string, unknown> | undefined)?.[USERS_FILE];
  return typeof text === 'string' ? lackInDocument(text) : 'the list of etcd users for peers is missing';
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
  return roleIn(readUsers(usersFile(configMap)), name);
}

/** Of several entries for one name the last one counts (Cilium's clustermesh-apiserver/clustermesh/users_mgmt.go). */
function roleIn(entries: readonly ListedUser[], name: string): string | undefined {
  return entries.findLast((entry) => entry.name === name)?.role;
}

function editOf(live: KubeObject, text: string): Edit | undefined {
  return text === usersFile(live) ? undefined : { patch: { data: { [USERS_FILE]: text } } };
}

/** The text of the list of users; empty where there is none. */
export function usersFile(configMap: KubeObject): string {
  return dataOf(configMap)[USERS_FILE] ?? '';
}

/** The users of a text in whatever style. @throws MeshctlError `Rejected` for what is no list of users */
function readUsers(text: string): readonly ListedUser[] {
  return linesOfUsers(text) ?? usersInDocument(text);
}

/**
 * The list in the block style in which Cilium's chart and meshctl write it, with any indentation, quotes and comments;
 * undefined for a text in another style.
 */
function linesOfUsers(text: string): Entry[] | undefined {
  const entries: Entry[] = [];
  let isBegun = false;
  let isHeaded = false;
  for (const [index, line] of linesOf(text).entries()) {
    // Of a second document nobody reads a line.
    if (/^---/.test(line) && isBegun) return undefined;
    isBegun ||= !/^\s*(#.*)?$/.test(line);
    if (/^\s*(#.*|---)?$/.test(line)) continue;
    if (EMPTY_LIST.test(line)) {
      isHeaded = true;
      continue;
    }
    const [, , dash, key, ...values] = FIELD.exec(line) ?? [];
    const value = values.slice(0, 3).find((text) => text !== undefined) ?? '';
    if (dash && key) entries.push({ name: '', role: undefined, start: index, end: index + 1 });
    const entry = entries.at(-1);
    if (!key || !entry || !isHeaded) return undefined;
    if (key === 'name') entry.name = value;
    else entry.role = value;
    entry.end = index + 1;
  }
  return entries;
}

function linesOf(text: string): string[] {
  return text.split('\n');
}
