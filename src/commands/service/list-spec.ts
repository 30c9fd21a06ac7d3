import type { CommandSpec } from '../command-spec.ts';
import { CILIUM_NAMESPACE_APART, CLUSTERS, NO_HEADERS, RESULT_FORMAT } from '../options/shared-options.ts';

import { ALL_NAMESPACES, NAMESPACE } from './options.ts';
export const SERVICE_LIST = {
  path: ['service', 'list'],
  summary: 'List the services that are global in any of the clusters',
  description:
    'Shows for each global service where it is defined, how it is shared, how many of its backends are ready, what the ' +
    'agents of each cluster send new connections to now, and what looks wrong.',
  examples: [
    { line: 'meshctl service list --context gke,eks', what: 'two clusters' },
    { line: 'meshctl service list --all -n shop -o wide', what: 'one namespace in every cluster of the kubeconfig' },
  ],
  reachesClusters: true,
  options: [
    ...CLUSTERS,
    ALL_NAMESPACES,
    NAMESPACE,
    CILIUM_NAMESPACE_APART,
    {
      ...RESULT_FORMAT,
      description: 'format of the result; name: NAMESPACE/NAME of each service, as describe takes it',
      choices: ['text', 'wide', 'name', 'json', 'yaml'],
    },
    NO_HEADERS,
  ],
} as const satisfies CommandSpec;
