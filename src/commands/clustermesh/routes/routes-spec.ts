import type { CommandSpec } from '../../command-spec.ts';
import { CLUSTERS, NO_HEADERS, NODE_TIMEOUT, PARALLEL_AGENTS, PICTURE_FORMAT } from '../../options/shared-options.ts';

export const ROUTES = {
  path: ['clustermesh', 'routes'],
  summary: 'Show how nodes reach the pods of other clusters',
  description:
    'For each node the route to each remote pod range: via, device, and whether the kernel, BGP or the tunnel provides ' +
    'it, or only the default route: that counts, and is named, since the network behind it has to know the range. For ' +
    'a tunnel this is known only where the node is connected to the cluster; clusters of a mesh that are no peers of ' +
    'each other are skipped. Exits 1 when a route is missing, peers are not connected, or there is nothing to ' +
    'compare, 3 when a cluster cannot be queried, its pod ranges may not be read, or with --all no context leads to a peer ' +
    'that agents are not seen to be connected to.',
  examples: [
    { line: 'meshctl clustermesh routes --context gke,eks', what: 'a table, gaps marked' },
    {
      line: 'meshctl clustermesh routes --all -o svg > routes.svg',
      what: 'nodes, next hops and BGP peers; what no node has a route to is red',
    },
  ],
  reachesClusters: true,
  options: [...CLUSTERS, PARALLEL_AGENTS, NODE_TIMEOUT, PICTURE_FORMAT, NO_HEADERS],
} as const satisfies CommandSpec;
