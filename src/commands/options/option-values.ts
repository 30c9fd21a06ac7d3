import { checkClusterName } from '../../mesh/cilium/cluster-name.ts';
import { entriesOfList } from '../../mesh/command-line.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { DNS_LABEL } from '../../mesh/objects/names.ts';
import { type Toleration, tolerationOf } from '../../mesh/objects/taints.ts';
import { sumOf } from '../../mesh/span.ts';

/** The longest time that a timer of Node takes, some 24 days; longer ones are as good as this. Milliseconds. */
const LONGEST_DURATION_MS = 2 ** 31 - 1;

/** A time to wait as Go and kubectl write it (`90s`, `5m`, `1h30m`, `500ms`). @returns milliseconds that a timer takes */
export function parseDuration(text: string): number {
  const sum = sumOf(text, /(\d+(?:\.\d+)?)(ms|s|m|h)/g, 'Write it like 90s, 5m or 1h30m.');
  return Math.min(sum, LONGEST_DURATION_MS);
}

/** A time limit, of which 0 means none, as in kubectl. @returns milliseconds */
export function parseTimeLimit(text: string): number {
  return (text === '0' ? 0 : parseDuration(text)) || LONGEST_DURATION_MS;
}

/** @param what it is the name of, e.g. `a namespace`. @throws MeshctlError `Usage` for what Kubernetes allows nobody */
export function requireName(text: string, what: string): string {
  if (DNS_LABEL.test(text)) return text;
  throw new MeshctlError('Usage', `"${text}" cannot be the name of ${what}`, {
    hint: 'Names have lower-case letters, digits and dashes, at most 63 characters.',
  });
}

/** The name of a namespace. */
export function parseNamespace(text: string): string {
  return requireName(text, 'a namespace');
}

/** `Kind[/name]:path`, in three groups, as a regular expression. */
export const OBJECT_FIELD = String.raw`([A-Z][A-Za-z]+)(?:\/([a-z0-9.-]+))?:((?:\[[^\]]*\]|[^=[])+)`;

/** A field of an object that enable makes: `Kind[/name]:path`. */
export function parseObjectField(text: string): { kind: string; name?: string | undefined; path: string } {
  const [, kind, name, path] = new RegExp(`^${OBJECT_FIELD}$`).exec(text) ?? [];
  if (kind !== undefined && path !== undefined) return { kind, name, path };
  throw new MeshctlError('Usage', `"${text}" is not Kind/name:path`, {
    hint: 'Write it as it was set, like Deployment/clustermesh-apiserver:spec.template.spec.priorityClassName.',
  });
}

/** How many nodes, or `all`. @returns infinity for those */
export function parseNodes(text: string): number {
  if (text === 'all') return Number.POSITIVE_INFINITY;
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new MeshctlError('Usage', `"${text}" is neither a number of nodes nor all`, {
    hint: 'Write --nodes 3, or --nodes all.',
  });
}

/** An image as a registry has it: nothing of it may be blank. What else is wrong with it, nodes say. */
export function parseImageName(text: string): string {
  if (!/^\S+$/.test(text)) throw new MeshctlError('Usage', `"${text}" is not an image, like quay.io/name:tag`);
  return text;
}

/** The name of an object whose kind takes DNS subdomains (Kubernetes, "Object Names and IDs"). */
export function parseObjectName(text: string): string {
  if (text.length <= 253 && /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(text)) return text;
  throw new MeshctlError('Usage', `"${text}" is not a name: lower-case letters, digits, "-" and "." are allowed`);
}

/** A whole number from 1 on. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1) {
    throw new MeshctlError('Usage', `"${text}" is not a whole number of at least 1`);
  }
  return count;
}

/** `10%` or `10`: more than 0 and at most 100 percent. */
export function parsePercent(text: string): number {
  const percent = Number(text.replace(/%$/, ''));
  if (!/^\d+(\.\d+)?%?$/.test(text) || percent <= 0 || percent > 100) {
    throw new MeshctlError('Usage', `"${text}" is not a percentage`, { hint: 'Write it like 10%.' });
  }
  return percent;
}

/** `a,b,c` as a list without empty entries, each of them once. */
export function parseList(text: string): string[] {
  return [...new Set(parseSeries(text))];
}

/** `a,a,b` as it is written, without empty entries: each is for another cluster. */
export function parseSeries(text: string): string[] {
  return filled(text, text.split(','));
}

/** Names of contexts, or globs, as {@link contextList} writes them. */
export function parseContexts(text: string): string[] {
  return [...new Set(filled(text, entriesOfList(text)))];
}

function filled(text: string, written: readonly string[]): string[] {
  const entries = written.map((entry) => entry.trim());
  if (entries.some((entry) => entry === '')) throw new MeshctlError('Usage', `"${text}" has an empty entry`);
  return entries;
}

/** The name of one context, which may have the comma of a list. */
export function parseContext(text: string): string {
  return text.replaceAll('\\,', ',');
}

/** The name of a cluster of a mesh. */
export function parsePeerName(text: string): string {
  const why = checkClusterName(text);
  if (why === undefined) return text;
  throw new MeshctlError('Usage', `"${text}" cannot be the name of a cluster: ${why}`);
}

/** `key=value`; the value may be empty and may contain `=`. */
export function parseKeyValue(text: string): [key: string, value: string] {
  const at = text.indexOf('=');
  if (at < 1) throw new MeshctlError('Usage', `"${text}" is not key=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

const TAINT_EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
/** A label's key, with a prefix perhaps, and a label's value (Kubernetes, "Labels and Selectors"). */
const TAINT =
  /^(?<key>(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)(?:=(?<value>[-A-Za-z0-9_.]*))?:(?<effect>[A-Za-z]+)$/;

/** `key=value:effect` as kubectl writes a taint, or `key:effect` for any value of it: what a pod tolerates; or `none`. */
export function parseToleration(text: string): Toleration | 'none' {
  if (text === 'none') return text;
  const { key = '', value, effect = '' } = TAINT.exec(text)?.groups ?? {};
  if (key !== '' && TAINT_EFFECTS.includes(effect)) return tolerationOf({ key, effect, ...(value ? { value } : {}) });
  throw new MeshctlError('Usage', `"${text}" is not a taint`, {
    hint: `Write it like dedicated=mesh:NoSchedule, or dedicated:NoSchedule for any value; effects are ${TAINT_EFFECTS.join(', ')}.`,
  });
}

/** A `--flag [boolean]`: `true` when given bare; undefined when absent. */
export function parseSwitch(value: 'true' | 'false' | true | undefined): boolean | undefined {
  return value === undefined ? undefined : value !== 'false';
}

/** @param what names are of, e.g. `check`. @throws MeshctlError `Usage` with the known ones when a name is not among them */
export function requireKnown(what: string, names: readonly string[], known: readonly string[]): void {
  for (const name of names) {
    if (known.includes(name)) continue;
    const hint =
      known.length > READABLE
        ? `The nearest of ${known.length} are: ${nearest(name, known).join(', ')}`
        : `There are: ${known.join(', ')}`;
    throw new MeshctlError('Usage', `there is no ${what} "${name}"`, { hint });
  }
}

/** So many names can be read in a line or two. */
const READABLE = 16;
const SHOWN = 5;

/** The names that are most like a text. */
function nearest(text: string, known: readonly string[]): string[] {
  return [...known].sort((a, b) => likeness(text, b) - likeness(text, a)).slice(0, SHOWN);
}

/** How much two words are alike, 0 to 1: the share of the pairs of letters that both have. */
export function likeness(one: string, other: string): number {
  const pairs = (word: string) =>
    new Set([...word].slice(1).map((letter, index) => `${word[index]}${letter}`.toLowerCase()));
  const [first, second] = [pairs(one), pairs(other)];
  return (2 * [...first].filter((pair) => second.has(pair)).length) / (first.size + second.size || 1);
}
