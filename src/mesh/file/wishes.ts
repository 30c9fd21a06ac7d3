import type { DirectionOptions } from '../connect/direction.ts';
import { dials } from '../connect/direction.ts';
import type { Dial } from '../connect/kept-choices.ts';
import type { Member } from '../connect/member.ts';
import type { CredentialChoice } from '../peers/credential-kind.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import type { WrittenCredentials } from './document.ts';
import type { FileDial } from './mesh-spec.ts';

/**
 * What a file wants of a dial, as connect takes it. Addresses that were chosen before and that the file leaves out are chosen no
 * longer, which its operator agrees to; what a tool wrote into a peering file is no such choice. Credentials stay as they were
 * chosen until a file names others: a certificate that all peers share cannot be revoked for one of them.
 */
export function wishOf(
  { credentials, endpoints, oneWay }: FileDial,
  client: Member,
  server: Member,
): Omit<DirectionOptions, 'now'> {
  const chosen = choicesFor(client.snapshot, server.identity.name);
  return {
    credentials: credentialsOf(credentials, chosen.credentials !== undefined),
    endpoints: endpoints ?? (chosen.endpoints ? 'service' : undefined),
    mode: oneWay ? (beginsOneWay(client, server) ? 'unicast' : undefined) : chosen.mode ? 'bidirectional' : undefined,
  };
}

function credentialsOf(written: WrittenCredentials | undefined, isChosen: boolean): CredentialChoice | undefined {
  if (written === 'kept') return undefined;
  return written === 'auto' && !isChosen ? undefined : written;
}

/**
 * Whether a one-way connection is to be written down as such. One that stands already needs no word, whoever made it; where
 * the other one dials back, that has to end first, which writes it down.
 */
function beginsOneWay(client: Member, server: Member): boolean {
  return !dials(server, client) && !dials(client, server);
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
      of.oneWay && beginsOneWay(client, server) ? [[server, client]] : [],
    ),
  };
}
