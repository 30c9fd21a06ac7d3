import type { CommandSpec } from '../command-spec.ts';
import { parseNamespace, parseNodes } from '../options/option-values.ts';
import { CILIUM_NAMESPACE_APART, CLUSTERS, parallel, waitDuration } from '../options/shared-options.ts';

export const CONNECTIVITY_PROBE = {
  path: ['connectivity', 'probe'],
  summary: 'Prove with real packets that the network between clusters carries a mesh',
  description:
    'Sends between nodes of different clusters what this mesh needs, before enable or after connect: the port of the ' +
    'tunnel, WireGuard or IPsec, health checks, the clustermesh-apiserver once there is one (from nodes and, where ' +
    'KVStoreMesh dials it, from a pod), pod to pod with native routing, each in the IP families in which Cilium sends it; finds the MTU of the path and the round-trip time. ' +
    'What is sent is watched for on the other side, so a blocked path is told from a service that does not answer. For ' +
    'that a pod runs on each probed node, in the node’s network, in the image of the cluster’s own Cilium, as root with the ' +
    'capability NET_RAW and no other, and one ordinary pod in each cluster, in a namespace that is removed at the end, also ' +
    'after Ctrl-C. Exits 1 when something that the mesh needs is blocked, or the probe is left behind, 3 when it could not be seen whether something passes, or a cluster does not answer. ' +
    'An agent stands in for a pod only where packets of pods leave with the address of their node.',
  examples: [
    {
      line: 'meshctl connectivity probe --context gke,eks',
      what: 'before the first enable, or when a mesh does not work',
    },
    { line: 'meshctl connectivity probe --all --nodes all -o junit > report.xml', what: 'every node, for a pipeline' },
  ],
  reachesClusters: true,
  options: [
    ...CLUSTERS,
    parallel('clusters read at a time', 16),
    {
      flags: '--nodes <count>',
      description: 'nodes of each cluster to probe, spread over its zones, or all',
      default: '3',
      parse: parseNodes,
    },
    {
      flags: '--via <how>',
      description:
        "where packets are sent and seen: pods, or Cilium's agents, which needs no pods but the right to run commands in " +
        'them, and does not try what only pods send; auto takes agents where pods cannot be made',
      choices: ['auto', 'pods', 'agents'],
      default: 'auto',
    },
    {
      flags: '--image <image>',
      description: "image of the pods: it has sh, sleep and Perl (default: that of each cluster's Cilium agents)",
    },
    {
      flags: '-n, --namespace <namespace>',
      description: 'namespace for the pods; one that it made is removed at the end',
      default: 'meshctl-probe',
      parse: parseNamespace,
      complete: 'namespace',
      once: true,
    },
    CILIUM_NAMESPACE_APART,
    waitDuration('for pods to run', '2m'),
    {
      flags: '-o, --output <format>',
      group: 'output',
      description: 'format of the result; wide has each test',
      choices: ['text', 'wide', 'json', 'yaml', 'junit'],
      default: 'text',
    },
  ],
} as const satisfies CommandSpec;
