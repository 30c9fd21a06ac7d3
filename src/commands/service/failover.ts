import type { ServiceScope } from '../../flows/services/read-services.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { capital } from '../../mesh/counted.ts';
import { exitOf, MeshctlError } from '../../mesh/errors.ts';
import { forgetCommands, stillSent } from '../../mesh/peers/silent-peers.ts';
import type { ClusterServices } from '../../mesh/services/service-facts.ts';
import { globalKeys, unreadPeers } from '../../mesh/services/services.ts';
import { survivalOf } from '../../mesh/services/survival.ts';
import { survivalDoubts, unreadPeersDoubt } from '../../mesh/services/survival-doubts.ts';
import type { UnreachableCluster } from '../../mesh/status/mesh-status.ts';
import { lackingData, lackingLines } from '../../views/lacking-view.ts';
import { printable } from '../../views/printable.ts';
import {
  failoverData,
  failoverText,
  isProvedToFail,
  isSurvivable,
} from '../../views/services/service-failover-view.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsOf } from '../options/flags-of.ts';
import type { SERVICE_FAILOVER } from './failover-spec.ts';
import {
  namespaceOf,
  readAnsweringServices,
  readClusters,
  requireDefined,
  requireRead,
  serviceNamed,
} from './service-clusters.ts';

/** `meshctl service failover`: who would serve if a cluster went. */
export async function run(context: CommandContext, flags: FlagsOf<typeof SERVICE_FAILOVER>): Promise<CommandResult> {
  const named = flags.service === undefined ? undefined : serviceNamed(flags.service, flags);
  const scope: ServiceScope = named ?? { namespace: namespaceOf(flags) };
  const { clusters, unreachable, lacking } = await readAnsweringServices(context, flags, scope, { everyNode: true });
  if (flags.without !== undefined) requireHeard(clusters, unreachable, flags.without);
  requireRead(context, clusters, unreachable, 2);
  if (clusters.length < 2) {
    throw new MeshctlError('Usage', 'a failover needs at least two clusters', {
      hint: 'Name them with --context a,b, or take all with --all.',
    });
  }
  if (named) requireDefined(context, clusters, named, unreachable);
  const isGlobal = globalKeys(clusters).size > 0;
  // One that could not be read may have it global: then nothing is proved either.
  if (flags.requireSurvivable && !isGlobal && unreachable.length === 0) throw nothingGlobal(clusters, scope);
  const without = flags.without === undefined ? undefined : lostCluster(context, clusters, unreachable, flags.without);
  const services = survivalOf(named ? clusters : globalOnly(clusters), without);
  // Clusters that were named are the question; all that there are cannot be judged without one of them.
  const unread = flags.all && unreachable.length === 0 ? unreadPeersDoubt(clusters) : [];
  const report = printable({
    clusters: readClusters(clusters),
    services,
    doubts: [...survivalDoubts(clusters, services), ...unread],
    unreachable,
    ...(flags.drained ? { drainedOnly: true as const } : {}),
    ...(named && !isGlobal ? { notGlobal: true as const } : {}),
  });
  return {
    kind: 'FailoverReport',
    data: { ...failoverData(report), ...lackingData(lacking) },
    text: (theme) =>
      [
        failoverText(report, theme, {
          namespace: named ? undefined : namespaceOf(flags),
          isRequired: flags.requireSurvivable,
        }),
        ...lackingLines(lacking, theme),
      ].join('\n'),
    // What a cluster that did not answer serves, or needs, nobody knows: without it nothing is proved.
    exitCode: exitOf({
      failed: flags.requireSurvivable && isProvedToFail(report),
      unseen: unreachable.length > 0 || (flags.requireSurvivable && unread.length > 0),
      unproved: flags.requireSurvivable && !isSurvivable(report),
    }),
  };
}

/** Without the Services that somebody meant to be global, and are not. */
function globalOnly(clusters: readonly ClusterServices[]): ClusterServices[] {
  const global = globalKeys(clusters);
  return clusters.map((of) => ({ ...of, services: new Map([...of.services].filter(([key]) => global.has(key))) }));
}

/** `NotFound` where there is nothing that others could serve: that is no pass. */
function nothingGlobal(clusters: readonly ClusterServices[], { namespace, name }: ServiceScope): MeshctlError {
  const contexts = clusters.map(({ context }) => context);
  const where = contexts.map((context) => `context "${context}"`).join(', ');
  const within = namespace === undefined ? '' : ` in namespace ${namespace}`;
  const says =
    name === undefined ? `no service${within} is global in ${where}` : `${namespace}/${name} is not global in ${where}`;
  return new MeshctlError('NotFound', `nothing was checked: ${says}`, {
    hint: `See the global services: ${meshctlCommand('service list', { context: contexts })}`,
    details: { contexts, ...(namespace === undefined ? {} : { namespace }), ...(name === undefined ? {} : { name }) },
  });
}

/**
 * Of a cluster that is silent by now nobody can tell what would be served without it; what its peers still send there, and what ends
 * that, they tell.
 * @param text its name in the mesh, or its context
 * @throws MeshctlError why it could not be read; `Usage` where it was not asked at all
 */
function requireHeard(
  clusters: readonly ClusterServices[],
  unreachable: readonly UnreachableCluster[],
  text: string,
): void {
  const unheard = [...new Set(clusters.flatMap((of) => unreadPeers(of, clusters)))];
  const silent = unreachable.find(({ context }) => context === text);
  // Nobody knows which cluster it is that did not answer, but where only one can be.
  const name = unheard.find((one) => one === text) ?? (silent && unheard.length === 1 ? unheard[0] : undefined);
  if (name === undefined) return;
  const holders = clusters.filter(({ peers }) => peers?.includes(name));
  const forget = forgetCommands(
    name,
    holders.map(({ context }) => context),
  );
  const why = silent ?? unreachable[0];
  const says = `what would be served without ${name} is not known, as it was not read`;
  throw new MeshctlError(why?.code ?? 'Usage', why ? `${says}: ${why.message}` : `${says}: name its context, too`, {
    hint: `${capital(stillSent(holders))}. Once ${name} is gone for good, this ends it: ${forget}`,
    details: { peer: name, ...(unreachable.length > 0 ? { unreachable } : {}) },
  });
}

/**
 * The cluster that `--without` means, by its name in the mesh or by its context.
 * @throws MeshctlError why a cluster that it may be could not be read; `Usage` where there is none of that name
 */
function lostCluster(
  context: CommandContext,
  clusters: readonly ClusterServices[],
  unreachable: readonly UnreachableCluster[],
  text: string,
): string {
  const found = clusters.find(({ cluster }) => cluster === text) ?? clusters.find((one) => one.context === text);
  if (found) return found.cluster;
  const named = unreachable.filter((one) => one.context === text);
  requireRead(context, [], named.length > 0 ? named : unreachable, 1);
  throw new MeshctlError('Usage', `--without "${text}" is neither a cluster nor a context here: it takes one of them`, {
    hint: `They are ${clusters.map(({ cluster }) => cluster).join(', ')}.`,
  });
}
