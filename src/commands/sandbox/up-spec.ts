import type { CommandSpec } from '../command-spec.ts';
import { parseCount, parseSeries } from '../options/option-values.ts';

export const SANDBOX_UP = {
  path: ['sandbox', 'up'],
  summary: 'Run embedded clusters until Ctrl-C, or in the background',
  description:
    'Starts clusters with Cilium in this process, on loopback. Real: API objects, HTTPS, certificates and every TLS ' +
    'handshake between clusters. Simulated: etcd, Cilium’s agent and its datapath.',
  examples: [
    { line: 'meshctl sandbox up --clusters 2 --nodes 2', what: 'two clusters, in another terminal: kubectl' },
    { line: 'meshctl sandbox up --provider gke,eks,bare-metal', what: 'three, each on another platform' },
    { line: 'meshctl sandbox up --detach', what: 'in the background, until: meshctl sandbox down' },
  ],
  options: [
    {
      flags: '--clusters <count>',
      description: 'number of clusters (default: 2, or one for each provider)',
      parse: parseCount,
    },
    { flags: '--nodes <count>', description: 'nodes of each cluster', default: 2, parse: parseCount },
    { flags: '--cilium-version <version>', description: 'Cilium version that they report', default: '1.20.0' },
    {
      flags: '--provider <list>',
      description:
        'platform that they report, one for all or one for each: gke (default), eks, aks, kind, bare-metal; where each has another, ' +
        'contexts are named by it',
      parse: parseSeries,
      repeatable: 'lists',
      alike: true,
    },
    {
      flags: '--break <rule>',
      description: 'break the network between them from the start, as sandbox break does; repeatable',
      repeatable: true,
    },
    {
      flags: '-d, --detach',
      description: 'run them in the background, until sandbox down',
      default: false,
      group: 'run',
    },
    {
      flags: '--background-folder <path>',
      description: 'for the process in the background: where its files are',
      hidden: true,
    },
  ],
} as const satisfies CommandSpec;
