import type { CommandSpec } from './command-spec.ts';
import { RESULT_FORMAT } from './options/shared-options.ts';

export const EXPLAIN = {
  path: ['explain'],
  summary: 'Explain an id of status, check or probe: its meaning, how it looks in Cilium, and the fix',
  description:
    'status and check end each of their lines with an id in parentheses; connectivity probe begins each finding with ' +
    'one. This prints the paragraph about it. It is part of meshctl: neither a cluster nor the internet is asked.',
  examples: [
    { line: 'meshctl explain permission-denied', what: 'one of them' },
    { line: 'meshctl explain peer-ca,tls-names', what: 'several' },
    { line: 'meshctl explain', what: 'all that there are' },
  ],
  arguments: [
    {
      name: 'ids',
      description: 'ids, comma-separated (default: list them all)',
      optional: true,
      complete: 'explanations',
    },
  ],
  options: [RESULT_FORMAT],
} as const satisfies CommandSpec;
