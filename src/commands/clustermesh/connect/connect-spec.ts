import { CREDENTIAL_CHOICES } from '../../../mesh/peers/credential-kind.ts';
import { parseEndpointOverride } from '../../../mesh/peers/endpoint-overrides.ts';
import type { CommandSpec } from '../../command-spec.ts';
import { meshOptions } from '../../options/mesh-options.ts';
import {
  DRY_RUN,
  NO_ROLLBACK,
  RESULT_OR_PLAN_FORMAT,
  SKIP_CHECKS,
  waitDuration,
  YES,
} from '../../options/shared-options.ts';
export const CONNECT = {
  path: ['clustermesh', 'connect'],
  summary: 'Connect clusters with each other',
  description:
    'Validates the whole mesh first. Then makes each side accept the others, verifies with the actual credentials that ' +
    'the remote etcds let them in, and only then writes the files with which the clusters dial each other. Clusters ' +
    'keep their own CAs. No pod restarts, unless Cilium before 1.20 has to be told a host name, because a server ' +
    'certificate of Helm does not cover the address: the plan says which pods. Before an existing connection would be ' +
    'cut off, or requests for global Services would get no answer, it asks, or needs --yes. If anything fails, or on Ctrl-C, every cluster is rolled back. Earlier choices for ' +
    'a peer (endpoints, credentials, dialling one way only) are kept until you choose again.',
  examples: [
    { line: 'meshctl clustermesh connect --context gke --destination-context eks', what: 'connect two clusters' },
    {
      line: 'meshctl clustermesh connect --context a --destination-context "prod-*" --connection-mode mesh',
      what: 'join several clusters, every pair of them',
    },
    {
      line: 'meshctl clustermesh connect --context gke --destination-context eks --probe',
      what: 'only if the network carries the mesh',
    },
    { line: 'meshctl clustermesh connect --all --dry-run', what: 'what connecting all clusters would write' },
  ],
  reachesClusters: true,
  options: [
    ...meshOptions('only the source dials, and through a tunnel its pods get no answer from the others'),
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
        'shared-ca: the common certificate, where both sides have one CA, or a bundle of both; per-peer: a certificate for each ' +
        'peer, issued by the side that checks it; legacy: the remote’s own certificate; auto: the first of these that is possible ' +
        '(default: keep what was chosen before, otherwise auto)',
      choices: CREDENTIAL_CHOICES,
    },
    {
      flags: '--allow-mismatching-ca',
      description: 'accepted for compatibility, not needed: clusters with different CAs need no CA bundle',
      default: false,
    },
    SKIP_CHECKS,
    {
      flags: '--probe',
      group: 'run',
      description:
        'send real packets between the clusters first, as connectivity probe does, and stop if something that the mesh ' +
        'needs is blocked, or could not be tested (exit status 3), also of one of the nodes alone; not with --dry-run, because it creates pods',
      default: false,
    },
    {
      flags: '--no-proof',
      group: 'run',
      description: 'distribute credentials without verifying them first, where port-forward is forbidden',
    },
    NO_ROLLBACK,
    waitDuration("until the remote's etcd lets a new peer in", '2m'),
    YES,
    DRY_RUN,
    RESULT_OR_PLAN_FORMAT,
  ],
} as const satisfies CommandSpec;
