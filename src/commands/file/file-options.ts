import type { OptionSpec } from '../command-spec.ts';
import { parallel, SKIP_CHECKS } from '../options/shared-options.ts';

/** What commands take that read mesh files. */
export const FILE_OPTIONS = [
  {
    flags: '-f, --filename <path>',
    description: 'mesh file, a folder of them, or - for standard input; repeatable',
    repeatable: true,
    required: true,
    complete: 'file',
  },
  SKIP_CHECKS,
  parallel('clusters read and written at a time', 16),
] as const satisfies readonly OptionSpec[];
