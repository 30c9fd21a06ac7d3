import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { installedPackage } from '../../src/cli/installed-package.ts';

/** The folder that an installed meshctl would have as its own. */
export const PACKAGE_ROOT = new URL('../../', import.meta.url);
/** meshctl as it is in the checkout. */
export const CHECKOUT = installedPackage(fileURLToPath(PACKAGE_ROOT));

const FOLDER = new URL('templates/schemas/', PACKAGE_ROOT);
const SUFFIX = '.schema.json';

const AJV = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allErrors: true });
/** The files of the package's JSON Schemas, by the `kind` of the documents that they describe. */
const FILES: ReadonlyMap<string, string> = addSchemas();

/** The kinds that have a schema. */
export const SCHEMA_KINDS: readonly string[] = [...FILES.keys()];

/** The file in templates/schemas of a kind. */
export function schemaFileOf(kind: string): string {
  const file = FILES.get(kind);
  if (file === undefined) throw new Error(`there is no schema for kind ${kind}`);
  return file;
}

function addSchemas(): Map<string, string> {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(SUFFIX));
  return new Map(
    files.flatMap((file) => {
      const schema = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as {
        properties?: { kind?: { const?: string } };
      };
      AJV.addSchema(schema, file);
      const kind = schema.properties?.kind?.const;
      return kind === undefined ? [] : [[kind, file] as const];
    }),
  );
}

/** The schema of a kind, compiled when it is first asked for: all of them take longer than most test files. */
export function schemaOf(kind: string): ValidateFunction {
  const validate = AJV.getSchema(FILES.get(kind) ?? '');
  if (!validate) throw new Error(`there is no schema for kind ${kind}`);
  return validate;
}

/** Throws unless a document is what the schema of its kind says. */
export function requireValid(document: Record<string, unknown>): void {
  const validate = schemaOf(String(document.kind));
  const valid: boolean = validate(document);
  if (valid) return;
  const faults = (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath || '/'} ${message}`);
  throw new Error(`${document.kind} is not valid:\n${faults.join('\n')}\n${JSON.stringify(document, null, 1)}`);
}
