import { readMeshRoutes } from '../flows/routes.ts';
import { graphOfRoutes } from '../mesh/mesh-graph.ts';
import { printable } from '../views/printable.ts';
import { routesText } from '../views/routes-view.ts';
import { allCiliumContexts } from './all-contexts.ts';
import { type ClusterFlags, withClusters } from './cluster-flags.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';
import { drawingOf } from './graph.ts';

interface RoutesFlags extends ClusterFlags {
  context?: string[];
  all: boolean;
  parallel: number;
  /** Milliseconds. */
  nodeTimeout: number;
  output: string;
}

/** `meshctl clustermesh routes`: exit 1 when a node lacks a route to a remote pod range. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const flags = parsed as unknown as RoutesFlags;
  const contexts = flags.all ? await allCiliumContexts(context, flags) : (flags.context ?? [undefined]);
  const report = await withClusters(context, flags, contexts, (clients) =>
    readMeshRoutes(
      context,
      clients.map((client) => ({ client, namespace: flags.namespace })),
      { parallel: flags.parallel, nodeTimeoutMs: flags.nodeTimeout },
    ),
  );
  const shown = printable(report);
  return {
    kind: 'RoutesReport',
    data: { ...shown },
    text: (theme) => drawingOf(graphOfRoutes(shown), flags.output) ?? routesText(shown, theme),
    exitCode: report.complete ? 0 : 1,
  };
}
