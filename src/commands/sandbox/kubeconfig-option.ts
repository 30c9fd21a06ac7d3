import type { OptionSpec } from '../command-spec.ts';

/** By which a command finds the sandbox that runs. */
export const SANDBOX_KUBECONFIG = {
  flags: '--kubeconfig <path>',
  description: "the sandbox's (default: $KUBECONFIG, else the only sandbox in the background)",
  complete: 'file',
  group: 'clusters',
} as const satisfies OptionSpec;
