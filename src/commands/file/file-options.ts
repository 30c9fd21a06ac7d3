import type { OptionSpec } from '../command-spec.ts';
import { parseList } from '../options/option-values.ts';
import { parallel } from '../options/shared-options.ts';

/** What commands take that read mesh files. */
export const FILE_OPTIONS = [
  {
    flags: '-f, --filename <path>',
    description: 'mesh file, a folder of them, or - for standard input; repeatable',
    repeatable: true,
    required: true,
    complete: 'file',
  },
  {
    flags: '--skip-checks <ids>',
    description: 'compatibility checks to skip, comma-separated or repeated',
    parse: parseList,
    repeatable: 'lists',
    complete: 'compatibility-checks',
  },
  parallel('clusters read and written at a time', 16),
] as const satisfies readonly OptionSpec[];
