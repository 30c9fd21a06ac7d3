import type { CommandSpec } from '../../command-spec.ts';
import { CLUSTERS, NODE_TIMEOUT, PARALLEL_AGENTS, PICTURE_FORMAT } from '../../options/shared-options.ts';

export const GRAPH = {
  path: ['clustermesh', 'graph'],
  summary: 'Draw the mesh, edges coloured by health',
  description:
    'Asks the agents as status does, and draws who is connected to whom. Exits 0 whatever the state of the connections, ' +
    '3 when a cluster cannot be queried: the picture lacks it. What may not be read is said beside it. To judge the mesh, ' +
    'use status.',
  examples: [
    { line: 'meshctl clustermesh graph --all -o svg > mesh.svg', what: 'a picture for light and dark pages' },
    { line: 'meshctl clustermesh graph --all', what: 'Mermaid, for Markdown' },
    { line: 'meshctl clustermesh graph --all -o table', what: 'the matrix of status, without its verdict' },
  ],
  reachesClusters: true,
  options: [...CLUSTERS, PARALLEL_AGENTS, NODE_TIMEOUT, { ...PICTURE_FORMAT, default: 'mermaid' }],
} as const satisfies CommandSpec;
