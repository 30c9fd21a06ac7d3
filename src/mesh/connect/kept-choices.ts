import { hostPort, serviceEndpoints } from '../apiserver/endpoints.ts';
import { meshctlCommand } from '../command-line.ts';
import { foreignFile, leadsElsewhere } from '../peers/foreign-file.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import { type Direction, dials } from './direction.ts';
import type { Member } from './member.ts';

/** One cluster dialling another one: `[client, server]`. */
type Dial = readonly [Member, Member];

/**
 * The dials that a connect is for. Where no mode is asked for, a connection that was made one-way on purpose stays so.
 */
export function wantedDials(all: readonly Dial[], modeGiven: boolean): { wanted: Dial[]; oneWay: Dial[] } {
  const againstWish = ([client, server]: Dial): boolean =>
    !modeGiven && choicesFor(server.snapshot, client.identity.name).mode === 'unicast' && !dials(client, server);
  return { wanted: all.filter((dial) => !againstWish(dial)), oneWay: all.filter(againstWish) };
}

/** What to tell of a dial that was left out. */
export function oneWayNote([client, server]: Dial): string {
  const command = meshctlCommand('clustermesh connect', { context: server.snapshot.context }, [
    '--destination-context',
    client.snapshot.context,
    '--connection-mode',
    'bidirectional',
  ]);
  return `"${server.identity.name}" dials "${client.identity.name}" and not the other way round, as it was chosen (--connection-mode unicast) → both ways: ${command}`;
}

/** What to tell of a direction that does not dial what the peer's Service has, or that was not there before. */
export function choiceNotes({ client, server, endpoint }: Direction): string[] {
  const [from, to] = [client.identity.name, server.identity.name];
  const notes: string[] = [];
  if (!dials(client, server) && choicesFor(server.snapshot, from).mode === 'unicast') {
    notes.push(`"${from}" begins to dial "${to}": until now that connection was one-way`);
  }
  if (server.given) return notes;
  const reset = meshctlCommand('clustermesh connect', { context: client.snapshot.context }, [
    '--destination-context',
    server.snapshot.context,
    '--destination-endpoint',
    `${to}=service`,
  ]);
  const service = serviceEndpoints(server.snapshot);
  const has = service
    ? `has ${service.hosts.map((host) => hostPort(host, service.port)).join(', ')}`
    : 'has no address';
  const foreign = foreignFile(client.snapshot, to);
  if (choicesFor(client.snapshot, to).endpoints) {
    notes.push(
      `"${from}" dials "${to}" at ${endpoint.addresses.join(', ')}, as it was chosen (its Service ${has}) → dial the Service again: ${reset}`,
    );
  } else if (foreign && leadsElsewhere(foreign, server.snapshot)) {
    const where = foreign.leadsTo.length > 0 ? foreign.leadsTo.join(', ') : endpoint.addresses.join(', ');
    notes.push(
      `"${from}" dials "${to}" at ${where}, as ${foreign.owner} has it, but its Service ${has} → if that is out of date: ${reset}`,
    );
  }
  return notes;
}
