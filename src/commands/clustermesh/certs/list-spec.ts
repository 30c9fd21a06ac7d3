import type { CommandSpec } from '../../command-spec.ts';
import { CLUSTERS, NO_HEADERS, RESULT_FORMAT } from '../../options/shared-options.ts';

export const CERTS_LIST = {
  path: ['clustermesh', 'certs', 'list'],
  summary: 'List every certificate of the mesh',
  description:
    'Shows roles, subjects, issuers, serial numbers and the time that is left; with -o json also names and who uses ' +
    'them. What is missing, unusable or about to expire comes first. Private keys are never shown. Exits 1 when a certificate on which a connection hangs is missing or unusable, 3 when some may not be read; a CA that is lost is told, and no failure before something has to be issued (clustermesh check --fail-on warn makes it one).',
  examples: [{ line: 'meshctl clustermesh certs list --all', what: 'all clusters of the kubeconfig that run Cilium' }],
  reachesClusters: true,
  options: [
    ...CLUSTERS,
    {
      ...RESULT_FORMAT,
      description:
        'format of the result; wide: a row for each certificate, however many there are; name: secret/NAME of each Secret that holds one, as kubectl takes it; of several clusters CONTEXT secret/NAME',
      choices: ['text', 'wide', 'name', 'json', 'yaml'],
    },
    NO_HEADERS,
  ],
} as const satisfies CommandSpec;
