import type { ClusterClient } from '../kube/client.ts';
import { type KubeObject, type ObjectRef, refOf } from '../mesh/objects/kube-object.ts';

/**
 * A client that asks for each object and each list once, for several passes over a cluster that are to see the same. Not for
 * waiting, and not for who changes what was read. A read with a signal of its own goes to the cluster.
 * @param seen what has been read just before
 */
export function rememberReads(client: ClusterClient, seen: readonly KubeObject[] = []): ClusterClient {
  const known = new Map<unknown, Map<string, Promise<unknown>>>();
  const nameOf = ({ apiVersion, kind, namespace, name }: ObjectRef) => [apiVersion, kind, namespace, name];
  /** @param how it is asked; of a list, by what is kept of it: only the same function keeps the same */
  function once<T>(how: unknown, question: unknown, ask: () => Promise<T>): Promise<T> {
    const answers = known.get(how) ?? new Map<string, Promise<unknown>>();
    known.set(how, answers);
    const key = JSON.stringify(question);
    const answer = (answers.get(key) as Promise<T> | undefined) ?? ask();
    answers.set(key, answer);
    return answer;
  }
  for (const object of seen) once('get', nameOf(refOf(object)), () => Promise.resolve(object));
  return {
    ...client,
    get: (ref, options) => (options ? client.get(ref, options) : once('get', nameOf(ref), () => client.get(ref))),
    listAll: (selection, options) =>
      options ? client.listAll(selection, options) : once('list', selection, () => client.listAll(selection)),
    collect: (selection, keep, options) =>
      options ? client.collect(selection, keep, options) : once(keep, selection, () => client.collect(selection, keep)),
    version: () => once('version', [], () => client.version()),
    apiGroups: () => once('groups', [], () => client.apiGroups()),
  };
}
