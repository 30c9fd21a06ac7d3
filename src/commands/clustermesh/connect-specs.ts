import { CONNECTION_MODES } from '../../mesh/peers/connection-mode.ts';
import { CREDENTIAL_CHOICES } from '../../mesh/peers/credential-kind.ts';
import { parseEndpointOverride } from '../../mesh/peers/endpoint-overrides.ts';
import type { CommandSpec, OptionSpec } from '../command.ts';
import { parseCount, parseList } from '../option-values.ts';
import { ALL, CONTEXT, DRY_RUN, NO_ROLLBACK, RESULT_OR_PLAN_FORMAT, waitDuration, YES } from '../shared-options.ts';

/** Which clusters, and who dials whom; the same for connecting and disconnecting. */
const MESH_OPTIONS: readonly OptionSpec[] = [
  { ...CONTEXT, description: 'kubeconfig context of the source (default: the current one)' },
  {
    flags: '--destination-context <contexts>',
    group: 'clusters',
    description: 'kubeconfig contexts of the other clusters, comma-separated or repeated; * and ? match several',
    parse: parseList,
    repeatable: 'lists',
  },
  {
    flags: '--destination-kubeconfig <path>',
    group: 'clusters',
    description: 'kubeconfig file of the destinations, if it is another one',
  },
  ALL,
  {
    flags: '--connection-mode <mode>',
    description:
      'bidirectional: the source and each destination; mesh: every pair of clusters; unicast: only the source dials ' +
      '(default: bidirectional, with --all mesh)',
    choices: CONNECTION_MODES,
  },
  {
    flags: '--parallel <count>',
    group: 'run',
    description: 'clusters read and written at a time',
    default: 16,
    parse: parseCount,
  },
];

/** The commands that join clusters and disconnect them. */
export const CONNECT_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['clustermesh', 'connect'],
    summary: 'Connect clusters with each other',
    description:
      'Validates the whole mesh first. Then makes each side accept the others, proves with the very credentials that the ' +
      'remote etcds let them in, and only then writes the files by which the clusters dial each other. Clusters keep their ' +
      'own CAs, and no pod restarts. If anything fails, or on Ctrl-C, every cluster is put back. What was chosen for a peer ' +
      'before (endpoints, credentials, that only one side dials) stays until it is chosen anew.',
    examples: [
      { line: 'meshctl clustermesh connect --context gke --destination-context eks', what: 'connect two clusters' },
      {
        line: 'meshctl clustermesh connect --context a --destination-context "prod-*" --connection-mode mesh',
        what: 'join several clusters, every pair of them',
      },
      { line: 'meshctl clustermesh connect --all --dry-run', what: 'what connecting all clusters would write' },
    ],
    reachesClusters: true,
    options: [
      ...MESH_OPTIONS,
      {
        flags: '--destination-endpoint <endpoint>',
        description:
          '[cluster=]host:port at which a destination is dialled instead of its Service, repeatable; kept by later runs ' +
          'until [cluster=]service is given',
        repeatable: true,
        parse: parseEndpointOverride,
      },
      {
        flags: '--source-endpoint <endpoint>',
        description:
          'host:port at which the source is dialled instead of its Service, repeatable; kept by later runs until service ' +
          'is given',
        repeatable: true,
        parse: parseEndpointOverride,
      },
      {
        flags: '--credentials <kind>',
        description:
          'shared-ca: the common certificate, where both sides have one CA; per-peer: a certificate for each peer, issued by ' +
          'the side that checks it; legacy: the remote’s own certificate; auto: the first of these that is possible ' +
          '(default: keep what was chosen before, otherwise auto)',
        choices: CREDENTIAL_CHOICES,
      },
      {
        flags: '--allow-mismatching-ca',
        description: 'accepted for compatibility, not needed: clusters with different CAs need no CA bundle',
        default: false,
      },
      {
        flags: '--skip-checks <ids>',
        description: 'compatibility checks to skip, comma-separated',
        parse: parseList,
      },
      {
        flags: '--no-proof',
        group: 'run',
        description: 'distribute credentials without verifying them first, where port-forward is forbidden',
      },
      NO_ROLLBACK,
      waitDuration("until the remote's etcd lets a new peer in", '2m'),
      DRY_RUN,
      RESULT_OR_PLAN_FORMAT,
    ],
    load: () => import('./connect.ts'),
  },
  {
    path: ['clustermesh', 'disconnect'],
    summary: 'Disconnect clusters from each other',
    description:
      'Removes the files by which the clusters dial each other, their certificates, and the users that let them in, on both ' +
      'sides, and waits until etcd refuses them and agents have forgotten them. No pod restarts. A remote cluster that is ' +
      'gone is forgotten with --force, or with --peer by its name: it is refused as soon as etcd has lost its user, but a ' +
      'connection that it still has open goes on with what it watches until that ends.',
    examples: [
      {
        line: 'meshctl clustermesh disconnect --context gke --destination-context eks',
        what: 'disconnect two clusters',
      },
      { line: 'meshctl clustermesh disconnect --context gke --peer mesh-2', what: 'forget a cluster that is gone' },
    ],
    reachesClusters: true,
    options: [
      ...MESH_OPTIONS,
      {
        flags: '--peer <names>',
        description: 'names of clusters to forget here, without any access to them, comma-separated',
        parse: parseList,
      },
      {
        flags: '--force',
        group: 'run',
        description: "go on where a destination cannot be reached, and clean up the source's side",
        default: false,
      },
      {
        flags: '--no-wait',
        group: 'run',
        description: 'do not wait until the remote etcds refuse the peers and no agent reports them any more',
      },
      waitDuration('for that', '2m'),
      NO_ROLLBACK,
      YES,
      DRY_RUN,
      RESULT_OR_PLAN_FORMAT,
    ],
    load: () => import('./disconnect.ts'),
  },
];
