import type { CommandSpec } from '../../command-spec.ts';
import { apiserverOptions, KEPT_DEFAULTS } from '../../options/apiserver-options.ts';
import { parseContexts } from '../../options/option-values.ts';
import { CLUSTERS } from '../../options/shared-options.ts';
import { parseJoiningPeer } from './joining-values.ts';

export const HELM_VALUES = {
  path: ['clustermesh', 'helm-values'],
  summary: 'Print the Helm values that make the same mesh',
  description:
    "Values of Cilium's chart for what enable would make in this cluster, with the type of Service that suits it. Private " +
    'keys are never among them. Which peers they cut off, and what has to be done first, is in their comments; where Helm ' +
    'would make a new CA, or leave the files of peers behind, there are none.',
  examples: [
    {
      line: `meshctl clustermesh helm-values --context gke |
    helm upgrade cilium cilium/cilium --version 1.20.0 --namespace kube-system \\
      --kube-context gke --reuse-values --values -`,
      what: 'let Helm apply them; without --version it would upgrade Cilium too',
    },
    {
      line: 'meshctl clustermesh helm-values --context gke --destination-context eks',
      what: 'values for a repository that name eks, before it is connected',
    },
    {
      line: 'meshctl clustermesh helm-values --context gke --peer eks=203.0.113.7:2379',
      what: "the same of another owner's cluster, by the address in its invitation",
    },
  ],
  reachesClusters: true,
  options: [
    ...CLUSTERS,
    {
      flags: '--destination-context <contexts>',
      group: 'clusters',
      description:
        'kubeconfig contexts of clusters that are to be connected yet, whom the values name among the peers; comma-separated ' +
        'or repeated; * and ? match several',
      parse: parseContexts,
      complete: 'contexts',
      repeatable: 'lists',
    },
    {
      flags: '--peer <peer>',
      group: 'clusters',
      description:
        'name, or name=host:port, of a cluster that no context leads to and that is to be connected yet, repeatable; with ' +
        'several addresses once for each',
      parse: parseJoiningPeer,
      complete: 'peer',
      repeatable: true,
    },
    ...apiserverOptions(KEPT_DEFAULTS),
    {
      flags: '--cilium-version <version>',
      description: "Cilium's version, if neither the agents' image nor an agent tells it",
    },
    {
      flags: '-o, --output <format>',
      group: 'output',
      description: 'format of the values',
      choices: ['yaml', 'json'],
      default: 'yaml',
    },
  ],
} as const satisfies CommandSpec;
