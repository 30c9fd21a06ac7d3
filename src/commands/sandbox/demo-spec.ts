import type { CommandSpec } from '../command-spec.ts';
import { parseDuration } from '../option-values.ts';

export const DEMO = {
  path: ['demo'],
  summary: 'Show a walkthrough on embedded clusters',
  description:
    'Starts a sandbox with two clusters and runs the real commands against it: checks, enable, connect, status, a ' +
    'global service, its affinity, an outage of all local pods while requests go on, and their return.',
  options: [
    { flags: '--keep', description: 'leave the sandbox up at the end, until Ctrl-C', default: false },
    {
      flags: '--pace <duration>',
      description: 'pause after each scene (default: 2.5s on a terminal, else none)',
      parse: parseDuration,
    },
    { flags: '--no-pause', description: 'do not pause, also on a terminal' },
  ],
} as const satisfies CommandSpec;
