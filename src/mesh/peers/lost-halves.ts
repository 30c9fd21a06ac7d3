import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, meshctlCommand } from '../command-line.ts';
import { keyOf } from '../objects/kube-object.ts';
import { AGENT_PEERS_SECRET, secretRef } from '../objects/names.ts';
import { asKnown, knownAs } from './concerned-peers.ts';
import { saysWhoSet } from './file/foreign-file.ts';
import { hasPartedWith, waysOut } from './parted.ts';
import { dialledOneWay, dialsOneWay, servedPeers } from './peer-choices.ts';
import { configuredPeers, expectedPeers, isLetIn, mayDialUnseen } from './peers.ts';
import { renamedPeers } from './renamed-peers.ts';
import { mayBeOneWay } from './unread-choices.ts';

/** Whether `client` dials `server` and is not dialled back, though nobody chose that: perhaps half of it is lost. */
export function isHalfOfPeering(client: ClusterSnapshot, server: ClusterSnapshot): boolean {
  return (
    configuredPeers(client).includes(knownAs(server)) &&
    !configuredPeers(server).includes(knownAs(client)) &&
    !dialsOneWay(asKnown(client), asKnown(server)) &&
    !mayBeOneWay(asKnown(client), asKnown(server))
  );
}

/**
 * The clusters among others that dial this one and that it does not dial, though nobody chose that: it has lost its half. Whom it
 * has parted with by itself is another matter, and where a Secret that may name them may not be read nothing is known.
 */
export function undialledClients(server: ClusterSnapshot, others: readonly ClusterSnapshot[]): ClusterSnapshot[] {
  if (mayDialUnseen(server)) return [];
  const dialled = expectedPeers(server);
  return others.filter(
    (client) =>
      isHalfOfPeering(client, server) &&
      !dialled.includes(knownAs(client)) &&
      !hasPartedWith(server, client) &&
      // By the name that it had.
      renamedPeers(server, [client]).length === 0,
  );
}

/** What is said of one of {@link undialledClients}, as a clause. */
export function saysHalfLost(client: ClusterSnapshot, server: ClusterSnapshot): string {
  return `${knownAs(client)} dials ${knownAs(server)}, which does not dial back, though no one chose that${saysWhoSet(client, knownAs(server))}`;
}

/** Both ways out for one of {@link undialledClients}: which is meant, only the operator knows. */
export function mendHalfLost(client: ClusterSnapshot, server: ClusterSnapshot): string {
  const both = connectCommand(client.context, server.context);
  const oneWay = connectCommand(client.context, server.context, ['--connection-mode', 'unicast']);
  return `both ways: ${both}; or one-way, if that is meant: ${oneWay}`;
}

/** Whether two clusters let each other in and neither dials the other: a peering that has lost both halves. */
export function haveLostBothHalves(one: ClusterSnapshot, other: ClusterSnapshot): boolean {
  const isLetInOnly = (client: ClusterSnapshot, server: ClusterSnapshot) =>
    isLetIn(server, knownAs(client)) && !expectedPeers(client).includes(knownAs(server));
  return isLetInOnly(one, other) && isLetInOnly(other, one);
}

/** The same as a clause. @param who both of them, in words */
export function saysBothLost(who: string): string {
  return `${who} let each other in, as peers do, and neither dials the other: their peering has lost both halves`;
}

/** Both ways out for them: which is meant, only the operator knows. */
export function mendBothLost(one: ClusterSnapshot, other: ClusterSnapshot): string {
  const part = meshctlCommand('clustermesh disconnect', { context: one.context }, [
    '--destination-context',
    other.context,
  ]);
  const apart = `part ${one.context} and ${other.context}, which no longer let each other in then`;
  return `Either connect them again: ${connectCommand(one.context, other.context)}; or ${apart}: ${part}`;
}

/**
 * The clusters among others that this one is to dial one-way, as either side has it on record, and that it does not dial: it has
 * lost its half, or has parted with them by itself.
 */
export function undialledServers(client: ClusterSnapshot, others: readonly ClusterSnapshot[]): ClusterSnapshot[] {
  const dialled = expectedPeers(client);
  return others.filter(
    (server) =>
      dialsOneWay(asKnown(client), asKnown(server)) &&
      !hasPartedWith(server, client) &&
      !configuredPeers(server).includes(knownAs(client)) &&
      !dialled.includes(knownAs(server)),
  );
}

/**
 * Whether `client` dials `server` one-way, as chosen, and only one of them has that on record any more: once that one has lost
 * it too, nothing keeps the next connect from going both ways.
 */
export function isChoiceHalfRecorded(client: ClusterSnapshot, server: ClusterSnapshot): boolean {
  const [from, to] = [knownAs(client), knownAs(server)];
  const isUnread = [client, server].some(({ unread, namespace }) =>
    unread?.has(keyOf(secretRef(namespace, AGENT_PEERS_SECRET))),
  );
  if (isUnread || !configuredPeers(client).includes(to) || configuredPeers(server).includes(from)) return false;
  return dialledOneWay(client).includes(to) !== servedPeers(server, []).includes(from);
}

/** What is said of {@link isChoiceHalfRecorded}, as a clause. */
export function saysHalfRecorded(client: ClusterSnapshot, server: ClusterSnapshot): string {
  const [from, to] = [knownAs(client), knownAs(server)];
  const keeper = dialledOneWay(client).includes(to) ? from : to;
  return `${from} dials ${to} one-way, as chosen, and only ${keeper} has that on record`;
}

/** What is said of one of {@link undialledServers}, as a clause. */
export function saysUndialled(client: ClusterSnapshot, server: ClusterSnapshot): string {
  // Without a list of users that could be read it is only on record that it is let in.
  const lets = server.remoteUsers ? 'lets it in' : 'is to let it in';
  return `${knownAs(client)} does not dial ${knownAs(server)}, which ${lets} one-way, as chosen`;
}

/** Both ways out for one of {@link undialledServers}: the choice that it is one-way stays where they are connected again. */
export function mendUndialled(client: ClusterSnapshot, server: ClusterSnapshot): string {
  return waysOut(server, { context: client.context, name: knownAs(client) });
}
