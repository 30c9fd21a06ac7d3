import { CONNECTION_MODES } from '../../mesh/peers/connection-mode.ts';
import type { OptionSpec } from '../command-spec.ts';
import { parseContexts } from './option-values.ts';
import { ALL, CONTEXT, parallel } from './shared-options.ts';

/**
 * Which clusters, and who dials whom; the same for connecting and disconnecting.
 * @param unicast what `--connection-mode unicast` means for the command
 */
export const meshOptions = (unicast: string) =>
  [
    { ...CONTEXT, description: 'kubeconfig context of the source (default: the current one)' },
    {
      flags: '--destination-context <contexts>',
      group: 'clusters',
      description: 'kubeconfig contexts of the other clusters, comma-separated or repeated; * and ? match several',
      parse: parseContexts,
      complete: 'contexts',
      repeatable: 'lists',
    },
    {
      flags: '--destination-kubeconfig <path>',
      group: 'clusters',
      description: 'kubeconfig file of the destinations, if it is another one',
      complete: 'file',
    },
    ALL,
    {
      flags: '--connection-mode <mode>',
      description:
        `bidirectional: the source and each destination; mesh: every pair of clusters; unicast: ${unicast} ` +
        '(default: bidirectional; mesh with --all and no --context)',
      choices: CONNECTION_MODES,
    },
    parallel('clusters read and written at a time', 16),
  ] as const satisfies readonly OptionSpec[];
