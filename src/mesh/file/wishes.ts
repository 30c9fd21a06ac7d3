import type { DirectionOptions } from '../connect/direction.ts';
import { dials } from '../connect/direction.ts';
import type { Dial } from '../connect/kept-choices.ts';
import type { Member } from '../connect/member.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import type { FileDial } from './mesh-spec.ts';

/**
 * What a file wants of a dial, as connect takes it. What was chosen before and the file does not say is chosen no longer; what a
 * tool wrote into a peering file is no such choice.
 */
export function wishOf(
  { credentials, endpoints, oneWay }: FileDial,
  client: Member,
  server: Member,
): Omit<DirectionOptions, 'now'> {
  const chosen = choicesFor(client.snapshot, server.identity.name);
  const isAuto = credentials === undefined || credentials === 'auto';
  return {
    credentials: !isAuto ? credentials : chosen.credentials ? 'auto' : undefined,
    endpoints: endpoints ?? (chosen.endpoints ? 'service' : undefined),
    // Where the other one dials back, that has to end first.
    mode: oneWay ? (dials(server, client) ? undefined : 'unicast') : chosen.mode ? 'bidirectional' : undefined,
  };
}

/** The dials of a file between members, and those that shall not be. */
export function dialsBetween(
  members: readonly Member[],
  wanted: readonly FileDial[],
): { dials: { dial: Dial; of: FileDial }[]; notBack: Dial[] } {
  const byName = new Map(members.map((member) => [member.identity.name, member]));
  const found = wanted.flatMap((of) => {
    const [client, server] = [byName.get(of.from), byName.get(of.to)];
    return client && server ? [{ dial: [client, server] as const, of }] : [];
  });
  return {
    dials: found,
    notBack: found.flatMap(({ dial: [client, server], of }): Dial[] =>
      of.oneWay && !dials(server, client) ? [[server, client]] : [],
    ),
  };
}
