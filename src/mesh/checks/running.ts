import { identityOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import { type Finding, listed } from './check.ts';
import { type ClusterObservation, findingOf, type MeshCheck } from './mesh-input.ts';

/** Whether running pods use the name and id in cilium-config now: they read them when they start. */
export const RUNNING_CHECKS: readonly MeshCheck[] = [
  {
    id: 'identity-running',
    category: 'identity',
    title: 'running pods use the name and id in cilium-config',
    needs: ['cluster-identity'],
    subject: ({ context }, { observed }) => ({
      things: [...(observed.get(context)?.published?.keys() ?? []), ...agentsOf(observed.get(context)).keys()],
      otherwise: 'neither its clustermesh-apiserver nor an agent could tell the name that it runs with',
    }),
    run: ({ clusters, observed }) => clusters.flatMap((cluster) => outdated(cluster, observed.get(cluster.context))),
    says: ({ args }) =>
      `context "${args.context}": cilium-config says ${args.wanted}, but ${listed(args.reasons, '; ')}`,
  },
];

/** Nodes by the name that their agents have for the cluster. */
function agentsOf(seen: ClusterObservation | undefined): Map<string, string[]> {
  const byName = new Map<string, string[]>();
  for (const { node, cluster } of seen?.nodes ?? []) {
    if (cluster !== undefined) byName.set(cluster, [...(byName.get(cluster) ?? []), node]);
  }
  return byName;
}

function outdated({ context, namespace, ciliumConfig = {} }: ClusterSnapshot, seen?: ClusterObservation): Finding[] {
  const { name, id } = identityOf(ciliumConfig);
  const published = [...(seen?.published ?? [])];
  // Of a former name the description may still be there, beside the one that counts.
  const isPublished = published.length === 0 || published.some(([one, oneId]) => one === name && oneId === id);
  const agents = [...agentsOf(seen)].filter(([one]) => one !== name);
  if (isPublished && agents.length === 0) return [];
  const reasons = [
    ...(isPublished ? [] : published.map(([one, oneId]) => `the clustermesh-apiserver runs as ${one}, id ${oneId}`)),
    ...agents.map(([one, nodes]) => `agents run as ${one} (${nodes.slice(0, 3).join(', ')})`),
  ];
  const restart = ['rollout', 'restart', 'daemonset/cilium', 'deployment/cilium-operator'];
  const hint =
    agents.length > 0
      ? `Restart what was started before: ${kubectlCommand({ context, namespace }, restart)}`
      : `Its pods are replaced by ${meshctlCommand('clustermesh enable', { context })}`;
  return [findingOf('identity-running', 'fail', context, { wanted: `${name}, id ${id}`, reasons }, hint)];
}
