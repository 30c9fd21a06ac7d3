import { exitOf } from '../../mesh/errors.ts';
import { joinServices } from '../../mesh/services/services.ts';
import { lackingData, lackingLines } from '../../views/lacking-view.ts';
import { printable } from '../../views/printable.ts';
import {
  serviceListData,
  serviceListText,
  serviceNames,
  serviceNotes,
} from '../../views/services/service-list-view.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsOf } from '../options/flags-of.ts';
import { warnOfMissing } from '../targets/several-clusters.ts';
import type { SERVICE_LIST } from './list-spec.ts';
import { namespaceOf, readAnsweringServices, readClusters } from './service-clusters.ts';

/** `meshctl service list`: every Service that is global in one of the clusters. */
export async function run(context: CommandContext, flags: FlagsOf<typeof SERVICE_LIST>): Promise<CommandResult> {
  const namespace = namespaceOf(flags);
  const { clusters, unreachable, lacking } = await readAnsweringServices(context, flags, { namespace });
  const listing = printable({ clusters: readClusters(clusters), services: joinServices(clusters), unreachable });
  if (flags.output === 'name' || !flags.headers) {
    for (const note of serviceNotes(listing)) context.progress.warn(note);
    warnOfMissing(context, listing.unreachable);
  }
  return {
    kind: 'ServiceList',
    data: { ...serviceListData(listing), ...lackingData(lacking) },
    text: (theme) => {
      if (flags.output === 'name') return serviceNames(listing);
      const text = serviceListText(
        listing,
        { wide: flags.output === 'wide', headers: flags.headers, namespace },
        theme,
      );
      return [text, ...(flags.headers ? lackingLines(lacking, theme) : [])].join('\n');
    },
    exitCode: exitOf({ unseen: unreachable.length > 0 }),
  };
}
