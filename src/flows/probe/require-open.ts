import { meshctlCommand } from '../../mesh/command-line.ts';
import { type Direction, dialledEndpoints } from '../../mesh/connect/direction.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { failureTitle } from '../../mesh/probe/advice.ts';
import { isProved } from '../../mesh/probe/paths.ts';
import { extentOf, isOpen, type ProbeExtent, unseenWords } from '../../mesh/probe/report.ts';
import { isWhyUnproved, notTested, tryAll } from '../../mesh/probe/untested.ts';
import type { Flow, Target } from '../flow.ts';
import { probeNetwork } from './probe.ts';

/** As many nodes of each cluster as `connectivity probe` takes by itself, and as long as it waits. */
const USUAL = { nodes: 3, via: 'auto', namespace: 'meshctl-probe', waitMs: 120_000 } as const;

/**
 * Probes the network between clusters that are to be joined. What was not tested is told, whatever came of the rest.
 * @param directions who is to dial whom, and where
 * @returns between how many nodes of each cluster it was probed, and what was said of what the mesh works without, and was not tested
 * @throws MeshctlError `NetworkBlocked` when it does not let through what the mesh needs; `NetworkUnproved` when nobody could see whether
 * it does, also of one node alone that takes part
 */
export async function requireOpenNetwork(
  flow: Flow,
  targets: readonly Target[],
  directions: readonly Direction[],
  parallel: number,
): Promise<{ probed: ProbeExtent[]; warnings: string[] }> {
  const dials = directions.map((direction) => ({
    client: direction.client.snapshot.context,
    server: direction.server.snapshot.context,
    endpoints: dialledEndpoints(direction),
  }));
  const report = await probeNetwork(flow, targets, [], { ...USUAL, parallel, dials });
  const { paths, failures, untested, unreachable, unseen = [] } = report;
  const context = targets.map(({ client }) => client.context);
  const look = meshctlCommand('connectivity probe', { context });
  const optional = failures.filter(({ required }) => !required);
  const warnings = optional.map((failure) => {
    // An arrow in a note leads to its next step.
    const title = failureTitle(failure, failure.isMutual ? undefined : 'to');
    return `${title}: ${failure.likely} → What fixes it: ${look}`;
  });
  const blocked = failures.filter(({ required }) => required);
  const isWhy = (one: (typeof untested)[number]) =>
    blocked.length === 0 && paths.some((path) => !isProved(path) && isWhyUnproved(one, path));
  const more = untested.filter((one) => !isWhy(one)).map(notTested);
  const lead = 'Try it by itself';
  if (more.length > 0) warnings.push(`${more.join('; ')} → ${tryAll(report, { context, lead })}`);
  for (const words of warnings) flow.progress.warn(words);
  // Those have been said by then.
  warnings.unshift(...(report.warnings ?? []));
  // What is left of the probe, of which it has warned, says nothing against the network.
  if (isOpen(report) && unseen.length === 0) return { probed: report.clusters.map(extentOf), warnings };
  const says =
    blocked.length > 0
      ? blocked.map((failure) => failureTitle(failure))
      : [
          ...unreachable.map(({ message }) => message),
          ...untested.filter(isWhy).map(notTested),
          ...unseen.map(unseenWords),
        ];
  throw new MeshctlError(
    blocked.length > 0 ? 'NetworkBlocked' : 'NetworkUnproved',
    `nothing was changed: the network ${blocked.length > 0 ? 'does not carry the mesh' : 'is not proved'}: ${says.join('; ')}`,
    {
      hint:
        blocked.length > 0
          ? `What drops it, and the rules that fix it: ${look}`
          : tryAll(report, {
              context,
              lead: `${lead}, or connect without --probe, which proves nothing of the network`,
            }),
      details: {
        failures: blocked.map(({ verdict, from, to, packets }) => ({ verdict, from, to, packets })),
        ...(unseen.length > 0 ? { unseen } : {}),
      },
    },
  );
}
