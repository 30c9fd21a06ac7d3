import type { ClusterClient } from '../kube/client.ts';
import { unlessForbidden } from '../kube/unless-refused.ts';
import {
  accountRef,
  CLUSTER_ROLE_BINDINGS,
  clusterRoleRef,
  readsCilium,
  roleGivenTo,
} from '../mesh/apiserver/access.ts';
import type { LostAccess } from '../mesh/cluster-snapshot.ts';
import type { KubeObject, ObjectRef } from '../mesh/objects/kube-object.ts';
import { APISERVER } from '../mesh/objects/names.ts';

/**
 * Of what the clustermesh-apiserver reads its cluster as, what is not there. Undefined where nothing is known to be missing, and
 * not all of it may be read.
 * @param deployment names the account, which may have its rights by a binding of any name
 */
export async function readMissingAccess(
  client: ClusterClient,
  namespace: string,
  deployment: Promise<KubeObject | undefined>,
): Promise<LostAccess[] | undefined> {
  const account = deployment.then((live) => accountRef(namespace, live));
  const [ref, found, lost] = await Promise.all([
    account,
    account.then((live) => readRef(client, live)),
    readLostRights(client, account),
  ]);
  const missing = [...(found && !found.object ? [ref] : []), ...(lost ?? [])];
  return missing.length > 0 || (found && lost) ? missing : undefined;
}

/** An object, as far as there is one; undefined where it may not be read. */
function readRef(client: ClusterClient, ref: ObjectRef): Promise<{ object: KubeObject | undefined } | undefined> {
  return unlessForbidden(client.get(ref).then((object) => ({ object })));
}

/** The role and the binding that an account lacks; undefined where that may not be seen. */
async function readLostRights(
  client: ClusterClient,
  accountRead: Promise<ObjectRef>,
): Promise<LostAccess[] | undefined> {
  const usual = { ...CLUSTER_ROLE_BINDINGS, name: APISERVER };
  const [binding, account] = await Promise.all([readRef(client, usual), accountRead]);
  const given = binding?.object && roleGivenTo(binding.object, account);
  const role = await readRef(client, clusterRoleRef(given ?? APISERVER));
  const isEmptied = role?.object !== undefined && !readsCilium(role.object);
  if (given !== undefined && role?.object && !isEmptied) return [];
  const others = await unlessForbidden(client.listAll(CLUSTER_ROLE_BINDINGS));
  if (!others && (given === undefined || isEmptied)) return undefined;
  const names = new Set((others ?? []).flatMap((other) => roleGivenTo(other, account) ?? []));
  const roles = await Promise.all([...names].map((name) => readRef(client, clusterRoleRef(name))));
  if (roles.some((one) => one?.object && readsCilium(one.object))) return [];
  const mayBeGiven = roles.some((one) => !one) || (given !== undefined && !role);
  if (mayBeGiven) return undefined;
  return [
    ...(role && !role.object ? [clusterRoleRef(given ?? APISERVER)] : []),
    ...(isEmptied ? [{ ...clusterRoleRef(given ?? APISERVER), isEmptied }] : []),
    ...(given === undefined ? [usual] : []),
  ];
}
