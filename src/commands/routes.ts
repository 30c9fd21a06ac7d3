import { readMeshRoutes } from '../flows/routes.ts';
import { graphOfRoutes } from '../mesh/mesh-graph.ts';
import { printable } from '../views/printable.ts';
import { routesText } from '../views/routes-view.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';
import { drawingOf } from './graph.ts';
import { type SeveralClustersFlags, withChosenClusters } from './several-clusters.ts';

interface RoutesFlags extends SeveralClustersFlags {
  parallel: number;
  /** Milliseconds. */
  nodeTimeout: number;
  output: string;
}

/** `meshctl clustermesh routes`: exit 1 when a node lacks a route to a remote pod range. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const flags = parsed as unknown as RoutesFlags;
  const report = await withChosenClusters(context, flags, (targets) =>
    readMeshRoutes(context, targets, { parallel: flags.parallel, nodeTimeoutMs: flags.nodeTimeout }),
  );
  const shown = printable(report);
  return {
    kind: 'RoutesReport',
    data: { ...shown },
    text: (theme) => drawingOf(graphOfRoutes(shown), flags.output) ?? routesText(shown, theme),
    exitCode: report.complete ? 0 : 1,
  };
}
