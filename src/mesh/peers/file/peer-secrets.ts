import { apiserverDeployment } from '../../apiserver/live.ts';
import type { KubeObject, ObjectRef } from '../../objects/kube-object.ts';
import { isOurs, MANAGED_BY } from '../../objects/ownership.ts';
import { dataKeys, dataOf, emptySecret } from '../../objects/secret-data.ts';
import { type Edit, FIELD_MANAGER } from '../../plan/plan.ts';
import { differingMarks, isMarkedAfter, type Marks } from '../peer-choices.ts';

/** On Secrets that connect had to make where enable would not, so that disconnect knows that they go when they are empty. */
const CREATED_BY = 'meshctl.io/created-by';
const CONNECT = 'connect';

/**
 * A Secret for peers that was not there: enable, like Cilium's chart, makes them as a rule. One that was lost where meshctl has
 * enabled Cluster Mesh comes back as enable makes it, and stays when it is empty.
 */
export function newPeerSecret(ref: ObjectRef, cluster: Parameters<typeof apiserverDeployment>[0]): KubeObject {
  const { metadata, ...secret } = emptySecret(ref, 'Opaque');
  const marks = isOurs(apiserverDeployment(cluster))
    ? { labels: { ...metadata.labels, [MANAGED_BY]: FIELD_MANAGER } }
    : { annotations: { [CREATED_BY]: CONNECT } };
  return { ...secret, metadata: { ...metadata, ...marks } };
}

/** A copy of a Secret with choices as annotations, which it is to have from its start. */
export function withMarks(secret: KubeObject, marks: Marks): KubeObject {
  const set = Object.fromEntries(Object.entries(marks).filter(([, value]) => value !== null)) as Record<string, string>;
  const { metadata } = secret;
  return { ...secret, metadata: { ...metadata, annotations: { ...metadata.annotations, ...set } } };
}

/**
 * Sets keys of a Secret to these base64 values, null removing one, and marks of what was chosen; undefined where all of it
 * is so already.
 */
export function setKeys(
  data: Readonly<Record<string, string | null>>,
  marks: Marks = {},
): (live: KubeObject) => Edit | undefined {
  return (live) => {
    const present = dataOf(live);
    const differs = Object.entries(data).some(([key, value]) => (present[key] ?? null) !== value);
    return editOf(differs ? data : {}, differingMarks(live, marks));
  };
}

/**
 * Removes keys of a Secret and marks of what was chosen, and the Secret itself where connect made it and nothing else is
 * left in it, neither a key nor what was chosen for any peer.
 */
export function removeKeys(keys: readonly string[], marks: Marks = {}): (live: KubeObject) => Edit | undefined {
  return (live) => {
    const present = dataKeys(live);
    const gone = keys.filter((key) => present.includes(key));
    const made = live.metadata.annotations?.[CREATED_BY] === CONNECT;
    if (made && !isMarkedAfter(live, marks) && gone.length > 0 && gone.length === present.length) return 'delete';
    return editOf(Object.fromEntries(gone.map((key) => [key, null])), differingMarks(live, marks));
  };
}

function editOf(data: Readonly<Record<string, string | null>>, annotations: Marks): Edit | undefined {
  const patch = {
    ...(Object.keys(data).length > 0 ? { data } : {}),
    ...(Object.keys(annotations).length > 0 ? { metadata: { annotations } } : {}),
  };
  return Object.keys(patch).length > 0 ? { patch } : undefined;
}
