import { checkClusterName } from '../../mesh/cilium/cluster-name.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { doubtAboutUsers } from '../../mesh/enable/effects/lost-users.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { peerOfUser } from '../../mesh/peers/file/peer-config.ts';
import { ownUser } from '../../mesh/peers/peers.ts';
import { withServedId } from '../etcd/read-served-id.ts';
import { readEtcdUsers } from '../etcd/read-users.ts';
import type { Flow, Target } from '../flow.ts';
import { listAgents } from '../status/ask-agents.ts';
import { AGENTS } from '../status/status-programs.ts';

/** What a few agents have mounted, all have. */
const AGENTS_ASKED = 3;
const AGENT_TIMEOUT_MS = 5_000;

/**
 * A snapshot with what only running pods tell of what its objects have lost: the id that is served, and the users of a list that is gone or cannot be read. Whatever cannot be asked is left out: it is
 * only for knowing more.
 */
export async function withWhatRuns(flow: Flow, target: Target, snapshot: ClusterSnapshot): Promise<ClusterSnapshot> {
  const known = await withServedId(flow, target, snapshot);
  if (doubtAboutUsers(known) === undefined) return known;
  const servedUsers = await orNone(flow, () => readServedUsers(flow, target, known), []);
  if (servedUsers.length > 0) return { ...known, servedUsers };
  return { ...known, mountedPeers: await orNone(flow, () => readMountedPeers(flow, target), []) };
}

/** The clustermesh-apiserver keeps the former users when it can read none (Cilium's clustermesh-apiserver/clustermesh/users_mgmt.go). */
async function readServedUsers(flow: Flow, target: Target, snapshot: ClusterSnapshot): Promise<string[]> {
  const { users } = await readEtcdUsers(flow, target, snapshot);
  const own = ownUser(snapshot);
  const isPeers = (user: string) => user !== own && checkClusterName(peerOfUser(user) ?? '') === undefined;
  return [...new Set([...users.values()].flat().filter(isPeers))].sort();
}

/** By the names of peers that `status` goes by, too. */
async function readMountedPeers(flow: Flow, target: Target): Promise<string[]> {
  const { agents } = await listAgents(flow, target, { most: AGENTS_ASKED, timeoutMs: AGENT_TIMEOUT_MS });
  const answers = await Promise.all(agents.map((agent) => agent.json(AGENTS.command)));
  const names = answers.flatMap((answer) => AGENTS.parse(answer)?.map(({ name }) => name) ?? []);
  return [...new Set(names.filter((name) => checkClusterName(name) === undefined))].sort();
}

async function orNone<T>(flow: Flow, ask: () => Promise<T>, none: T): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    flow.signal.throwIfAborted();
    if (error instanceof MeshctlError) return none;
    throw error;
  }
}
