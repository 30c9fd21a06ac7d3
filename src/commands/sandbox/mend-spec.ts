import type { CommandSpec } from '../command-spec.ts';
import { SANDBOX_KUBECONFIG } from './kubeconfig-option.ts';

export const SANDBOX_MEND = {
  path: ['sandbox', 'mend'],
  summary: 'Repair the network between embedded clusters',
  description: 'Undoes what sandbox break, or sandbox up --break, broke.',
  examples: [
    { line: "meshctl sandbox mend 'drop:mesh-1>mesh-2:udp/8472'", what: 'one rule' },
    { line: 'meshctl sandbox mend --all', what: 'everything' },
  ],
  arguments: [{ name: 'rules', description: 'as sandbox break shows them, separated by commas', optional: true }],
  options: [{ flags: '--all', description: 'everything that is broken' }, SANDBOX_KUBECONFIG],
} as const satisfies CommandSpec;
