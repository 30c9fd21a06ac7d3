import type { CommandSpec } from '../command-spec.ts';

export const SANDBOX_DOWN = {
  path: ['sandbox', 'down'],
  summary: 'End the embedded clusters that run in the background',
  description: 'Ends what sandbox up --detach started, and removes its kubeconfig.',
  examples: [
    { line: 'meshctl sandbox down', what: 'the only one that runs' },
    { line: 'meshctl sandbox down --all', what: 'every one of this account' },
  ],
  arguments: [
    {
      name: 'sandbox',
      description: 'its name, as sandbox up has printed it; only one that runs needs none',
      optional: true,
      complete: 'sandbox',
    },
  ],
  options: [{ flags: '--all', description: 'end every sandbox of this account, whoever started it' }],
} as const satisfies CommandSpec;
