import type { CommandSpec } from '../../command-spec.ts';
import { parseNamespace } from '../../options/option-values.ts';
import { CONTEXT, NAMESPACE_VARIABLE } from '../../options/shared-options.ts';

export const INSPECT_POLICY = {
  path: ['clustermesh', 'inspect-policy-default-local-cluster'],
  summary: 'List the policies that policy-default-local-cluster would change',
  description:
    'With policy-default-local-cluster, the default from Cilium 1.19 on, a selector that names no cluster means pods of ' +
    'the local cluster only. Shows which policies have such selectors. The JSON is that of cilium-cli.',
  examples: [
    { line: 'meshctl clustermesh inspect-policy-default-local-cluster -A', what: 'all policies of the cluster' },
  ],
  reachesClusters: true,
  options: [
    CONTEXT,
    {
      flags: '-n, --namespace <namespace>',
      description: "namespace of the policies (default: the context's)",
      env: NAMESPACE_VARIABLE,
      parse: parseNamespace,
      complete: 'namespace',
      once: true,
    },
    {
      flags: '-A, --all-namespaces',
      description: 'policies of all namespaces, and those that are in none',
      default: false,
    },
    {
      flags: '-o, --output <format>',
      group: 'output',
      description: 'format of the result',
      choices: ['summary', 'json'],
      default: 'summary',
    },
  ],
} as const satisfies CommandSpec;
