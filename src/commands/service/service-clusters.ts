import { withFormerNames } from '../../flows/services/misnamed-clusters.ts';
import { readServiceClusters, type ServiceCluster } from '../../flows/services/read-service-clusters.ts';
import { readServices, type ServiceScope } from '../../flows/services/read-services.ts';
import { allInFull, type Unanswered } from '../../flows/where-it-succeeds.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { ClusterServices } from '../../mesh/services/service-facts.ts';
import { unreadPeers } from '../../mesh/services/services.ts';
import type { UnreachableCluster } from '../../mesh/status/mesh-status.ts';
import type { LackingRights } from '../../views/lacking-view.ts';
import { printable } from '../../views/printable.ts';
import type { ReadCluster } from '../../views/services/read-clusters.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsIn } from '../options/flags-of.ts';
import { requireName } from '../options/option-values.ts';
import type { CILIUM_NAMESPACE_APART } from '../options/shared-options.ts';
import { lackingToLook } from '../targets/lacking-rights.ts';
import {
  openingOf,
  type SeveralClustersFlags,
  unreachableData,
  warnOfMissing,
  withAnsweringClusters,
  withChosenClusters,
  withUnanswered,
} from '../targets/several-clusters.ts';
import type { ALL_NAMESPACES, NAMESPACE } from './options.ts';

/** The flags of the service commands, as parsed. `-n` is the Services' namespace there. */
export type ServiceFlags = Omit<SeveralClustersFlags, 'namespace'> &
  Partial<FlagsIn<readonly [typeof ALL_NAMESPACES, typeof NAMESPACE, typeof CILIUM_NAMESPACE_APART]>>;

/** Where `NAME` without a namespace is looked for, as kubectl does. */
const DEFAULT_NAMESPACE = 'default';

/** The Service that an argument names: `NAMESPACE/NAME`, or `NAME` in the namespace of `-n`. */
export function serviceNamed(
  text: string,
  { namespace, allNamespaces }: ServiceFlags,
): { namespace: string; name: string } {
  const [first = '', second, ...rest] = text.split('/');
  const named =
    second === undefined
      ? { namespace: namespace ?? DEFAULT_NAMESPACE, name: first }
      : { namespace: first, name: second };
  if (rest.length > 0) throw new MeshctlError('Usage', `"${text}" is not NAMESPACE/NAME`);
  if (first === '' || second === '') throw new MeshctlError('Usage', `"${text}" is not NAMESPACE/NAME`);
  requireName(named.namespace, 'a namespace');
  requireName(named.name, 'a Service');
  if (allNamespaces) throw new MeshctlError('Usage', '--all-namespaces cannot be used with the name of a service');
  if (second !== undefined && namespace !== undefined && namespace !== first) {
    throw new MeshctlError('Usage', `"${text}" is in namespace ${first}, not in ${namespace} (--namespace)`);
  }
  return named;
}

/** The namespace that a command without a Service's name looks at; undefined for all. */
export function namespaceOf({ namespace, allNamespaces }: ServiceFlags): string | undefined {
  if (!allNamespaces || namespace === undefined) return namespace;
  throw new MeshctlError('Usage', '--all-namespaces and --namespace cannot be used together', {
    hint: 'Use only one of them.',
  });
}

/** Opens the clusters of `--context` or `--all`, and closes them whatever happens; with `--all`, the rest is in the result. */
export async function withMembers(
  context: CommandContext,
  flags: ServiceFlags,
  work: (members: readonly ServiceCluster[]) => Promise<CommandResult>,
): Promise<CommandResult> {
  return withChosenClusters(context, openingOf(flags), async (targets, silent) =>
    withUnanswered(await work(await readServiceClusters(targets)), silent),
  );
}

/**
 * Reads what is in scope from the clusters of `--context` or `--all` that can be read, and names those that cannot.
 * @param everyNode asks the agents of all nodes whom they are connected to, however many there are
 */
export async function readAnsweringServices(
  context: CommandContext,
  flags: ServiceFlags,
  scope: ServiceScope,
  { everyNode = false } = {},
): Promise<{ clusters: ClusterServices[]; unreachable: UnreachableCluster[]; lacking: LackingRights[] }> {
  const task = context.progress.start('Reading the services');
  try {
    return await withAnsweringClusters(context, openingOf(flags), async (targets, silent) => {
      const missing: Unanswered[] = [...silent];
      const onFailure = (name: string, error: MeshctlError) => {
        context.signal.throwIfAborted();
        missing.push({ context: name, error });
      };
      const several = targets.length > 1 ? onFailure : undefined;
      const members = await readServiceClusters(targets, several);
      const read = await readServices(context, members, scope, { onFailure: several, everyNode });
      const clusters = await withFormerNames(members, read);
      const blind = clusters.filter(isBlind);
      const lacking = await lackingToLook(
        context,
        targets.filter(({ client }) => blind.some((of) => of.context === client.context)),
      );
      const unreachable = printable(unreachableData(await allInFull(context, targets, missing)));
      return { clusters, unreachable, lacking: printable(lacking) };
    });
  } finally {
    task.stop();
  }
}

/** Whether rights may be why not all of it was seen. */
function isBlind({ peers, broken, unseen, nodesUnseen }: ClusterServices): boolean {
  const isUnasked = broken === undefined && peers?.length !== 0;
  return isUnasked || peers === undefined || (unseen ?? []).length > 0 || nodesUnseen === true;
}

/** The clusters that were read, with those of their peers that were not. */
export function readClusters(clusters: readonly ClusterServices[]): ReadCluster[] {
  return clusters.map((of) => ({
    cluster: of.cluster,
    context: of.context,
    unread: unreadPeers(of, clusters),
    ...(of.peers ? { peers: of.peers } : {}),
    ...(of.broken ? { brokenLinks: of.broken } : {}),
    ...(of.unseen ? { unseen: of.unseen } : {}),
    ...(of.asked ? { asked: of.asked } : {}),
    ...(of.runsAs === undefined ? {} : { runsAs: of.runsAs }),
    ...(of.keptFor === undefined ? {} : { keptFor: of.keptFor }),
    ...(of.nodesUnseen ? { nodesUnseen: of.nodesUnseen } : {}),
  }));
}

/** Sees that a Service is there. @throws MeshctlError `NotFound` when none of the clusters has the Service */
export function requireDefined(
  context: CommandContext,
  clusters: readonly ClusterServices[],
  service: { namespace: string; name: string },
  unreachable: readonly UnreachableCluster[],
): void {
  if (clusters.some(({ services }) => services.size > 0)) return;
  requireRead(context, clusters, unreachable, 1);
  const contexts = clusters.map(({ context }) => context);
  const unseen = unreachable.map(({ context }) => `; context "${context}" could not be read`).join('');
  throw new MeshctlError(
    // It may be in one that could not be read.
    unreachable.length > 0 ? 'ClusterUnreachable' : 'NotFound',
    `no Service ${service.namespace}/${service.name} in context${contexts.length === 1 ? '' : 's'} ${contexts.map((name) => `"${name}"`).join(', ')}${unseen}`,
    {
      hint: `See the global services: ${meshctlCommand('service list', { context: contexts })}`,
      details: { contexts, ...service },
    },
  );
}

/**
 * Sees that enough clusters could be read.
 * @throws MeshctlError why the first of the others could not be read, where there are fewer clusters than a command needs; of the rest
 * warnings
 */
export function requireRead(
  context: CommandContext,
  clusters: readonly ClusterServices[],
  unreachable: readonly UnreachableCluster[],
  count: number,
): void {
  const [first, ...others] = unreachable;
  if (clusters.length >= count || !first) return;
  warnOfMissing(context, others);
  throw new MeshctlError(first.code, first.message, { hint: first.hint, details: { unreachable } });
}
