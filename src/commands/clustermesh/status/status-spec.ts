import type { CommandSpec } from '../../command-spec.ts';
import { parsePercent } from '../../options/option-values.ts';
import { CLUSTERS, NODE_TIMEOUT, PARALLEL_AGENTS, waitDuration } from '../../options/shared-options.ts';

export const STATUS = {
  path: ['clustermesh', 'status'],
  summary: 'Show whether all nodes are connected to all clusters',
  description:
    'Asks every Cilium agent and every KVStoreMesh replica, and compares their answers with the peers that are ' +
    'configured. Each problem is shown once for all nodes that have it, with the next command to run and an id for ' +
    '"meshctl explain". With several contexts, a matrix of all clusters, or where that is wider than the terminal, what of it ' +
    'is not connected. Exits 0 only when every node is ' +
    'connected to every configured peer, each cluster that dials another one is dialled back or was chosen not to be, and ' +
    'nothing of it is broken; 3 when all that was seen is well, and a cluster or an agent does not answer or not all of it may be read.',
  examples: [
    { line: 'meshctl clustermesh status --context gke --wait', what: 'wait until the mesh is up' },
    { line: 'meshctl clustermesh status --all', what: 'every cluster of the kubeconfig that runs Cilium' },
    { line: 'meshctl clustermesh status -o json | jq .healthy', what: 'for scripts' },
  ],
  reachesClusters: true,
  options: [
    ...CLUSTERS,
    {
      flags: '--wait',
      group: 'run',
      description: 'wait until every node is connected; Ctrl-C shows what was seen last',
      default: false,
    },
    waitDuration('with --wait', '5m'),
    {
      flags: '--watch',
      description:
        'refresh the status until Ctrl-C, as far as the screen has room for it; it ends with exit status 130, as a watch of kubectl does, whatever it showed',
      default: false,
    },
    PARALLEL_AGENTS,
    NODE_TIMEOUT,
    {
      flags: '--sample <percent>',
      description: 'ask only this percentage of the nodes, for very large clusters',
      parse: parsePercent,
    },
    {
      flags: '-o, --output <format>',
      group: 'output',
      description:
        'format of the result; wide: the whole matrix too, however large, and what each node and replica says',
      choices: ['summary', 'wide', 'json', 'yaml', 'junit'],
      default: 'summary',
    },
  ],
} as const satisfies CommandSpec;
