import { type KubeObject, keyOf, refOf } from '../objects/kube-object.ts';
import { dataOf, secretTexts } from '../objects/secret-data.ts';
import { peerCertificateKeys, peerOfUser, peersIn, remoteUserName } from './file/peer-config.ts';
import { USERS_FILE, usersLetIn } from './users/remote-users.ts';

/** How the source of an object has the peers that are in it. */
export interface RenderedPeers {
  /** It has nothing of them. */
  missing: readonly string[];
  /** It has them otherwise: its next sync changes how they are dialled. */
  different: readonly string[];
}

/**
 * Which peers in an object its source does not have, or has otherwise.
 * @param rendered what the source makes, by {@link keyOf}; undefined where it cannot be read: then nothing is known to be there
 */
export function comparePeers(
  live: KubeObject,
  peers: readonly string[],
  rendered: ReadonlyMap<string, KubeObject> | undefined,
): RenderedPeers {
  const made = rendered?.get(keyOf(refOf(live)));
  if (!made) return { missing: peers, different: [] };
  if (live.kind === 'ConfigMap') {
    const users = usersLetIn(dataOf(made)[USERS_FILE] ?? '').map(({ name }) => name);
    return { missing: peers.filter((peer) => !users.includes(remoteUserName(peer))), different: [] };
  }
  const [is, shall] = [secretTexts(live), { ...secretTexts(made), ...textsOf(made) }];
  const missing = peers.filter((peer) => shall[peer] === undefined);
  const differs = (peer: string) =>
    [peer, ...Object.values(peerCertificateKeys(peer))].some((key) => is[key]?.trim() !== shall[key]?.trim());
  return { missing, different: peers.filter((peer) => !missing.includes(peer) && differs(peer)) };
}

/**
 * Peers that the source of an object has, and the object has not any more: its next sync brings them back.
 * @param rendered as in {@link comparePeers}; where it cannot be read, none are known
 */
export function peersBroughtBack(live: KubeObject, rendered: ReadonlyMap<string, KubeObject> | undefined): string[] {
  const made = rendered?.get(keyOf(refOf(live)));
  if (!made) return [];
  if (live.kind === 'ConfigMap') {
    const namesIn = (object: KubeObject) =>
      usersLetIn(dataOf(object)[USERS_FILE] ?? '').flatMap(({ name }) => peerOfUser(name) ?? []);
    const there = namesIn(live);
    return namesIn(made).filter((peer) => !there.includes(peer));
  }
  const there = peersIn(secretTexts(live));
  return peersIn({ ...secretTexts(made), ...textsOf(made) }).filter((peer) => !there.includes(peer));
}

function textsOf({ stringData }: KubeObject): Record<string, string> {
  return (stringData ?? {}) as Record<string, string>;
}
