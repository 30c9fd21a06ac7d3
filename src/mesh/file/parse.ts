import { type Document, isNode, LineCounter, type Node, parseAllDocuments, type YAMLParseError } from 'yaml';
import { probablyMeant } from '../nearest.ts';
import { isRecord } from '../record.ts';
import { MESH_KIND, type MeshDocument } from './document.ts';
import { type FieldPath, type FileFault, pathText } from './fault.ts';
import { referenceFaults } from './references.ts';
import { type NodeFault, resolver, type Schema, schemaFaults } from './schema.ts';

/** A text with its name, as faults tell it. */
export interface MeshText {
  /** As the operator named it; `-` is standard input. */
  file: string;
  text: string;
}

/** A document that was read, and where it is from. */
export interface ReadDocument {
  file: string;
  /** Of its first line, from 1. */
  line: number;
  document: MeshDocument;
}

export interface ParsedText {
  documents: readonly ReadDocument[];
  faults: readonly FileFault[];
  /** What was passed over, as no mesh: kinds of documents, and texts that are no YAML. */
  others: readonly string[];
}

/** What no mesh file may have, whatever the field: it is kept in a repository. */
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

/**
 * Reads all documents of a text. Everything that is wrong with them is told at once, each with line and column; nothing that a
 * file holds is told but short values.
 * @param passOver documents that are not meant as a mesh are no faults: in a folder there may be others
 * @param references false checks nothing but the schema
 */
export function parseMeshText(
  { file, text }: MeshText,
  schema: Schema,
  { passOver = false, references = true } = {},
): ParsedText {
  const lineCounter = new LineCounter();
  const faults: FileFault[] = [];
  const documents: ReadDocument[] = [];
  const others: string[] = [];
  const at = (offset: number, path: FieldPath, message: string, hint?: string): FileFault => {
    const { line, col } = lineCounter.linePos(offset);
    return {
      file,
      line: Math.max(1, line),
      column: Math.max(1, col),
      path: pathText(path),
      message,
      ...(hint ? { hint } : {}),
    };
  };
  const parsed = parseAllDocuments(text, { lineCounter, prettyErrors: false, logLevel: 'silent' });
  const key = text.search(PRIVATE_KEY);
  // Nothing else of the text is told then.
  const withKey = (): ParsedText => {
    return { documents: [], others: [], faults: [at(key, [], 'a private key does not belong in this file')] };
  };
  if (key >= 0 && !passOver) return withKey();
  for (const [index, document] of ('empty' in parsed ? [] : parsed).entries()) {
    const [broken] = document.errors;
    if (broken) {
      if (passOver && !looksLikeMesh(text.slice(document.range[0], parsed[index + 1]?.range[0]))) {
        others.push(`invalid YAML in ${file}`);
        continue;
      }
      if (key >= 0) return withKey();
      // Those after the first are mostly what it leads to.
      faults.push(at(broken.pos[0], [], syntaxWords(broken)));
      continue;
    }
    if (document.contents === null) continue;
    const value = dataOf(document);
    // What aliases make too large is judged by its first fields.
    const head = value === undefined ? { apiVersion: document.get('apiVersion'), kind: document.get('kind') } : value;
    if (passOver && !isMeantAsMesh(head)) {
      others.push(kindOf(head));
      continue;
    }
    if (key >= 0) return withKey();
    const resolve = resolver((alias) =>
      (alias as unknown as { resolve(of: Document): Node | undefined }).resolve(document),
    );
    const bySchema: NodeFault[] =
      value === undefined
        ? [{ node: document.contents, path: [], message: 'its aliases stand for too much' }]
        : schemaFaults(document.contents, schema, resolve);
    const told = new Set(bySchema.map(({ path }) => pathText(path)));
    const further = (references ? referenceFaults(value) : []).filter(({ path }) => !told.has(pathText(path)));
    const found = [...bySchema, ...further.map((fault) => ({ ...fault, node: nodeAt(document, fault.path) }))];
    const start = document.contents.range?.[0] ?? 0;
    faults.push(
      ...found.map(({ node, path, message, hint }) =>
        at(node?.range?.[0] ?? startOf(document, path) ?? start, path, message, hint),
      ),
    );
    documents.push({ file, line: at(start, [], '').line, document: value as MeshDocument });
  }
  const isNothing = documents.length + faults.length === 0;
  if (isNothing && !passOver) faults.push(at(0, [], 'there is no document in it'));
  return { documents, faults: inOrder(faults), others };
}

function inOrder(faults: readonly FileFault[]): FileFault[] {
  return [...faults].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** The document as data; undefined where aliases make too much of it. */
function dataOf(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch {
    return undefined;
  }
}

/** What people call a mesh. */
const LIKE_MESH: readonly string[] = [MESH_KIND, 'Meshes', 'ClusterMesh'];

/** Words by which a text shall be a mesh. */
const MESH_WORDS = /apiVersion["']?\s*:\s*["']?\S*meshctl|kind["']?\s*:\s*["']?(?:cluster)?mesh(?:es)?\b/i;

/** The same of a text that is no YAML, as far as words tell: the clusters of a mesh that was passed over would be in no file. */
function looksLikeMesh(text: string): boolean {
  return MESH_WORDS.test(text) || ['clusters', 'topology'].every((word) => text.includes(word));
}

/**
 * Whether a document in a folder shall be a mesh, be it written wrongly: it is called so, nearly so or not at all, or has what
 * only a mesh has. What else meshctl writes, as invitations, has other names.
 */
function isMeantAsMesh(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { apiVersion, kind, spec } = value;
  if (kind === MESH_KIND) return true;
  if (typeof apiVersion === 'string' && !/meshctl/i.test(apiVersion)) return false;
  if (isRecord(spec) && 'clusters' in spec && 'topology' in spec) return true;
  if (typeof apiVersion !== 'string') return false;
  return typeof kind !== 'string' || probablyMeant(kind, LIKE_MESH) !== undefined;
}

function kindOf(value: unknown): string {
  const kind = isRecord(value) ? value.kind : undefined;
  return typeof kind === 'string' ? kind : 'a document without kind';
}

function nodeAt(document: Document, path: FieldPath): Node | undefined {
  const node = path.length === 0 ? document.contents : document.getIn(path, true);
  return isNode(node) ? node : undefined;
}

/** Where the nearest thing around a field begins, which is not there itself. */
function startOf(document: Document, path: FieldPath): number | undefined {
  for (let length = path.length - 1; length >= 0; length--) {
    const start = nodeAt(document, path.slice(0, length))?.range?.[0];
    if (start !== undefined) return start;
  }
  return undefined;
}

/** Parsers explain at length, with the source below. */
/** What is no YAML, without the token that was not expected: of a file that is not a mesh's it may be a password. */
function syntaxWords({ code, message }: YAMLParseError): string {
  const [line = message] = message.split('\n');
  return (code === 'UNEXPECTED_TOKEN' ? line.replace(/:.*$/, '') : line).replace(/[:.]\s*$/, '');
}
