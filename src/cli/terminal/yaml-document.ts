import { stringify } from 'yaml';

/**
 * A document as YAML. In a module of its own, so that only `-o yaml` loads the library: imported dynamically itself, a
 * bundled CommonJS package has no named exports.
 */
export function yamlDocument(document: Record<string, unknown>): string {
  return stringify(document, { aliasDuplicateObjects: false });
}
