import { connectCommand, kubectlCommand, meshctlCommand, shellWord } from '../../mesh/command-line.ts';
import type { Theme } from '../theme.ts';

const REAL = 'API servers, objects, certificates and the TLS handshakes between the clusters';
const SIMULATED = 'etcd, Cilium’s programs, kubelets and the network';

/**
 * How the clusters of a sandbox are reached, and what to do with them first; ends with a newline.
 * @param workload the file with the article's workload
 * @param words what comes before the commands, and how the clusters are ended
 */
export function sandboxText(
  { kubeconfigPath, contexts, workload }: { kubeconfigPath: string; contexts: readonly string[]; workload: string },
  { how, ending }: { how: string; ending: string },
  theme: Theme,
): string {
  const [first, second] = contexts;
  // Of two each is named, as in the documentation.
  const [connect, watched] =
    contexts.length > 2
      ? [
          meshctlCommand('clustermesh connect', {}, ['--all']),
          meshctlCommand('clustermesh status', {}, ['--all', '--wait']),
        ]
      : first && second
        ? [connectCommand(first, second), meshctlCommand('clustermesh status', { context: contexts }, ['--wait'])]
        : [];
  return [
    `${theme.bold('kubeconfig')}  ${kubeconfigPath}`,
    `${theme.bold('contexts')}    ${contexts.join(', ')}\n`,
    theme.dim(`Real: ${REAL}.\nSimulated: ${SIMULATED}.\n`),
    `${how}:`,
    `  export KUBECONFIG=${shellWord(kubeconfigPath)}`,
    `  ${meshctlCommand('clustermesh enable', { context: contexts })}`,
    ...(connect === undefined ? [] : [`  ${connect}`]),
    ...contexts.map((context) => `  ${kubectlCommand({ context }, ['apply', '-f', workload])}`),
    ...(watched === undefined ? [] : [`  ${watched}`]),
    `\n${ending}\n`,
  ].join('\n');
}

/** What `sandbox down` ended: the clusters of each sandbox. */
export function endedText(sandboxes: readonly (readonly string[])[]): string {
  if (sandboxes.length === 0) return 'No sandbox runs in the background.';
  return sandboxes
    .map((names) =>
      names.length === 1 ? `The cluster ${names[0]} is gone.` : `The clusters ${names.join(', ')} are gone.`,
    )
    .join('\n');
}

/** What is broken between the clusters of a sandbox, a rule a line. */
export function networkRulesText(rules: readonly string[], theme: Theme): string {
  if (rules.length === 0) return 'Nothing is broken in the network between the clusters.';
  return [theme.bold('Broken between the clusters'), ...rules.map((rule) => `  ${rule}`)].join('\n');
}
