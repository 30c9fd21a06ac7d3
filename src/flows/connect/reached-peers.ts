import type { DialOfMembers } from '../../mesh/connect/former-answers.ts';
import { areWithEtcdsOf } from '../etcd/own-etcd.ts';
import type { Flow, Target } from '../flow.ts';
import { type PollOptions, pollStatus } from '../status/poll-status.ts';
import { orWithout } from '../where-it-succeeds.ts';

/** One agent is enough beside what dials, and those that hang are not worth a longer wait. Milliseconds. */
const ASKED: PollOptions = { parallel: 2, nodeTimeoutMs: 10_000, mostNodes: 1, redial: true };

/**
 * The names to which those that dial make a new connection now, by context; none where they cannot be asked. Nor one of which they are
 * connected to an etcd of the server itself: another address leads to the same, as by a second load balancer.
 * @param targets of which only those are asked that are clients of a dial
 */
export async function reachedBy(
  flow: Flow,
  targets: readonly Target[],
  dials: readonly DialOfMembers[],
): Promise<Map<string, readonly string[]>> {
  const clients = dials.map(({ client }) => client.snapshot.context);
  const asked = targets.filter(({ client }) => clients.includes(client.context));
  /** Whether each connection to who is dialled by the server's name is one with an etcd of that very server. */
  const isWithServer = async (
    { server }: DialOfMembers,
    etcds: ReadonlyMap<string, ReadonlySet<string>> = new Map(),
  ) => {
    const target = targets.find(({ client }) => client.context === server.snapshot.context);
    return target ? areWithEtcdsOf(flow, target, server.snapshot, etcds.get(server.identity.name)) : false;
  };
  const reached = asked.map(async (target): Promise<[string, readonly string[]]> => {
    const polled = await orWithout(flow, pollStatus(flow, target, ASKED), undefined);
    const { context } = target.client;
    const own = dials.filter(({ client }) => client.snapshot.context === context);
    const known = await Promise.all(own.map((dial) => isWithServer(dial, polled?.etcds)));
    const same = own.filter((_dial, index) => known[index]).map(({ server }) => server.identity.name);
    return [context, (polled?.reached ?? []).filter((name) => !same.includes(name))];
  });
  return new Map(await Promise.all(reached));
}
