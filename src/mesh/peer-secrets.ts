import type { KubeObject, ObjectRef } from './kube-object.ts';
import type { Edit } from './plan.ts';
import { emptySecret } from './secret-data.ts';

/** On Secrets that connect had to make, so that disconnect knows that they go when they are empty. */
const CREATED_BY = 'meshctl.io/created-by';
const CONNECT = 'connect';

/** A Secret for peers that was not there: enable, like Cilium's chart, makes them as a rule. */
export function newPeerSecret(ref: ObjectRef): KubeObject {
  const secret = emptySecret(ref, 'Opaque');
  return { ...secret, metadata: { ...secret.metadata, annotations: { [CREATED_BY]: CONNECT } } };
}

/** Sets keys of a Secret to these base64 values, null removing one; undefined where all of it is so already. */
export function setKeys(data: Readonly<Record<string, string | null>>): (live: KubeObject) => Edit | undefined {
  return (live) => {
    const present = (live.data ?? {}) as Record<string, string>;
    const differs = Object.entries(data).some(([key, value]) => (present[key] ?? null) !== value);
    return differs ? { patch: { data } } : undefined;
  };
}

/** Removes keys of a Secret, and the Secret itself where connect made it and nothing else is left in it. */
export function removeKeys(keys: readonly string[]): (live: KubeObject) => Edit | undefined {
  return (live) => {
    const present = Object.keys((live.data ?? {}) as Record<string, string>);
    const gone = keys.filter((key) => present.includes(key));
    if (gone.length === 0) return undefined;
    const made = live.metadata.annotations?.[CREATED_BY] === CONNECT;
    if (made && gone.length === present.length) return 'delete';
    return { patch: { data: Object.fromEntries(gone.map((key) => [key, null])) } };
  };
}
