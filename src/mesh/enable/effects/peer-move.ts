import { runsKvstoremesh } from '../../apiserver/deployment.ts';
import { apiserverDeployment } from '../../apiserver/live.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { connectCommand, meshctlCommand } from '../../command-line.ts';
import { MeshctlError } from '../../errors.ts';
import { type KubeObject, keyOf } from '../../objects/kube-object.ts';
import { AGENT_PEERS_SECRET, KVSTOREMESH_PEERS_SECRET, meshHostname, secretRef } from '../../objects/names.ts';
import { isOurs } from '../../objects/ownership.ts';
import { dataOf, decodeText, encodeText, secretTexts } from '../../objects/secret-data.ts';
import { contextOfPeer } from '../../peers/concerned-peers.ts';
import { aliasedIps } from '../../peers/file/host-aliases.ts';
import { cachedPeerFile, peersIn } from '../../peers/file/peer-config.ts';
import { addressesIn, dialsOwnCache, readPeerFile } from '../../peers/file/peer-file.ts';
import { newPeerSecret, removeKeys, setKeys } from '../../peers/file/peer-secrets.ts';
import { kvstoremeshDials } from '../../peers/peers.ts';
import type { Step } from '../../plan/plan.ts';
import { deletionOf } from '../deletion.ts';

/**
 * The peers' files go over to those who will dial: from KVStoreMesh to the agents when it is switched off, and back. At
 * every moment somebody dials: the files are written before the Deployment changes, and what is of no more use goes after.
 */
export interface PeerMove {
  to: 'agents' | 'kvstoremesh';
  peers: readonly string[];
  /** Before the Deployment changes: the new diallers get the files. */
  before: Step;
  /** After it has: the agents read the cache, or the former files go. */
  after: Step;
  /** Whether the former diallers are there to compare with, and to go back to. */
  running: boolean;
}

/**
 * @param kvstoremesh whether it will run
 * @param rendered the Secret of KVStoreMesh as rendered for one that is not there
 * @returns undefined where no peer's file has to move
 * @throws MeshctlError `Incompatible` where only the present diallers know a peer's name
 */
export function planMove(
  snapshot: ClusterSnapshot,
  kvstoremesh: boolean,
  rendered: KubeObject | undefined,
): PeerMove | undefined {
  const running = runsKvstoremesh(apiserverDeployment(snapshot)) ?? false;
  const move = kvstoremesh
    ? toKvstoremesh(snapshot, rendered, kvstoremeshDials(snapshot) === false)
    : toAgents(snapshot, running);
  if (move) requireNames(snapshot, move);
  return move;
}

function secretOf({ objects, namespace }: ClusterSnapshot, name: string): KubeObject | undefined {
  return objects.get(keyOf(secretRef(namespace, name)));
}

/** Everything in KVStoreMesh's Secret belongs to its peers. What the agents already dial by themselves stays as it is. */
function toAgents(snapshot: ClusterSnapshot, running: boolean): PeerMove | undefined {
  const { namespace } = snapshot;
  const source = secretOf(snapshot, KVSTOREMESH_PEERS_SECRET);
  const target = secretOf(snapshot, AGENT_PEERS_SECRET);
  const present = secretTexts(target);
  const dialled = (peer: string) => present[peer] !== undefined && !dialsOwnCache(present[peer], namespace);
  const all = peersIn(secretTexts(source));
  const peers = all.filter((peer) => !dialled(peer));
  if (!source || all.length === 0) return undefined;
  const kept = all.filter(dialled);
  const data = Object.fromEntries(
    Object.entries(dataOf(source)).filter(([key]) => !kept.some((peer) => key === peer || key.startsWith(`${peer}.`))),
  );
  return {
    to: 'agents',
    peers,
    running,
    before: movingStep(snapshot, AGENT_PEERS_SECRET, { source, data }, peers, 'the agents dial their peers themselves'),
    after: {
      cluster: snapshot.context,
      object: secretRef(namespace, KVSTOREMESH_PEERS_SECRET),
      before: source,
      why: 'nothing dials with it any more',
      ...(isOurs(source)
        ? { action: 'delete', changes: [], write: deletionOf(source) }
        : {
            action: 'update',
            changes: all.map((peer) => ({ path: `data.${peer}` })),
            write: { method: 'edit', edit: removeKeys(Object.keys(dataOf(source))) },
          }),
    },
  };
}

/** The files by which agents dial, with everything else that is not for the cache. */
function toKvstoremesh(
  snapshot: ClusterSnapshot,
  rendered: KubeObject | undefined,
  starts: boolean,
): PeerMove | undefined {
  const { namespace } = snapshot;
  const source = secretOf(snapshot, AGENT_PEERS_SECRET);
  const texts = secretTexts(source);
  const peers = dialledByAgents(snapshot);
  // With KVStoreMesh there already, files of the agents' own are somebody's wish, unless an earlier run stopped halfway.
  const halfway = peers.every(
    (peer) => dataOf(secretOf(snapshot, KVSTOREMESH_PEERS_SECRET))[peer] === dataOf(source)[peer],
  );
  if (!source || peers.length === 0 || !(starts || halfway)) return undefined;
  const others = peersIn(texts).filter((peer) => !peers.includes(peer));
  const data = Object.fromEntries(Object.entries(dataOf(source)).filter(([key]) => !others.includes(key)));
  const certificates = Object.keys(data).filter((key) => !peers.includes(key));
  const cache = encodeText(cachedPeerFile(namespace));
  return {
    to: 'kvstoremesh',
    peers,
    running: true,
    before: movingStep(
      snapshot,
      KVSTOREMESH_PEERS_SECRET,
      { source, data },
      peers,
      'KVStoreMesh will dial the peers',
      rendered,
    ),
    after: {
      cluster: snapshot.context,
      action: 'update',
      object: secretRef(namespace, AGENT_PEERS_SECRET),
      before: source,
      changes: peers.map((peer) => ({ path: `data.${peer}`, to: "dials this cluster's KVStoreMesh" })),
      why: 'agents read the peers from KVStoreMesh, once it has them',
      write: {
        method: 'edit',
        edit: setKeys({
          ...Object.fromEntries(certificates.map((key) => [key, null])),
          ...Object.fromEntries(peers.map((peer) => [peer, cache])),
        }),
      },
    },
  };
}

/** The peers that the agents dial themselves. */
function dialledByAgents(snapshot: ClusterSnapshot): string[] {
  const texts = secretTexts(secretOf(snapshot, AGENT_PEERS_SECRET));
  return peersIn(texts).filter((peer) => !dialsOwnCache(texts[peer] ?? '', snapshot.namespace));
}

/**
 * What is to be said of peers that were connected while KVStoreMesh was switched on: whoever connected them took it to be off.
 * @param now read when all is written
 * @param others clusters that were read, for their contexts
 * @returns a note with its next step; undefined where there are none
 */
export function noteOfUnmoved(now: ClusterSnapshot, others: readonly ClusterSnapshot[]): string | undefined {
  const peers = dialledByAgents(now);
  if (peers.length === 0) return undefined;
  const { context } = now;
  const where = peers.map((peer) => contextOfPeer(peer, others));
  const [was, them] = peers.length === 1 ? ['was', 'it'] : ['were', 'them'];
  return `context "${context}": ${peers.join(', ')} ${was} connected meanwhile, so the agents dial ${them} themselves, without KVStoreMesh → ${connectCommand(context, where)}`;
}

function movingStep(
  snapshot: ClusterSnapshot,
  name: string,
  { source, data }: { source: KubeObject; data: Record<string, string> },
  peers: readonly string[],
  why: string,
  rendered?: KubeObject,
): Step {
  const object = secretRef(snapshot.namespace, name);
  const before = secretOf(snapshot, name);
  const base = { cluster: snapshot.context, object, before };
  const edit = setKeys(data);
  if (before && !edit(before)) return { ...base, action: 'keep', changes: [], why };
  const changes = peers.map((peer) => {
    const file = data[peer] === undefined ? '' : decodeText(data[peer]);
    return { path: `data.${peer}`, to: `dials ${addressesIn(file).join(', ')}` };
  });
  const create = { ...(rendered ?? newPeerSecret(object, snapshot)), data };
  // A rotation may come to its end meanwhile: what it has taken the place of opens nothing any more.
  const basis = { source, data };
  return {
    ...base,
    action: before ? 'update' : 'create',
    changes,
    why,
    write: { method: 'edit', create, edit, basis },
  };
}

/** Before Cilium 1.20 a peer's name in the mesh is known to pods by their hostAliases: the others would not find it. */
function requireNames(snapshot: ClusterSnapshot, { before, peers, to }: PeerMove): void {
  const { context } = snapshot;
  const create = before.write?.method === 'edit' ? before.write.create : undefined;
  const files = secretTexts(create);
  const unknown = peers.filter((peer) => {
    if (aliasedIps(snapshot, peer, to).length > 0) return false;
    const file = readPeerFile(files[peer] ?? '');
    if ('unreadable' in file) return false;
    const aliased = file.hostAliases.some(({ hostname }) => hostname === meshHostname(peer));
    return !aliased && addressesIn(files[peer] ?? '').some((address) => address.startsWith(`${meshHostname(peer)}:`));
  });
  if (unknown.length === 0) return;
  const who = to === 'agents' ? 'the pods of KVStoreMesh' : 'the agents';
  const part = meshctlCommand('clustermesh disconnect', { context }, ['--peer', unknown.join(',')]);
  throw new MeshctlError(
    'Incompatible',
    `context "${context}": only ${who} know the address at which ${unknown.join(', ')} can be dialled (hostAliases)`,
    {
      hint: `Disconnect ${unknown.join(', ')}, run this again, and reconnect. First: ${part}`,
      details: { context, peers: unknown },
    },
  );
}
