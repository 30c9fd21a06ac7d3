import type { CommandSpec } from '../command-spec.ts';
import { CILIUM_NAMESPACE_APART, CLUSTERS, RESULT_FORMAT } from '../options/shared-options.ts';

import { ALL_NAMESPACES, NAMESPACE, SERVICE } from './options.ts';
export const SERVICE_FAILOVER = {
  path: ['service', 'failover'],
  summary: 'Show who would serve if a cluster were lost',
  description:
    'Works out for each service and each cluster lost which backends the other clusters would use, and how many are left: ' +
    'where it is drained, so that its backends go and its clustermesh-apiserver tells the others. Where it falls silent, as by a power cut, ' +
    'Cilium keeps sending requests to its backends until the cluster is disconnected, or clustermesh-cache-ttl is over: column IF SILENT. ' +
    'A connection that `clustermesh status` calls broken does not count. What it says is of the clusters that are named. ' +
    'Without a service: all that are global. Nothing is changed. Exits 3 when a cluster cannot be queried.',
  examples: [
    {
      line: 'meshctl service failover --context gke,eks --require-survivable',
      what: 'a gate for game days: exit 1 if one would fail',
    },
    {
      line: 'meshctl service failover --all --drained --require-survivable',
      what: 'a gate for maintenance: clusters are drained first',
    },
    {
      line: 'meshctl service failover default/rebel-base --all --without gke',
      what: 'one service, one cluster lost',
    },
  ],
  reachesClusters: true,
  arguments: [{ ...SERVICE, description: `${SERVICE.description} (default: all global services)`, optional: true }],
  options: [
    ...CLUSTERS,
    {
      flags: '--without <cluster>',
      description: 'only the loss of this cluster (name or context)',
      complete: 'context',
      once: true,
    },
    {
      flags: '--drained',
      description: 'only the loss of a cluster that is drained, not of one that falls silent',
      default: false,
    },
    {
      flags: '--require-survivable',
      description:
        'exit 1 unless every service is global wherever it is, and survives; with --all, 3 where a peer has no context',
      default: false,
    },
    ALL_NAMESPACES,
    NAMESPACE,
    CILIUM_NAMESPACE_APART,
    RESULT_FORMAT,
  ],
} as const satisfies CommandSpec;
