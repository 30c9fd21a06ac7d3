import pLimit from 'p-limit';
import type { Parting } from '../../mesh/connect/disconnect/disconnect-plan.ts';
import type { PutBack } from '../../mesh/connect/disconnect/what-stands.ts';
import { describeRef, type KubeObject, refOf } from '../../mesh/objects/kube-object.ts';
import { configMapRef, REMOTE_ROLE, REMOTE_USERS_CONFIGMAP, secretRef } from '../../mesh/objects/names.ts';
import { managersOfKey } from '../../mesh/objects/ownership.ts';
import { secretText } from '../../mesh/objects/secret-data.ts';
import type { Undone } from '../../mesh/objects/undone-advice.ts';
import { remoteUserName } from '../../mesh/peers/file/peer-config.ts';
import { ownUser, PEER_SECRETS } from '../../mesh/peers/peers.ts';
import { USERS_FILE, userRole } from '../../mesh/peers/users/remote-users.ts';
import { FIELD_MANAGER } from '../../mesh/plan/plan.ts';
import type { Flow, Target } from '../flow.ts';
import { contraryRun, DISCONNECT_AFTERWARDS } from './contrary-run.ts';
import { lastLook, type Read, UNSEEN } from './last-look.ts';
import { byRun, undoneMeanwhile } from './undone-meanwhile.ts';

/**
 * Looks once more at clusters that have parted: nobody is to dial, or to be let in, whom the run has found gone or has taken out.
 * @returns what could not be seen, as warnings
 * @throws MeshctlError `Conflict`, naming what is there again, and the run that has put it there where it is known; its `details.putBack`
 * are {@link PutBack}
 */
export async function requireParted(
  flow: Pick<Flow, 'signal'>,
  targets: readonly Target[],
  partings: readonly Parting[],
  parallel: number,
): Promise<string[]> {
  const limit = pLimit(parallel);
  const { read, warnings } = lastLook();
  const looks = partings.flatMap((parting) => {
    const target = targets.find(({ client }) => client.context === parting.snapshot.context);
    if (!target) return [];
    return [
      limit(async () => {
        const present = await presentIn(target, parting, read);
        if (present.length === 0) return [];
        const peers = present.map(({ peer }) => peer);
        return [{ present, putBack: putBackOf(present), by: await contraryRun(flow, target, peers, 'gone') }];
      }),
    ];
  });
  const found = (await Promise.all(looks)).flat();
  if (found.length === 0) return warnings();
  const present = found.flatMap((one) => one.present);
  const { by } = found.find((one) => one.by) ?? {};
  const isOurs = present.every(({ writers }) => writers.length > 0 && writers.every((one) => one === FIELD_MANAGER));
  const error = undoneMeanwhile(present, {
    ...{ did: 'has put it there again', named: 'present' },
    ...(by || !isOurs
      ? byRun(by, DISCONNECT_AFTERWARDS)
      : { who: 'another run of meshctl', hint: DISCONNECT_AFTERWARDS }),
  });
  error.details.putBack = found.flatMap(({ putBack }) => putBack);
  throw error;
}

/** A peer that is in an object again. */
interface Present extends Undone {
  peer: string;
  is: keyof Omit<PutBack, 'context'>;
  /** Who has set what holds it. */
  writers: readonly string[];
}

function putBackOf(present: readonly Present[]): PutBack[] {
  const named = (which: Present['is']) => [...new Set(present.flatMap(({ is, peer }) => (is === which ? [peer] : [])))];
  const [one] = present;
  return one ? [{ context: one.context, dialled: named('dialled'), served: named('served') }] : [];
}

async function presentIn(target: Target, { snapshot, undialled, unserved }: Parting, read: Read): Promise<Present[]> {
  const { client, namespace } = target;
  const { context } = client;
  const present = (live: KubeObject, is: Present['is'], peer: string): Present => {
    const what = is === 'dialled' ? peer : `user ${remoteUserName(peer)}`;
    return {
      ...{ context, live, says: `${what} in ${describeRef(refOf(live))}`, peer, is },
      peers: { without: [peer] },
      writers: managersOfKey(live, is === 'dialled' ? peer : USERS_FILE),
    };
  };
  const files = PEER_SECRETS.map(async (name) => {
    const live = undialled.length > 0 ? await read(target, secretRef(namespace, name)) : undefined;
    if (!live || live === UNSEEN) return [];
    return undialled.flatMap((peer) => (secretText(live, peer) === undefined ? [] : [present(live, 'dialled', peer)]));
  });
  const letIn = unserved.filter((peer) => remoteUserName(peer) !== ownUser(snapshot));
  const listed = letIn.length > 0 ? read(target, configMapRef(namespace, REMOTE_USERS_CONFIGMAP)) : undefined;
  const [list, ...found] = await Promise.all([listed, ...files]);
  const isListed = (peer: string) =>
    list && list !== UNSEEN && userRole(list, remoteUserName(peer)) === REMOTE_ROLE
      ? [present(list, 'served', peer)]
      : [];
  return [...found.flat(), ...letIn.flatMap(isListed)];
}
