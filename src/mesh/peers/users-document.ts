import { Document, isAlias, isMap, isSeq, parseDocument, type ToStringOptions, visit, YAMLSeq } from 'yaml';
import { MeshctlError } from '../errors.ts';
import { isRecord } from '../record.ts';

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
}

/** @throws MeshctlError `Rejected` for what is no list of users: to change it blindly could shut peers out */
export function usersInDocument(text: string): ListedUser[] {
  const { document, list } = readDocument(text);
  return list.items.map((item) => userOf(document, item));
}

/** The text with these users behind the others. */
export function addToDocument(text: string, added: readonly ListedUser[]): string {
  if (added.length === 0) return text;
  const { document, list } = readDocument(text);
  for (const { name, role } of added) list.add(document.createNode({ name, role }));
  return textOf(document, text);
}

/** The text without these users. */
export function removeFromDocument(text: string, names: readonly string[]): string {
  const { document, list } = readDocument(text);
  const rest = list.items.filter((item) => !names.includes(userOf(document, item).name));
  if (rest.length === list.items.length) return text;
  list.items = rest;
  return textOf(document, text);
}

/** The text with those of these users that were there before as they were then, each after the one that they came after. */
export function restoreInDocument(before: string, live: string, names: readonly string[]): string {
  const former = readDocument(before);
  const { document, list } = readDocument(live);
  const nameIn = (of: UsersDocument) => (item: unknown) => userOf(of.document, item).name;
  const had = former.list.items.map(nameIn(former));
  for (const [index, name] of had.entries()) {
    if (!names.includes(name)) continue;
    const present = list.items.map(nameIn({ document, list }));
    const predecessor = had.slice(0, index).findLast((one) => present.includes(one));
    const at = predecessor === undefined ? 0 : present.lastIndexOf(predecessor) + 1;
    list.items.splice(at, 0, former.list.items[index]);
  }
  return textOf(document, live);
}

function readDocument(text: string): UsersDocument {
  try {
    const parsed = parseDocument(text, { merge: true, logLevel: 'error' });
    const content: unknown = parsed.toJS();
    const isExpanded = content === null || hasAliases(parsed);
    const document = isExpanded ? new Document(content ?? { users: [] }) : parsed;
    if (parsed.errors.length === 0 && isMap(document.contents)) {
      if (isRecord(content) && content.users === null) document.set('users', new YAMLSeq());
      const list = document.get('users');
      if (isSeq(list) && list.items.every((item) => isUser(plain(document, item)))) return { document, list };
    }
  } catch {
    // An anchor that there is not.
  }
  throw new MeshctlError('Rejected', 'ConfigMap clustermesh-remote-users: users.yaml is not a list of users', {
    hint: 'Write users.yaml as a list of entries with name and role, as Cilium’s chart does.',
  });
}

function hasAliases(document: Document): boolean {
  let found = false;
  visit(document, (_key, node) => {
    if (isAlias(node)) found = true;
  });
  return found;
}

/** As the clustermesh-apiserver takes it (clustermesh-apiserver/clustermesh/users_mgmt.go): anything else, and it reads none at all. */
export function isUser(entry: unknown): boolean {
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
function textOf(document: Document, former: string): string {
  const style: ToStringOptions = {
    lineWidth: 0,
    flowCollectionPadding: /[[{] /.test(former),
    indentSeq: /^ +- /m.test(former),
    ...(isJson(former) ? { defaultStringType: 'QUOTE_DOUBLE' as const, defaultKeyType: 'QUOTE_DOUBLE' as const } : {}),
  };
  return document.toString(style);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
