import { Document, isAlias, isMap, isSeq, parseAllDocuments, type ToStringOptions, visit, YAMLSeq } from 'yaml';
import { MeshctlError } from '../../errors.ts';
import { isRecord } from '../../record.ts';
import { remembered } from '../../remembered.ts';

/**
 * `users.yaml` in any other style than the one in which lines can be edited (remote-users.ts): in brackets, with further
 * fields, with anchors. What others wrote stays as far as the YAML library can keep it; anchors are written out.
 */

/** A user as the list has it. */
export interface ListedUser {
  name: string;
  role: string | undefined;
}

/** The list in a text, and the document around it. */
interface UsersDocument {
  document: Document;
  list: YAMLSeq;
  /** Further documents, which nobody reads (go.yaml.in/yaml/v3 `Unmarshal`). */
  rest: string;
}

/** @throws MeshctlError `Rejected` for what is no list of users: to change it blindly could shut peers out */
export function usersInDocument(text: string): ListedUser[] {
  const { document, list } = readDocument(text);
  return list.items.map((item) => userOf(document, item));
}

/** The text with these users behind the others. */
export function addToDocument(text: string, added: readonly ListedUser[]): string {
  if (added.length === 0) return text;
  const read = readDocument(text);
  for (const { name, role } of added) read.list.add(read.document.createNode({ name, role }));
  return textOf(read, text);
}

/** The text without these users. */
export function removeFromDocument(text: string, names: readonly string[]): string {
  const read = readDocument(text);
  const { document, list } = read;
  const left = list.items.filter((item) => !names.includes(userOf(document, item).name));
  if (left.length === list.items.length) return text;
  list.items = left;
  return textOf(read, text);
}

/** The text with those of these users that were there before as they were then, each after the one that they came after. */
export function restoreInDocument(before: string, live: string, names: readonly string[]): string {
  const former = readDocument(before);
  const read = readDocument(live);
  const { list } = read;
  const nameIn = (of: UsersDocument) => (item: unknown) => userOf(of.document, item).name;
  const had = former.list.items.map(nameIn(former));
  for (const [index, name] of had.entries()) {
    if (!names.includes(name)) continue;
    const present = list.items.map(nameIn(read));
    const predecessor = had.slice(0, index).findLast((one) => present.includes(one));
    const at = predecessor === undefined ? 0 : present.lastIndexOf(predecessor) + 1;
    list.items.splice(at, 0, former.list.items[index]);
  }
  return textOf(read, live);
}

/** Why the clustermesh-apiserver can read no users in a text, as a clause; undefined where it can. */
export const lackInDocument = remembered((text: string): string | undefined => {
  const read = documentOrLack(text);
  return 'lack' in read ? `the list of users cannot be read: ${read.lack}` : undefined;
}, 200);

function readDocument(text: string): UsersDocument {
  const read = documentOrLack(text);
  if (!('lack' in read)) return read;
  throw new MeshctlError('Rejected', 'ConfigMap clustermesh-remote-users: users.yaml is not a list of users', {
    hint: 'Write users.yaml as a list of entries with name and role, as Cilium’s chart does.',
  });
}

/** The first document, as the clustermesh-apiserver reads it, or why it can read no users there. */
function documentOrLack(text: string): UsersDocument | { lack: string } {
  try {
    const [parsed = new Document(null)] = parseAllDocuments(text, { merge: true, logLevel: 'error' });
    const content: unknown = parsed.toJS();
    if (parsed.errors.length > 0) return { lack: 'it is not valid YAML' };
    const isExpanded = content === null || hasAliases(parsed);
    const document = isExpanded ? new Document(content ?? { users: [] }) : parsed;
    if (isRecord(content) && content.users === null) document.set('users', new YAMLSeq());
    const list = isMap(document.contents) ? document.get('users') : undefined;
    if (!isSeq(list)) return { lack: 'it has no "users"' };
    const rest = parsed.range ? text.slice(parsed.range[2]) : '';
    return list.items.every((item) => isUser(plain(document, item)))
      ? { document, list, rest }
      : { lack: 'an entry of it is no user' };
  } catch {
    // An anchor that there is not.
    return { lack: 'it is not valid YAML' };
  }
}

function hasAliases(document: Document): boolean {
  let found = false;
  visit(document, (_key, node) => {
    if (isAlias(node)) found = true;
  });
  return found;
}

/** As the clustermesh-apiserver takes it (clustermesh-apiserver/clustermesh/users_mgmt.go): anything else, and it reads none at all. */
function isUser(entry: unknown): boolean {
  if (entry === null) return true;
  if (!isRecord(entry)) return false;
  const { name, role } = entry;
  return [name, role].every((field) => typeof field !== 'object' || field === null);
}

function userOf(document: Document, item: unknown): ListedUser {
  const { name, role } = (plain(document, item) ?? {}) as Record<string, unknown>;
  return { name: String(name ?? ''), role: role === undefined || role === null ? undefined : String(role) };
}

function plain(document: Document, item: unknown): unknown {
  return (item as { toJS?: (document: Document) => unknown } | null)?.toJS?.(document) ?? null;
}

/** In the style of the former text. */
function textOf({ document, rest }: UsersDocument, former: string): string {
  const style: ToStringOptions = {
    lineWidth: 0,
    flowCollectionPadding: /[[{] /.test(former),
    indentSeq: /^ +- /m.test(former),
    ...(isJson(former) ? { defaultStringType: 'QUOTE_DOUBLE' as const, defaultKeyType: 'QUOTE_DOUBLE' as const } : {}),
  };
  return document.toString(style) + rest;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
