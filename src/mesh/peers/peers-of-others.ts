import { meshctlCommand, unnamedContext } from '../command-line.ts';

/**
 * A next step that connects a peer whose context nobody here can name, because the cluster is another owner's: they are
 * asked by an invitation.
 * @param hint unchanged where it is about other peers, or where their contexts are known
 * @param context of the cluster that has the peers
 * @param peers of other owners, by name
 */
export function inviteIfOthers(hint: string, context: string, peers: readonly string[] = []): string {
  return peers.reduce((text, peer) => {
    const connect = meshctlCommand('clustermesh connect', { context }, ['--destination-context', unnamedContext(peer)]);
    return text.replaceAll(connect, meshctlCommand('clustermesh invite', { context }, ['--peer', peer]));
  }, hint);
}
