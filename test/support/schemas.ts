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

/** The JSON Schemas of the package, compiled, by the `kind` of the documents that they describe. */
export const schemas: ReadonlyMap<string, ValidateFunction> = compileSchemas();

function compileSchemas(): Map<string, ValidateFunction> {
  const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allErrors: true });
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(SUFFIX));
  const kinds = files.flatMap((file) => {
    const schema = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as {
      properties?: { kind?: { const?: string } };
    };
    ajv.addSchema(schema, file);
    const kind = schema.properties?.kind?.const;
    return kind === undefined ? [] : [{ kind, file }];
  });
  return new Map(
    kinds.map(({ kind, file }) => {
      const validate = ajv.getSchema(file);
      if (!validate) throw new Error(`${file} cannot be compiled`);
      return [kind, validate];
    }),
  );
}

/** Throws unless a document is what the schema of its kind says. */
export function requireValid(document: Record<string, unknown>): void {
  const validate = schemas.get(String(document.kind));
  if (!validate) throw new Error(`there is no schema for kind ${document.kind}`);
  const valid: boolean = validate(document);
  if (valid) return;
  const faults = (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath || '/'} ${message}`);
  throw new Error(`${document.kind} is not valid:\n${faults.join('\n')}\n${JSON.stringify(document, null, 1)}`);
}
