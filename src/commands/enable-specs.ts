import type { CommandSpec, OptionSpec } from './command.ts';
import { parseCount, parseKeyValue, parseList, parseSpan } from './option-values.ts';
import {
  CLUSTERS,
  DRY_RUN,
  FORCE_CONFLICTS,
  PLAN_FORMAT,
  RESULT_OR_PLAN_FORMAT,
  waitDuration,
  YES,
} from './shared-options.ts';

/** How the clustermesh-apiserver is exposed and made; of `enable` and `render` alike. */
export const APISERVER_OPTIONS: readonly OptionSpec[] = [
  {
    flags: '--service-type <type>',
    description: 'how peers reach the clustermesh-apiserver (default: as it is, else detected)',
    choices: ['LoadBalancer', 'NodePort', 'ClusterIP'],
  },
  {
    flags: '--service-annotation <key=value>',
    description: 'annotation of the Service, repeatable',
    repeatable: true,
    parse: parseKeyValue,
  },
  {
    flags: '--node-port <port>',
    description: 'NodePort of the Service (default: as it is, else one by the cluster id that is free)',
    parse: parseCount,
  },
  { flags: '--load-balancer-class <class>', description: 'class of the load balancer' },
  { flags: '--load-balancer-ip <ip>', description: 'address that the load balancer shall have' },
  {
    flags: '--load-balancer-source-ranges <list>',
    description: 'CIDRs that may reach the load balancer, comma-separated',
    parse: parseList,
  },
  {
    flags: '--external-traffic-policy <policy>',
    description: 'Local keeps client addresses, but only nodes with a pod answer (default: as it is, else Cluster)',
    choices: ['Cluster', 'Local'],
  },
  { flags: '--replicas <count>', description: 'replicas of the clustermesh-apiserver', parse: parseCount },
  {
    flags: '--enable-kvstoremesh [boolean]',
    description: 'run KVStoreMesh, the local cache of the remote clusters (default: as it is, else true)',
    choices: ['true', 'false'],
  },
  {
    flags: '--resources <list>',
    description:
      'requests and limits, e.g. requests.cpu=100m,limits.memory=1Gi; for one container: etcd:limits.memory=2Gi; repeatable',
    repeatable: true,
  },
  {
    flags: '--pull-secret <name>',
    description: 'Secret with credentials for the registry, repeatable',
    repeatable: true,
  },
  {
    flags: '--etcd-storage <medium>',
    description: 'where etcd keeps its data (default: as it is, else disk)',
    choices: ['memory', 'disk'],
  },
  {
    flags: '--pod-disruption-budget [boolean]',
    description: 'let at most one replica be drained at a time (default: as it is, else false)',
    choices: ['true', 'false'],
  },
  {
    flags: '--service-monitor [boolean]',
    description: 'let the Prometheus operator scrape it (default: as it is, else false)',
    choices: ['true', 'false'],
  },
  {
    flags: '--set <kind/name:path=value>',
    description: 'any other field of an object, e.g. Service/x:spec.sessionAffinity=None; null removes it; repeatable',
    repeatable: true,
  },
  { flags: '--image <image>', description: 'clustermesh-apiserver image (default: the one beside the agents’ image)' },
];

/** The CA and the certificates. */
const CERTIFICATE_OPTIONS: readonly OptionSpec[] = [
  { flags: '--ca-from-context <context>', description: 'use the CA of that cluster: one CA for the mesh' },
  { flags: '--ca-cert <file>', description: 'use this CA (PEM); goes with --ca-key' },
  { flags: '--ca-key <file>', description: 'the key of --ca-cert (PEM)' },
  {
    flags: '--replace-ca',
    description: 'replace the CA that is there, by a given one or a new one; asks first',
    default: false,
  },
  {
    flags: '--cert-validity <duration>',
    description: 'validity of the certificates that are issued, e.g. 8760h (default: 3 years)',
    parse: parseSpan,
  },
  {
    flags: '--key-size <bits>',
    description: 'size of RSA keys that are made',
    choices: ['2048', '3072', '4096'],
    default: '2048',
  },
];

export const ENABLE_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['clustermesh', 'enable'],
    summary: 'Prepare clusters for the mesh: the clustermesh-apiserver and its certificates',
    description:
      'Deploys the clustermesh-apiserver with everything it needs: the CA if the cluster has none, certificates that cover ' +
      'the address of its Service, RBAC, and the Service of the type that suits the cluster. Running it again changes only ' +
      'what differs, and finishes what an interrupted run left. What was chosen by flags stays until it is chosen otherwise. The plan names every ' +
      'peer and what becomes of its connection; before one is cut off it asks, or needs --yes.',
    examples: [
      { line: 'meshctl clustermesh enable --context gke', what: 'detect how to expose the clustermesh-apiserver' },
      {
        line: 'meshctl clustermesh enable --context a,b,c --service-type LoadBalancer',
        what: 'several clusters at once',
      },
      { line: 'meshctl clustermesh enable --context gke --dry-run=server', what: 'the plan, judged by the API server' },
      {
        line: 'meshctl clustermesh enable --set Deployment:spec.template.spec.containers[etcd].resources.limits.memory=2Gi',
        what: 'any field of any object',
      },
    ],
    reachesClusters: true,
    options: [
      ...CLUSTERS,
      ...APISERVER_OPTIONS,
      ...CERTIFICATE_OPTIONS,
      {
        flags: '--cilium-version <version>',
        description: "Cilium's version, where the agents' image does not tell it",
      },
      {
        flags: '--max-connected-clusters <count>',
        description: 'refuse a cluster that was installed for another size of mesh',
        choices: ['255', '511'],
      },
      FORCE_CONFLICTS,
      {
        flags: '--via-helm',
        description: 'let your helm make the objects, by the values that helm-values prints',
        default: false,
      },
      { flags: '--helm-release <name>', description: 'release that installed Cilium (default: cilium)' },
      {
        flags: '--helm-chart <chart>',
        description: "Cilium's chart: a name, a path or an oci:// address",
        default: 'cilium',
      },
      {
        flags: '--helm-repo <url>',
        description: 'where the chart of that name is',
        default: 'https://helm.cilium.io',
      },
      waitDuration('for the load balancer and for the pods, each', '5m'),
      YES,
      DRY_RUN,
      PLAN_FORMAT,
    ],
    load: () => import('./enable.ts'),
  },
  {
    path: ['clustermesh', 'disable'],
    summary: 'Remove what enable has made, and only that',
    description:
      'Takes the peers out first, then removes the clustermesh-apiserver and everything that meshctl made for it. What Helm or ' +
      'others made stays. The CA goes only if meshctl put it there and nothing else uses it. Shows the plan and asks.',
    examples: [
      { line: 'meshctl clustermesh disable --context gke --dry-run', what: 'see what would go' },
      {
        line: 'meshctl clustermesh disable --context gke --disconnect --yes',
        what: 'part from all peers, then remove',
      },
    ],
    reachesClusters: true,
    options: [
      ...CLUSTERS,
      {
        flags: '--disconnect',
        description: 'first disconnect the peers that the kubeconfig leads to, on their side too',
        default: false,
      },
      {
        flags: '--keep-certificates',
        description: 'leave the certificates and the CA for a later enable',
        default: false,
      },
      waitDuration('for the pods to go', '2m'),
      YES,
      DRY_RUN,
      RESULT_OR_PLAN_FORMAT,
    ],
    load: () => import('./disable.ts'),
  },
  {
    path: ['clustermesh', 'helm-values'],
    summary: 'Print the Helm values that make the same mesh',
    description:
      "Values of Cilium's chart for what enable would make in this cluster, with the type of Service that suits it. Private " +
      'keys are never among them.',
    examples: [
      {
        line: 'meshctl clustermesh helm-values --context gke | helm upgrade cilium cilium/cilium -n kube-system --version 1.20.0 --reuse-values -f -',
        what: 'let Helm do it; without --version it would upgrade Cilium too',
      },
    ],
    reachesClusters: true,
    options: [
      ...CLUSTERS,
      ...APISERVER_OPTIONS,
      {
        flags: '--cilium-version <version>',
        description: "Cilium's version, where the agents' image does not tell it",
      },
      {
        flags: '-o, --output <format>',
        description: 'format of the values',
        choices: ['yaml', 'json'],
        default: 'yaml',
      },
    ],
    load: () => import('./helm-values.ts'),
  },
];
