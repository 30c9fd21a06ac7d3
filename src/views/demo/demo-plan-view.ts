import { meshctlCommand } from '../../mesh/command-line.ts';
import type { Disturbance } from '../../mesh/demo/disturbance.ts';
import { type DemoCluster, type DemoPair, type DemoPlan, hasConnected, hasEnabled } from '../../mesh/demo/plan-demo.ts';
import { describeRef } from '../../mesh/objects/kube-object.ts';
import { peerSentence } from '../plan/peer-lines.ts';
import { printable } from '../printable.ts';
import type { Theme } from '../theme.ts';

/** What the demo will do, in the order in which it does it, and what it leaves as it is. */
export function demoPlanText(
  plan: DemoPlan,
  { restarts, effects }: Disturbance,
  { keep, image }: { keep: boolean; image: string },
  theme: Theme,
): string {
  const { namespace, clusters, enable, connect, formerly, formerlySince } = printable(plan);
  const [one, other] = clusters;
  const contexts = clusters.map(({ context }) => context);
  const enabled = contexts.filter((context) => !enable.includes(context));
  const made = [
    `namespace ${namespace} with all that is in it`,
    ...(connect ? [`the connection of ${one.name} and ${other.name}`] : []),
    ...(enable.length > 0 ? [`Cluster Mesh in ${enable.join(', ')}`] : []),
  ].join(', ');
  const lines = [
    theme.bold(`The demo in ${one.context} (${one.name}) and ${other.context} (${other.name}):`),
    ...(formerly
      ? [
          `  - remove what an earlier demo${formerlySince ? `, of ${formerlySince},` : ''} left there; one that still runs is cut short`,
        ]
      : []),
    '  + probe the network: pods on the network of up to 3 nodes of each cluster, in namespace meshctl-probe, where pods may be privileged;',
    theme.dim('      both are removed right after the probe, if it made them'),
    `  + make namespace ${namespace} in both, and in it Service echo and the Deployments client and ${[one, other].map(({ name }) => `echo-${name}`).join(', ')}`,
    theme.dim(`      image ${image}`),
    ...(enable.length > 0
      ? [
          `  + enable Cluster Mesh in ${enable.join(', ')}`,
          theme.dim(`      its objects: ${meshctlCommand('clustermesh enable', { context: enable }, ['--dry-run'])}`),
        ]
      : []),
    ...(connect ? [`  + connect ${one.name} and ${other.name}`] : []),
    ...printable(
      restarts.map(
        ({ cluster, object, why }) =>
          `  ~ update ${describeRef(object)} in ${cluster}${keep ? '' : ', and back at the end'}: ${why}`,
      ),
    ),
    ...effects.map((effect) => `  ~ in ${printable(effect.cluster)}: ${peerSentence(effect)}`),
    ...(enabled.length > 0 ? [`  = Cluster Mesh is enabled in ${enabled.join(', ')} already, and stays`] : []),
    ...(connect ? [] : [`  = ${one.name} and ${other.name} are connected already, and stay so`]),
    '  ~ change what Service echo does, ask it from the client pods, scale its pods in one cluster to 0 and back',
    keep ? `  = at the end, all of it stays (--keep): ${made}` : `  - at the end, remove what it made: ${made}`,
  ];
  return lines.join('\n');
}

/** What a former demo left, by what it wrote down. */
export function leftoversText(clusters: DemoPair, namespace: string, theme: Theme): string {
  const [one, other] = printable(clusters);
  const left = [one, other].filter(({ taken }) => taken?.record);
  const enabled = left.filter(hasEnabled);
  const named = (of: readonly DemoCluster[]) => of.map(({ context }) => context).join(', ');
  return [
    theme.bold('A demo left behind:'),
    `  - namespace ${namespace} in ${named(left)}, with all that is in it`,
    ...(left.some(hasConnected) ? [`  - the connection of ${one.name} and ${other.name}`] : []),
    ...(enabled.length > 0 ? [`  - Cluster Mesh in ${named(enabled)}`] : []),
  ].join('\n');
}
