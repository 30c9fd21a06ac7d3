import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { knownPeers } from '../peers/peers.ts';

/** Codes of a cluster that cannot be asked, as opposed to one that says no. */
export const DEAD: ReadonlySet<string> = new Set(['ClusterUnreachable', 'Timeout', 'Unauthenticated', 'CiliumMissing']);

/**
 * An error of a destination that may be gone for good, with what else can be done then.
 * @param dead its context
 * @param left whoever forgets it by its name, and which that may be; absent where several clusters part from each other
 */
export function withWayOut(
  error: MeshctlError,
  dead: string,
  left: { context: string; peers: readonly string[] } | undefined,
): MeshctlError {
  const [peer = '<name>', ...others] = left?.peers ?? [];
  const which = others.length > 0 ? `, which is ${[peer, ...others].join(' or ')}` : '';
  const wayOut = left
    ? `if that cluster is gone for good, forget it${which}: ${forget(left.context, [which ? '<name>' : peer])}`
    : `if "${dead}" is gone for good, add --force: the others forget it`;
  const { code, message, details } = error;
  return new MeshctlError(code, message, {
    hint: error.hint === undefined ? `I${wayOut.slice(1)}` : `${error.hint.replace(/\.$/, '')}; ${wayOut}`,
    details,
    cause: error,
  });
}

function peersElsewhere(alive: readonly ClusterSnapshot[]): string[] {
  const here = new Set(alive.map(clusterNameOf));
  return [...new Set(alive.flatMap(knownPeers))].filter((name) => !here.has(name));
}

/** A cluster that cannot be asked is the peer of that name, or the only peer that is left. */
export function peerOfDead(context: string, deadCount: number, alive: readonly ClusterSnapshot[]): string | undefined {
  const candidates = peersElsewhere(alive);
  if (candidates.includes(context)) return context;
  return deadCount === 1 && candidates.length === 1 ? candidates[0] : undefined;
}

/** Which peers a cluster that cannot be asked may be. */
export function peersOfDead(context: string, deadCount: number, alive: readonly ClusterSnapshot[]): string[] {
  const known = peerOfDead(context, deadCount, alive);
  return known === undefined ? peersElsewhere(alive) : [known];
}

/** As {@link peerOfDead}. @throws MeshctlError `Usage` where it cannot be told which peer it is */
export function nameOfDead(context: string, deadCount: number, alive: readonly ClusterSnapshot[]): string {
  const name = peerOfDead(context, deadCount, alive);
  if (name !== undefined) return name;
  const candidates = peersElsewhere(alive);
  throw new MeshctlError('Usage', `context "${context}" cannot be reached, so it is not known which peer it is`, {
    hint: `Name the peer instead of the context: --peer ${candidates.join(' or --peer ') || '<name>'}`,
    details: { context, candidates },
  });
}

/** The command with which a cluster forgets peers. */
export function forget(context: string, peers: readonly string[]): string {
  return meshctlCommand('clustermesh disconnect', { context }, ['--peer', peers.join(',')]);
}
