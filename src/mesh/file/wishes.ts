import type { DirectionOptions } from '../connect/direction.ts';
import { dials } from '../connect/direction.ts';
import type { Dial } from '../connect/kept-choices.ts';
import type { Member } from '../connect/member.ts';
import { keyOf } from '../objects/kube-object.ts';
import { AGENT_PEERS_SECRET, secretRef } from '../objects/names.ts';
import { secretText } from '../objects/secret-data.ts';
import type { CredentialChoice } from '../peers/credential-kind.ts';
import { choicesFor, dialsOneWay } from '../peers/peer-choices.ts';
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
    inFile: true,
    credentials: credentialsOf(credentials, chosen.credentials !== undefined),
    endpoints: endpoints ?? (chosen.endpoints ? 'service' : undefined),
    mode: oneWay ? (isToBeRecorded(client, server) ? 'unicast' : undefined) : chosen.mode ? 'bidirectional' : undefined,
  };
}

function credentialsOf(written: WrittenCredentials | undefined, isChosen: boolean): CredentialChoice | undefined {
  if (written === 'kept') return undefined;
  return written === 'auto' && !isChosen ? undefined : written;
}

/**
 * Whether a one-way connection is to be on record at both sides: one that begins, of which the file that agents read is gone with
 * what was written down beside it, or that one side has on record still. One that stands and that nobody has ever written down
 * needs no word, whoever made it; where the other one dials back, that has to end first, which writes it down.
 */
function isToBeRecorded(client: Member, server: Member): boolean {
  const { objects, namespace } = client.snapshot;
  const secret = objects.get(keyOf(secretRef(namespace, AGENT_PEERS_SECRET)));
  const stands = secretText(secret, server.identity.name) !== undefined;
  return !dials(server, client) && (!stands || dialsOneWay(client, server));
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
      of.oneWay && isToBeRecorded(client, server) ? [[server, client]] : [],
    ),
  };
}
