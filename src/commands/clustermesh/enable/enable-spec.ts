import { parseValidity } from '../../../mesh/span.ts';
import type { CommandSpec } from '../../command-spec.ts';
import { apiserverOptions, KEPT_DEFAULTS } from '../../options/apiserver-options.ts';
import { parseObjectField } from '../../options/option-values.ts';
import {
  CLUSTERS,
  DRY_RUN,
  FORCE_CONFLICTS,
  grouped,
  KEY_SIZES,
  PLAN_FORMAT,
  waitDuration,
  YES,
} from '../../options/shared-options.ts';

/** The CA and the certificates. */
const CERTIFICATE_OPTIONS = grouped('certificates', [
  {
    flags: '--ca-from-context <context>',
    description: 'use the CA of that cluster: one CA for the mesh',
    complete: 'context',
    once: true,
  },
  { flags: '--ca-cert <file>', description: 'use this CA (PEM); requires --ca-key', complete: 'file' },
  { flags: '--ca-key <file>', description: 'the key of --ca-cert (PEM)', complete: 'file' },
  {
    flags: '--replace-ca',
    description: 'replace the existing CA with the given one or a new one; asks first',
    default: false,
  },
  {
    flags: '--cert-validity <duration>',
    description:
      'validity of new certificates, 24h or more, rounded down to whole hours, e.g. 8760h (default: that of the existing certificates, otherwise 3 years)',
    parse: parseValidity,
  },
  {
    flags: '--key-size <bits>',
    description: 'size of new RSA keys (default: that of the existing certificates, otherwise 2048)',
    choices: KEY_SIZES,
  },
]);

export const ENABLE = {
  path: ['clustermesh', 'enable'],
  summary: 'Prepare clusters for the mesh: the clustermesh-apiserver and its certificates',
  description:
    'Deploys the clustermesh-apiserver with everything it needs: the CA if the cluster has none, certificates that ' +
    'cover the address of its Service, RBAC, and a Service of the type that suits the cluster. Running it again changes ' +
    'only what differs, and finishes what an interrupted run left. Choices made by flags are kept until another flag ' +
    'changes them. The plan names every peer and what becomes of its connection; before one is cut off, or might be, it ' +
    'asks, or needs --yes.',
  examples: [
    { line: 'meshctl clustermesh enable --context gke', what: 'detect how to expose the clustermesh-apiserver' },
    {
      line: 'meshctl clustermesh enable --context a,b,c --service-type LoadBalancer',
      what: 'several clusters at once',
    },
    {
      line: 'meshctl clustermesh enable --context gke --dry-run=server',
      what: 'the plan, validated by the API server',
    },
    {
      line: `meshctl clustermesh enable \\
    --set 'Deployment:spec.template.spec.containers[etcd].resources.limits.memory=2Gi'`,
      what: 'any field of any object',
    },
  ],
  reachesClusters: true,
  options: [
    ...CLUSTERS,
    ...apiserverOptions(KEPT_DEFAULTS),
    {
      flags: '--unset <kind/name:path>',
      group: 'pods',
      description: 'undo an earlier --set, which is kept until then; repeatable',
      repeatable: true,
      parse: parseObjectField,
    },
    ...CERTIFICATE_OPTIONS,
    {
      flags: '--cilium-version <version>',
      description: "Cilium's version, if neither the agents' image nor an agent tells it",
    },
    {
      flags: '--max-connected-clusters <count>',
      description: 'refuse a cluster that was installed for another size of mesh',
      choices: ['255', '511'],
    },
    { ...FORCE_CONFLICTS, description: `${FORCE_CONFLICTS.description}; with --via-helm, Helm does (Helm 4)` },
    {
      flags: '--via-helm',
      group: 'helm',
      description: 'let your helm create the objects, from the values that helm-values prints',
      default: false,
    },
    { flags: '--helm-release <name>', group: 'helm', description: 'release that installed Cilium (default: cilium)' },
    {
      flags: '--helm-chart <chart>',
      group: 'helm',
      description: "Cilium's chart: its name in --helm-repo, <repository>/<name>, a path or an oci:// address",
      complete: 'file',
      default: 'cilium',
    },
    {
      flags: '--helm-repo <url>',
      group: 'helm',
      description: 'repository of a chart that is only named (default: https://helm.cilium.io)',
    },
    waitDuration('for the load balancer, and again for the pods', '5m'),
    YES,
    DRY_RUN,
    PLAN_FORMAT,
  ],
} as const satisfies CommandSpec;
