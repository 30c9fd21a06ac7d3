import { exitOf, MeshctlError } from '../../mesh/errors.ts';
import { joinServices } from '../../mesh/services/services.ts';
import { lackingData, lackingLines } from '../../views/lacking-view.ts';
import { printable } from '../../views/printable.ts';
import { serviceDescribeData, serviceDescribeText } from '../../views/services/service-describe-view.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsOf } from '../options/flags-of.ts';
import type { SERVICE_DESCRIBE } from './describe-spec.ts';
import { readAnsweringServices, readClusters, requireDefined, serviceNamed } from './service-clusters.ts';

/** `meshctl service describe`: one Service in all clusters, with its backends; global or not. */
export async function run(context: CommandContext, flags: FlagsOf<typeof SERVICE_DESCRIBE>): Promise<CommandResult> {
  const named = serviceNamed(flags.service, flags);
  const { clusters, unreachable, lacking } = await readAnsweringServices(context, flags, named);
  requireDefined(context, clusters, named, unreachable);
  const [service] = joinServices(clusters);
  if (!service) throw new MeshctlError('Bug', 'a Service that was read is missing');
  const description = printable({ clusters: readClusters(clusters), service, unreachable });
  return {
    kind: 'ServiceDescription',
    data: { ...serviceDescribeData(description), ...lackingData(lacking) },
    text: (theme) => [serviceDescribeText(description, theme), ...lackingLines(lacking, theme)].join('\n'),
    exitCode: exitOf({ unseen: unreachable.length > 0 }),
  };
}
