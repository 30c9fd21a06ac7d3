import type { DialOfMembers } from '../../mesh/connect/former-answers.ts';
import type { Flow, Target } from '../flow.ts';
import { type PollOptions, pollStatus } from '../status/poll-status.ts';
import { orWithout } from '../where-it-succeeds.ts';

/** One agent is enough beside what dials, and those that hang are not worth a longer wait. Milliseconds. */
const ASKED: PollOptions = { parallel: 2, nodeTimeoutMs: 10_000, mostNodes: 1, redial: true };

/**
 * The names to which those that dial make a new connection now, by context; none where they cannot be asked.
 * @param targets of which only those are asked that are clients of a dial
 */
export async function reachedBy(
  flow: Flow,
  targets: readonly Target[],
  dials: readonly DialOfMembers[],
): Promise<Map<string, readonly string[]>> {
  const clients = dials.map(({ client }) => client.snapshot.context);
  const asked = targets.filter(({ client }) => clients.includes(client.context));
  const reached = asked.map(async (target): Promise<[string, readonly string[]]> => {
    const polled = await orWithout(flow, pollStatus(flow, target, ASKED), undefined);
    return [target.client.context, polled?.reached ?? []];
  });
  return new Map(await Promise.all(reached));
}
