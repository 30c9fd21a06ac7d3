import type { CommandSpec, OptionSpec } from '../command.ts';
import { parseCount, parseDuration, parseList, parseSpan } from '../option-values.ts';
import { CLUSTERS, DRY_RUN, FORCE_CONFLICTS, RESULT_FORMAT, YES } from '../shared-options.ts';

const NODE_TIMEOUT: OptionSpec = {
  flags: '--node-timeout <duration>',
  group: 'run',
  description: 'longest wait for one agent',
  default: '10s',
  parse: parseDuration,
};

const PARALLEL: OptionSpec = {
  flags: '--parallel <count>',
  group: 'run',
  description: 'agents asked at the same time',
  default: 50,
  parse: parseCount,
};

const PICTURE_FORMAT: OptionSpec = {
  flags: '-o, --output <format>',
  group: 'output',
  description: 'format of the result',
  choices: ['table', 'json', 'yaml', 'mermaid', 'dot', 'svg'],
  default: 'table',
};

/** Commands that look at a mesh and find what is wrong with it. */
export const HEALTH_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['clustermesh', 'check'],
    summary: 'Find what is wrong or will be, with the next step for each finding',
    description:
      'Reads the clusters and judges names and ids, settings, versions, addresses, the network between nodes, the ' +
      'clustermesh-apiserver, certificates, peers and ownership. Exits 1 when a check fails.',
    examples: [
      { line: 'meshctl clustermesh check --pre --context gke,eks', what: 'before enable and connect' },
      { line: 'meshctl clustermesh check --all -o short', what: 'only what is not in order' },
      { line: 'meshctl clustermesh check --category tls,peers --fail-on warn -o junit', what: 'in a pipeline' },
    ],
    reachesClusters: true,
    options: [
      ...CLUSTERS,
      { flags: '--pre', description: 'only what can be judged before enable and connect', default: false },
      { flags: '--category <categories>', description: 'only these categories, comma-separated', parse: parseList },
      { flags: '--suppress <ids>', description: 'leave out these checks, comma-separated', parse: parseList },
      {
        flags: '--fail-on <severity>',
        description: 'what makes the exit status 1',
        choices: ['fail', 'warn'],
        default: 'fail',
      },
      { flags: '--wait', group: 'run', description: 'check again until nothing fails', default: false },
      {
        flags: '--wait-duration <duration>',
        group: 'run',
        description: 'longest wait with --wait',
        default: '5m',
        parse: parseDuration,
      },
      PARALLEL,
      NODE_TIMEOUT,
      {
        flags: '-o, --output <format>',
        group: 'output',
        description: 'format of the result; short: only failures and warnings',
        choices: ['table', 'short', 'json', 'yaml', 'junit'],
        default: 'table',
      },
    ],
    load: () => import('./check.ts'),
  },
  {
    path: ['clustermesh', 'certs', 'list'],
    summary: 'List every certificate of the mesh',
    description:
      'Roles, subjects, issuers, serial numbers and the time that is left; with -o json also names and who uses them. ' +
      'Keys are not read out. Exits 1 when a certificate is missing or unusable.',
    examples: [
      { line: 'meshctl clustermesh certs list --all', what: 'all clusters of the kubeconfig that run Cilium' },
    ],
    reachesClusters: true,
    options: [...CLUSTERS, RESULT_FORMAT],
    load: () => import('./certs/list.ts'),
  },
  {
    path: ['clustermesh', 'certs', 'rotate'],
    summary: 'Renew the certificates of the mesh without cutting off a peer',
    description:
      'Renews the certificates of the clusters and those with which they dial each other; each one is proved before it is ' +
      'handed out. Key sizes and validities stay as they are. With --ca, the CAs too: first everyone trusts the old and the ' +
      'new CA, then all certificates come from the new one, and only then the old one is let go. A phase that fails is put ' +
      'back; after an interruption the same command, also without --ca, goes on.',
    examples: [
      { line: 'meshctl clustermesh certs rotate --context gke,eks', what: 'new certificates from the same CAs' },
      { line: 'meshctl clustermesh certs rotate --all --older-than 30d', what: 'only those that are due' },
      {
        line: 'meshctl clustermesh certs rotate --ca --all --dry-run',
        what: 'what would be renewed, phase by phase',
      },
      { line: 'meshctl clustermesh certs rotate --ca --all', what: 'new CAs for the whole mesh' },
    ],
    reachesClusters: true,
    options: [
      ...CLUSTERS,
      { flags: '--ca', description: 'make new CAs too; asks first', default: false },
      {
        flags: '--older-than <duration>',
        description: 'only certificates that were issued longer ago than this, e.g. 30d or 720h',
        parse: parseSpan,
      },
      { flags: '--peer <name>', description: 'only the certificates with which clusters log in to this one' },
      {
        flags: '--cert-validity <duration>',
        description: 'validity of new certificates, e.g. 8760h (default: keep theirs)',
        parse: parseSpan,
      },
      {
        flags: '--key-size <bits>',
        description: 'size of new RSA keys (default: keep theirs)',
        choices: ['2048', '3072', '4096'],
      },
      { flags: '--parallel <count>', group: 'run', description: 'clusters at a time', default: 16, parse: parseCount },
      FORCE_CONFLICTS,
      DRY_RUN,
      YES,
      {
        flags: '--wait-duration <duration>',
        group: 'run',
        description: 'longest wait for each step to become live',
        default: '5m',
        parse: parseDuration,
      },
      RESULT_FORMAT,
    ],
    load: () => import('./certs/rotate.ts'),
  },
  {
    path: ['clustermesh', 'routes'],
    summary: 'Show how nodes get to the pods of other clusters',
    description:
      'For each node the route to each remote pod range: via, device, and whether the kernel, BGP or the tunnel provides it. ' +
      'Of a tunnel it is known only where the node is connected to the cluster. Exits 1 when a route is missing or clusters ' +
      'are not connected, 3 when a cluster cannot be asked.',
    examples: [
      { line: 'meshctl clustermesh routes --context gke,eks', what: 'a table, gaps marked' },
      { line: 'meshctl clustermesh routes --all -o svg > routes.svg', what: 'a picture' },
    ],
    reachesClusters: true,
    options: [...CLUSTERS, PARALLEL, NODE_TIMEOUT, PICTURE_FORMAT],
    load: () => import('./routes.ts'),
  },
  {
    path: ['clustermesh', 'graph'],
    summary: 'Draw the mesh, edges coloured by health',
    description:
      'Asks the agents as status does, and draws who is connected to whom. Exits 0 however they are connected, 3 when a ' +
      'cluster cannot be asked: the picture lacks it. To judge the mesh, use status.',
    examples: [
      { line: 'meshctl clustermesh graph --all -o svg > mesh.svg', what: 'a picture for light and dark pages' },
      { line: 'meshctl clustermesh graph --all -o mermaid', what: 'for Markdown' },
    ],
    reachesClusters: true,
    options: [...CLUSTERS, PARALLEL, NODE_TIMEOUT, PICTURE_FORMAT],
    load: () => import('./graph.ts'),
  },
];
