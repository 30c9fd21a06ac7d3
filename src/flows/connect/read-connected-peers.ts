import pLimit from 'p-limit';
import { enumerated } from '../../mesh/counted.ts';
import { hearsOf } from '../../mesh/status/links.ts';
import type { Flow, Target } from '../flow.ts';
import { pollStatus } from '../status/poll-status.ts';
import { orWithout } from '../where-it-succeeds.ts';

/** A few agents of a cluster are enough to know that a peer is there, and one that is not takes the time of a new connection. */
const ASKED = { parallel: 10, mostNodes: 10, nodeTimeoutMs: 10_000, redial: true };

/**
 * The peers to which clusters are connected right now, as their agents and KVStoreMesh say, which also try a new connection: what has just
 * died still has the former ones.
 * @param parallel clusters at a time
 * @returns names of peers by context; nothing of a cluster that cannot be asked
 */
export async function readConnectedPeers(
  flow: Flow,
  targets: readonly Target[],
  parallel: number,
): Promise<Map<string, ReadonlySet<string>>> {
  const limit = pLimit(parallel);
  const read = targets.map((target) =>
    limit(async (): Promise<[string, ReadonlySet<string>]> => {
      const polled = await orWithout(flow, pollStatus(flow, target, ASKED), undefined);
      const names = (polled?.report.peers ?? []).map(({ name }) => name);
      return [target.client.context, new Set(names.filter((name) => polled && hearsOf(polled.report, name) === true))];
    }),
  );
  return new Map(await Promise.all(read));
}

/** What is said of those that were connected to one of which nobody else could say whether it is there. */
export function wereConnected(contexts: readonly string[]): string {
  return `${enumerated(contexts)} ${contexts.length === 1 ? 'was' : 'were'} connected to it when this was planned`;
}
