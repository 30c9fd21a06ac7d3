import type { ClusterClient } from '../kube/client.ts';
import type { Selection } from '../kube/list-watch.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';

/**
 * A client that asks for each object and each list once, for several passes over a cluster that are to see the same. Not for
 * waiting, and not for who changes what was read. A read with a signal of its own goes to the cluster.
 */
export function rememberReads(client: ClusterClient): ClusterClient {
  const known = new Map<string, Promise<unknown>>();
  function once<T>(question: readonly unknown[], ask: () => Promise<T>): Promise<T> {
    const key = JSON.stringify(question);
    const answer = (known.get(key) as Promise<T> | undefined) ?? ask();
    known.set(key, answer);
    return answer;
  }
  // What is kept of a list differs by who keeps: only the same function keeps the same.
  const kept = new Map<unknown, Map<string, Promise<unknown>>>();
  function keptOnce<T>(keep: (object: KubeObject) => readonly T[], selection: Selection): Promise<T[]> {
    const known = kept.get(keep) ?? new Map<string, Promise<unknown>>();
    kept.set(keep, known);
    const key = JSON.stringify(selection);
    const answer = (known.get(key) as Promise<T[]> | undefined) ?? client.collect(selection, keep);
    known.set(key, answer);
    return answer;
  }
  return {
    ...client,
    get: (ref, options) =>
      options
        ? client.get(ref, options)
        : once(['get', ref.apiVersion, ref.kind, ref.namespace, ref.name], () => client.get(ref)),
    listAll: (selection, options) =>
      options ? client.listAll(selection, options) : once(['list', selection], () => client.listAll(selection)),
    collect: (selection, keep, options) =>
      options ? client.collect(selection, keep, options) : keptOnce(keep, selection),
    version: () => once(['version'], () => client.version()),
    apiGroups: () => once(['groups'], () => client.apiGroups()),
  };
}
