import { lookAtClusters, withContested } from '../../../flows/status/look-at-clusters.ts';
import { asLooked } from '../../../flows/targets/first-look.ts';
import { meshctlCommand } from '../../../mesh/command-line.ts';
import { exitOf } from '../../../mesh/errors.ts';
import { runWarnings } from '../../../mesh/runs-at-work.ts';
import { graphOfStatus, type MeshGraph } from '../../../mesh/status/mesh-graph.ts';
import { evaluateMesh, withOutside } from '../../../mesh/status/mesh-status.ts';
import { printable } from '../../../views/printable.ts';
import { svgOf } from '../../../views/status/graph-svg.ts';
import { dotOf, mermaidOf, mermaidWarning } from '../../../views/status/graph-text.ts';
import { meshStatusText } from '../../../views/status/matrix-view.ts';
import { unseenNotes } from '../../../views/status/status-view.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { unreachableData, warnOfMissing, withAnsweringClusters } from '../../targets/several-clusters.ts';
import type { GRAPH } from './graph-spec.ts';

/** `meshctl clustermesh graph`: the mesh as a picture, edges coloured by health. Exit 0 however they are, 3 when a cluster cannot be asked. */
export async function run(context: CommandContext, flags: FlagsOf<typeof GRAPH>): Promise<CommandResult> {
  const mesh = await withAnsweringClusters(context, flags, async (targets, silent) => {
    const options = { parallel: flags.parallel, nodeTimeoutMs: flags.nodeTimeout };
    const looked = targets.map(asLooked);
    const look = await lookAtClusters(context, looked, options);
    // A picture has no next steps.
    const { reports, unreachable } = flags.output === 'table' ? await withContested(context, looked, look) : look;
    const evaluated = evaluateMesh(reports, [...unreachableData(silent), ...unreachable]);
    return printable(flags.all ? withOutside(evaluated) : evaluated);
  });
  const graph = graphOfStatus(mesh);
  const { unreachable } = mesh;
  const look = meshctlCommand('clustermesh graph', { context: mesh.clusters.map((report) => report.context) });
  const warnings = printable(runWarnings(mesh.clusters, look));
  const drawing = drawingOf(graph, flags.output);
  if (drawing !== undefined) {
    warnOfMissing(context, unreachable);
    const tooLarge = flags.output === 'mermaid' ? mermaidWarning(drawing, graph.edges.length) : undefined;
    for (const note of [...warnings, ...unseenNotes(mesh), ...(tooLarge ? [tooLarge] : [])])
      context.progress.warn(note);
  }
  return {
    kind: 'MeshGraph',
    data: {
      ...graph,
      ...(unreachable.length > 0 ? { unreachable } : {}),
      ...(warnings.length > 0 ? { warnings } : {}),
    },
    text: (theme) => drawing ?? meshStatusText(mesh, theme, undefined, { whole: true }),
    exitCode: exitOf({ unseen: unreachable.length > 0 }),
  };
}

/** A graph in one of the formats for pictures; undefined for any other format. */
function drawingOf(graph: MeshGraph, format: string): string | undefined {
  if (format === 'mermaid') return mermaidOf(graph);
  if (format === 'dot') return dotOf(graph);
  return format === 'svg' ? svgOf(graph) : undefined;
}
