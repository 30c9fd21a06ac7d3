import type { CommandSpec } from '../command-spec.ts';
import { CILIUM_NAMESPACE_APART, CLUSTERS, RESULT_FORMAT } from '../options/shared-options.ts';

import { NAMESPACE, SERVICE } from './options.ts';
export const SERVICE_DESCRIBE = {
  path: ['service', 'describe'],
  summary: 'Show one service in all clusters, with its backends',
  examples: [{ line: 'meshctl service describe default/rebel-base --context gke,eks', what: 'backends, nodes, zones' }],
  reachesClusters: true,
  arguments: [SERVICE],
  options: [...CLUSTERS, NAMESPACE, CILIUM_NAMESPACE_APART, RESULT_FORMAT],
} as const satisfies CommandSpec;
