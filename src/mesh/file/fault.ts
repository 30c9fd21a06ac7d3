import { MeshctlError } from '../errors.ts';

/** Something in a file that cannot be. Lines and columns count from 1. */
export interface FileFault {
  file: string;
  line: number;
  column: number;
  /** The field, e.g. `spec.clusters[1].enable.replicas`; empty for the document itself. */
  path: string;
  message: string;
  /** A clause. */
  hint?: string | undefined;
}

/** A path within a document: keys and indices. */
export type FieldPath = readonly (string | number)[];

/** What is wrong with a field of a document although it looks as it should. */
export interface ValueFault {
  path: FieldPath;
  message: string;
  hint?: string | undefined;
}

/** `spec.clusters[0].name`; keys that are no words are quoted. */
export function pathText(path: FieldPath): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      if (!/^[A-Za-z][\w-]*$/.test(part)) return `[${JSON.stringify(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join('');
}

/** Where a text is from, for people: `-` is standard input. @param file as the operator named it */
export function sourceName(file: string): string {
  return file === '-' ? 'standard input' : file;
}

/** A fault as one line: `mesh.yaml:12:7: spec.clusters[1]: …`. */
export function faultText({ file, line, column, path, message, hint }: FileFault): string {
  return `${sourceName(file)}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}${hint ? `; ${hint}` : ''}`;
}

/** Refuses files with faults, all of them at once. @throws MeshctlError `Usage` */
export function refuseFaults(faults: readonly FileFault[]): void {
  const [first] = faults;
  if (!first) return;
  const files = [...new Set(faults.map(({ file }) => file))];
  throw new MeshctlError(
    'Usage',
    faults.length === 1 ? faultText(first) : `${files.map(sourceName).join(', ')}: ${faults.length} faults`,
    { details: { faults: [...faults] } },
  );
}
