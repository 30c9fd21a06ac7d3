import { expect, it } from 'vitest';
import { SCHEMA_KINDS, schemaOf } from '../support/schemas.ts';

it.each(SCHEMA_KINDS)('the schema of %s is one, and takes nothing else for it', (kind) => {
  expect(schemaOf(kind)({ kind: 'else' })).toBe(false);
});
