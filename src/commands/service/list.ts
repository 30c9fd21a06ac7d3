import { joinServices } from '../../mesh/services/services.ts';
import { printable } from '../../views/printable.ts';
import { serviceListData, serviceListText } from '../../views/services/service-list-view.ts';
import type { CommandContext, CommandResult, ParsedOptions } from '../command.ts';
import { exitCodeWith } from '../targets/several-clusters.ts';
import { namespaceOf, readAnsweringServices, readClusters, type ServiceFlags } from './service-clusters.ts';

interface ListFlags extends ServiceFlags {
  output: 'text' | 'wide' | 'json' | 'yaml';
}

/** `meshctl service list`: every Service that is global in one of the clusters. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const flags = parsed as unknown as ListFlags;
  const { clusters, unreachable } = await readAnsweringServices(context, flags, { namespace: namespaceOf(flags) });
  const listing = printable({ clusters: readClusters(clusters), services: joinServices(clusters), unreachable });
  return {
    kind: 'ServiceList',
    data: serviceListData(listing),
    text: (theme) => serviceListText(listing, flags.output === 'wide', theme),
    exitCode: exitCodeWith(unreachable),
  };
}
