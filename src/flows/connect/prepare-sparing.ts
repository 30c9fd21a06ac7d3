import type { Flow } from '../flow.ts';
import type { Unanswered } from '../where-it-succeeds.ts';
import { refusedWrites } from '../write/refused-writes.ts';
import type { MeshRequest } from './prepare-connect.ts';
import { type DisconnectOptions, type PreparedDisconnect, prepareDisconnect } from './prepare-disconnect.ts';

/**
 * Prepares a disconnect of all clusters that there are. Each API server is asked whether it would let its part be done: a destination
 * where it would not has no part in it, its connections with the others stay on both sides, and it is `spared`. So it is with one that
 * cannot be read. Where fewer than two would be left, or the source itself is refused, the plan stands as it is, and fails by that.
 * @throws MeshctlError as {@link prepareDisconnect}
 */
export async function prepareSparing(
  flow: Flow,
  request: MeshRequest,
  options: DisconnectOptions,
): Promise<PreparedDisconnect> {
  const { source } = request;
  let prepared = await prepareDisconnect(flow, request, options);
  const refused: Unanswered[] = [];
  for (;;) {
    const { targets, plan } = prepared;
    const more = await refusedWrites(flow, targets, plan.steps);
    const isOut = (context: string) => more.some((one) => one.context === context);
    const left = targets.filter(({ client }) => !isOut(client.context));
    const lacksSource = source !== undefined && isOut(source.client.context);
    if (more.length === 0 || lacksSource || left.length < 2) {
      return { ...prepared, spared: [...prepared.spared, ...refused] };
    }
    refused.push(...more);
    // They go on as they are, so that what they stand on is theirs.
    const beside = prepared.partings.flatMap(({ snapshot }) => (isOut(snapshot.context) ? [snapshot] : []));
    const { spared } = prepared;
    const again = await prepareDisconnect(
      flow,
      { ...request, destinations: left.filter((target) => target !== source) },
      { ...options, readOthers: async () => [...((await options.readOthers?.()) ?? []), ...beside] },
    );
    prepared = { ...again, spared: [...spared, ...again.spared] };
  }
}
