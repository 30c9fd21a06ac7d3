import { readMeshRoutes } from '../../../flows/checks/routes.ts';
import { hasGap } from '../../../mesh/cilium/routes.ts';
import { exitOf } from '../../../mesh/errors.ts';
import { type RoutesPicture, routesPicture } from '../../../mesh/network/routes-picture.ts';
import { routesNotes, routesRows, routesText } from '../../../views/checks/routes-view.ts';
import { routesSvg } from '../../../views/network/routes-svg.ts';
import { routesDot, routesMermaid } from '../../../views/network/routes-text.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { unreachableData, warnOfMissing, withAnsweringClusters } from '../../targets/several-clusters.ts';
import type { ROUTES } from './routes-spec.ts';

const DRAW: Readonly<Record<string, (picture: RoutesPicture) => string>> = {
  svg: routesSvg,
  mermaid: routesMermaid,
  dot: routesDot,
};

/** `meshctl clustermesh routes`: exit 1 when a node lacks a route to a remote pod range, 3 when a cluster cannot be asked, its pod ranges may not be read, or no context leads to it and agents are not seen to be connected to it. */
export async function run(context: CommandContext, flags: FlagsOf<typeof ROUTES>): Promise<CommandResult> {
  const options = { parallel: flags.parallel, nodeTimeoutMs: flags.nodeTimeout, all: flags.all === true };
  const report = await withAnsweringClusters(context, flags, (targets, silent) =>
    readMeshRoutes(context, targets, unreachableData(silent), options),
  );
  const shown = printable(report);
  // Whose pod ranges may not be read is told how to be let.
  const mayNot = report.clusters.some(({ hint }) => hint !== undefined);
  const unseen = report.unreachable.length > 0 || report.unheard !== undefined || mayNot;
  const drawing = DRAW[flags.output]?.(routesPicture(shown));
  if (drawing !== undefined || !flags.headers) warnOfMissing(context, shown.unreachable);
  // A picture has no words for what is missing in it either.
  if (drawing !== undefined || !flags.headers) for (const note of routesNotes(shown)) context.progress.warn(note);
  return {
    kind: 'RoutesReport',
    data: { ...shown },
    text: (theme) => drawing ?? (flags.headers ? routesText(shown, theme) : routesRows(shown, theme)),
    exitCode: exitOf({ failed: hasGap(report), unseen, unproved: !report.complete }),
  };
}
