import type { CommandSpec } from '../command-spec.ts';

export const SANDBOX_DOWN = {
  path: ['sandbox', 'down'],
  summary: 'End the embedded clusters that run in the background',
  description: 'Ends what sandbox up --detach has started, and removes its kubeconfig.',
  options: [],
} as const satisfies CommandSpec;
