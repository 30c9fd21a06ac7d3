import { PLATFORM_FLAGS } from '../mesh/enable/platforms.ts';
import { apiserverOptions, RENDER_DEFAULTS } from './clustermesh/apiserver-options.ts';
import { CONNECT_COMMANDS } from './clustermesh/connect-specs.ts';
import { ENABLE_COMMANDS } from './clustermesh/enable-specs.ts';
import { HEALTH_COMMANDS } from './clustermesh/health-specs.ts';
import { POLICY_COMMANDS } from './clustermesh/policy-specs.ts';
import type { CommandSpec } from './command.ts';
import { CONNECTIVITY_COMMAND } from './connectivity/test-spec.ts';
import { parseCount, parseDuration, parseList, parseNamespace, parsePercent } from './option-values.ts';
import { SERVICE_COMMANDS } from './service/specs.ts';
import { CLUSTERS, waitDuration } from './shared-options.ts';

/** What each group of commands is, for help. */
export const COMMAND_GROUPS: Readonly<Record<string, string>> = {
  clustermesh: 'Join clusters into a mesh and inspect it',
  service: 'Services that several clusters serve together',
  'clustermesh certs': 'The certificates of the mesh',
  connectivity: 'Requests between clusters',
  sandbox: 'Embedded clusters on this machine for trying things out',
};

export const COMMAND_ALIASES: Readonly<Record<string, string>> = { clustermesh: 'mesh' };

/** Every command, as data. Their code is loaded when they run. */
export const COMMANDS: readonly CommandSpec[] = [
  ...ENABLE_COMMANDS,
  ...CONNECT_COMMANDS,
  {
    path: ['clustermesh', 'status'],
    summary: 'Show whether all nodes are connected to all clusters',
    description:
      'Asks every Cilium agent and every KVStoreMesh replica, and compares their answers with the peers that are configured. ' +
      'What is wrong is shown once for all nodes that have it, with the next command to run. With several contexts, a matrix ' +
      'of all clusters. Exits 0 only when every node is connected to every configured peer.',
    examples: [
      { line: 'meshctl clustermesh status --context gke --wait', what: 'wait until the mesh is up' },
      { line: 'meshctl clustermesh status --all', what: 'every cluster of the kubeconfig that runs Cilium' },
      { line: 'meshctl clustermesh status -o json | jq .healthy', what: 'for scripts' },
    ],
    reachesClusters: true,
    options: [
      ...CLUSTERS,
      { flags: '--wait', group: 'run', description: 'wait until every node is connected', default: false },
      waitDuration('with --wait', '5m'),
      { flags: '--watch', description: 'refresh the status until Ctrl-C', default: false },
      {
        flags: '--parallel <count>',
        group: 'run',
        description: 'agents asked at the same time',
        default: 50,
        parse: parseCount,
      },
      {
        flags: '--node-timeout <duration>',
        group: 'run',
        description: 'longest wait for one agent',
        default: '10s',
        parse: parseDuration,
      },
      {
        flags: '--sample <percent>',
        description: 'ask only this percentage of the nodes, for very large clusters',
        parse: parsePercent,
      },
      {
        flags: '-o, --output <format>',
        group: 'output',
        description: 'format of the result',
        choices: ['summary', 'wide', 'json', 'yaml', 'junit'],
        default: 'summary',
      },
    ],
    load: () => import('./clustermesh/status.ts'),
  },
  {
    path: ['clustermesh', 'render'],
    summary: 'Print the objects that enable would apply, without a cluster',
    description:
      'For GitOps. What only the cluster knows is left out: its users and peers, which connect writes, and the TLS Secrets; ' +
      '--certificates says how those come. So the objects can be applied to a running mesh.',
    examples: [
      {
        line: 'meshctl clustermesh render --cilium-version 1.20.0 --cluster-name mesh-1 --cluster-id 1 -o yaml',
        what: 'manifests for a repository',
      },
      {
        line: `meshctl clustermesh render --cilium-version 1.20.0 --cluster-name mesh-1 --cluster-id 1 \\
    --platform gke --certificates cert-manager`,
        what: 'with an internal load balancer, and certificates that cert-manager keeps',
      },
    ],
    options: [
      { flags: '--cilium-version <version>', description: "the cluster's Cilium version", required: true },
      { flags: '--cluster-name <name>', description: "the cluster's name in the mesh", required: true },
      { flags: '--cluster-id <id>', description: "the cluster's id in the mesh", required: true, parse: parseCount },
      {
        flags: '-n, --namespace <namespace>',
        description: 'namespace that Cilium runs in',
        default: 'kube-system',
        parse: parseNamespace,
      },
      ...apiserverOptions(RENDER_DEFAULTS),
      {
        flags: '--max-connected-clusters <count>',
        description: 'size of the mesh, as in cilium-config',
        choices: ['255', '511'],
        default: '255',
      },
      {
        flags: '--platform <platform>',
        group: 'exposure',
        description: 'where the cluster runs: keeps its load balancer off the internet',
        choices: PLATFORM_FLAGS,
      },
      {
        flags: '--certificates <source>',
        group: 'certificates',
        description:
          'none: TLS Secrets come from elsewhere (enable makes them); cert-manager: Certificates for it; inline: for a new ' +
          'cluster, issued from a new CA, prints private keys',
        choices: ['none', 'cert-manager', 'inline'],
        default: 'none',
      },
      {
        flags: '--issuer <[kind/]name>',
        group: 'certificates',
        description:
          'issuer for --certificates cert-manager, e.g. ClusterIssuer/mesh (default: the Issuer of Cilium’s chart, ' +
          'clustermesh-apiserver-issuer)',
      },
      {
        flags: '-o, --output <format>',
        group: 'output',
        description: 'format of the objects',
        choices: ['yaml', 'json'],
        default: 'yaml',
      },
    ],
    load: () => import('./clustermesh/render.ts'),
  },
  ...HEALTH_COMMANDS,
  ...POLICY_COMMANDS,
  ...SERVICE_COMMANDS,
  CONNECTIVITY_COMMAND,
  {
    path: ['sandbox', 'up'],
    summary: 'Run embedded clusters until Ctrl-C',
    description:
      'Starts clusters with Cilium in this process, on loopback. Real: API objects, HTTPS, certificates and every TLS ' +
      'handshake between clusters. Simulated: etcd, Cilium’s agent and its datapath.',
    examples: [
      { line: 'meshctl sandbox up --clusters 2 --nodes 2', what: 'two clusters, in another terminal: kubectl' },
      { line: 'meshctl sandbox up --provider gke,eks,bare-metal', what: 'three, each on another platform' },
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
          'platform that they report, one for all or one for each: gke (default), eks, aks, kind, bare-metal',
        parse: parseList,
      },
    ],
    load: () => import('./sandbox/up.ts'),
  },
  {
    path: ['demo'],
    summary: 'Show a walkthrough on embedded clusters',
    description:
      'Starts a sandbox with two clusters and runs the real commands against it: checks, enable, connect, status, a ' +
      'global service, its affinity, an outage of all local pods while requests go on, and their return.',
    options: [
      { flags: '--keep', description: 'leave the sandbox up at the end, until Ctrl-C', default: false },
      {
        flags: '--pace <duration>',
        description: 'pause after each scene (default: 2.5s on a terminal, else none)',
        parse: parseDuration,
      },
      { flags: '--no-pause', description: 'do not pause, also on a terminal' },
    ],
    load: () => import('./sandbox/demo.ts'),
  },
];
