import { hostPort, serviceEndpoints } from '../apiserver/endpoints.ts';
import { contextList, meshctlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { SHARED_USER } from '../objects/names.ts';
import type { ConnectionMode } from '../peers/connection-mode.ts';
import { dialServiceCommand } from '../peers/endpoint-overrides.ts';
import { foreignFile, leadsElsewhere } from '../peers/file/foreign-file.ts';
import { choicesFor, choosesEndpoints, dialsOneWay } from '../peers/peer-choices.ts';
import { isLetIn } from '../peers/peers.ts';
import { mayBeOneWay } from '../peers/unread-choices.ts';
import { type Direction, dials } from './direction.ts';
import type { Member } from './member.ts';

/** One cluster dialling another one: `[client, server]`. */
export type Dial = readonly [Member, Member];

/**
 * Refuses to make a connection one-way whose other direction is there: connect adds, and only disconnect takes away.
 * @param again the run itself with all its flags, where it is to be typed once more
 * @param planOnly it is a dry run, after which nothing is to be typed that writes
 * @throws MeshctlError `Usage`, with the two commands that do it, or with the one that shows what the first of them would do
 */
export function requireOneWay(
  dialled: readonly Dial[],
  { again, planOnly }: { again?: string | undefined; planOnly?: boolean | undefined } = {},
): void {
  const back = dialled.filter(([client, server]) => dials(server, client));
  const [first] = back;
  if (!first) return;
  const [source] = first;
  const names = back.map(([, server]) => server.identity.name);
  const cuts = back.map(([client, server]) => connectionCommand('disconnect', server, [client], 'unicast'));
  const servers = back.map(([, server]) => server);
  const then = again ?? connectionCommand('connect', source, servers, 'unicast');
  const [whom, verb] =
    names.length === 1 ? [`"${names[0]}"`, 'dials'] : [names.map((name) => `"${name}"`).join(', '), 'dial'];
  throw new MeshctlError(
    'Usage',
    `${whom} ${verb} "${source.identity.name}" too: to make that one-way removes a connection, which connect never does`,
    {
      hint: planOnly
        ? `That direction has to be ended first, by a disconnect; what it would do, without doing it: ${cuts.map((cut) => `${cut} --dry-run`).join(' && ')}`
        : `End that direction first: ${[...cuts, then].join(' && ')}`,
      details: { context: source.snapshot.context, dialledBy: names },
    },
  );
}

function connectionCommand(
  verb: 'connect' | 'disconnect',
  { snapshot }: Member,
  others: readonly Member[],
  mode: ConnectionMode,
): string {
  return meshctlCommand(`clustermesh ${verb}`, { context: snapshot.context }, [
    '--destination-context',
    contextList(others.map((other) => other.snapshot.context)),
    '--connection-mode',
    mode,
  ]);
}

/**
 * The dials that a connect is for. Where no mode is asked for, a connection that was made one-way on purpose stays so, and one that may
 * have been.
 */
export function wantedDials(all: readonly Dial[], modeGiven: boolean): { wanted: Dial[]; oneWay: Dial[] } {
  const againstWish = ([client, server]: Dial): boolean =>
    !modeGiven && (dialsOneWay(server, client) || mayBeOneWay(server, client)) && !dials(client, server);
  return { wanted: all.filter((dial) => !againstWish(dial)), oneWay: all.filter(againstWish) };
}

/** What to tell of a dial that was left out. @param bothWays the run itself in that mode, where it is about this pair alone */
export function oneWayNote([client, server]: Dial, bothWays?: string): string {
  const command = bothWays ?? connectionCommand('connect', server, [client], 'bidirectional');
  const how = dialsOneWay(server, client)
    ? 'as chosen (--connection-mode unicast)'
    : 'and what is written down of how they are to be connected is not known to this meshctl, so that it stays so';
  return `"${server.identity.name}" dials "${client.identity.name}" and not the other way round, ${how} → To have both dial: ${command}`;
}

/**
 * Whether the server of a new direction dials its client and has never let it in, so that their connection was no half of a
 * lost one: who chose that may have it on record no more.
 */
function neverDialledBack({ client, server, credential }: Direction): boolean {
  const { snapshot } = server;
  const hasOwnUser = snapshot.remoteUsers !== undefined && credential.user !== SHARED_USER;
  return dials(server, client) && hasOwnUser && !isLetIn(snapshot, client.identity.name);
}

/** What to tell of a direction that does not dial what the peer's Service has, or that was not there before. */
export function choiceNotes(direction: Direction): string[] {
  const { client, server, endpoint, marks } = direction;
  const [from, to] = [client.identity.name, server.identity.name];
  const notes: string[] = [];
  if (!dials(client, server) && (dialsOneWay(server, client) || neverDialledBack(direction))) {
    notes.push(`"${from}" starts to dial "${to}": until now that connection was one-way`);
  }
  // What is chosen now, as by a file, is nothing to be told of.
  if (server.given || choosesEndpoints(to, marks)) return notes;
  const reset = dialServiceCommand(client.snapshot.context, { name: to, context: server.snapshot.context });
  const service = serviceEndpoints(server.snapshot);
  const has = service
    ? `has ${service.hosts.map((host) => hostPort(host, service.port)).join(', ')}`
    : 'has no address';
  const foreign = foreignFile(client.snapshot, to);
  if (choicesFor(client.snapshot, to).endpoints) {
    notes.push(
      `"${from}" dials "${to}" at ${endpoint.addresses.join(', ')}, as chosen (its Service ${has}) → dial the Service again: ${reset}`,
    );
  } else if (foreign && leadsElsewhere(foreign, server.snapshot)) {
    const where = foreign.leadsTo.length > 0 ? foreign.leadsTo.join(', ') : endpoint.addresses.join(', ');
    notes.push(
      `"${from}" dials "${to}" at ${where}, as ${foreign.owner} has it, but its Service ${has} → if that is out of date: ${reset}`,
    );
  }
  return notes;
}
