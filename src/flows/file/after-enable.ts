import { mergePatch, overlay } from '../../kube/merge-patch.ts';
import { listEndpoints } from '../../mesh/apiserver/endpoints.ts';
import { apiserverService } from '../../mesh/apiserver/live.ts';
import { CILIUM_VALIDITY_MS, type TlsSecretFacts } from '../../mesh/certificates/certificate.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { type KubeObject, keyOf, refOf } from '../../mesh/objects/kube-object.ts';
import { configMapRef, REMOTE_USERS_CONFIGMAP } from '../../mesh/objects/names.ts';
import { usersFile, usersLetIn } from '../../mesh/peers/users/remote-users.ts';
import { isChange, type Step } from '../../mesh/plan/plan.ts';
import { endWithCa } from '../../mesh/rotation/lifetime.ts';
import type { EnableDraft } from '../enable/draft-enable.ts';

/**
 * A cluster as the plan of enable leaves it, so that what comes after it is planned upon that: whether it dials through
 * KVStoreMesh, which Secrets have its peers' files then, whom it lets in, for which names its certificates are, at which addresses
 * it is. What only the run tells stays as it is: a CA that is yet to be made, an address that is yet to be given.
 * @param cluster as connect reads it
 */
export function afterEnable(
  cluster: ClusterSnapshot,
  { authority, plan, planned }: EnableDraft,
  now: Date,
): ClusterSnapshot {
  const steps = plan.steps.filter(isChange);
  if (steps.length === 0) return cluster;
  const objects = new Map(cluster.objects);
  const tlsSecrets = new Map(cluster.tlsSecrets);
  for (const step of steps) {
    const key = keyOf(step.object);
    const after = objectAfter(objects.get(key), step);
    if (after) objects.set(key, after);
    else objects.delete(key);
    const facts = authority.makes ? undefined : certificateAfter(cluster, step, now);
    if (facts) tlsSecrets.set(step.object.name, facts);
  }
  const service = apiserverService(listEndpoints(planned).length > 0 ? planned : cluster);
  if (service) objects.set(keyOf(refOf(service)), service);
  const users = objects.get(keyOf(configMapRef(cluster.namespace, REMOTE_USERS_CONFIGMAP)));
  const text = users && usersFile(users);
  return { ...cluster, objects, tlsSecrets, remoteUsers: text === undefined ? undefined : usersLetIn(text) };
}

/** An object as a step leaves it; undefined where it is not there then. What is issued in the run is not in it. */
function objectAfter(live: KubeObject | undefined, { action, write }: Step): KubeObject | undefined {
  if (action === 'delete' || !write) return action === 'delete' ? undefined : live;
  if (write.method === 'apply' || write.method === 'create') return overlay(live, write.object) as KubeObject;
  if (write.method === 'issue') return live ?? write.secret;
  if (write.method !== 'edit') return live;
  if (!live) return write.create;
  const edit = write.edit(live);
  if (edit === 'delete') return undefined;
  return edit ? (mergePatch(live, edit.patch) as KubeObject) : live;
}

/** What will be known of a certificate that a step issues by the CA that is there. */
function certificateAfter({ ca }: ClusterSnapshot, { write }: Step, now: Date): TlsSecretFacts | undefined {
  const [order] = write?.method === 'issue' ? write.certificates : [];
  if (!order || !ca) return undefined;
  const { spec, validityMs = CILIUM_VALIDITY_MS } = order;
  const none = {
    serial: '',
    sha256: '',
    publicKeySha256: '',
    isCa: false,
    issuerCommonName: ca.certificate.commonName,
  };
  const notAfter = endWithCa(validityMs, ca.certificate, now) ?? new Date(now.getTime() + validityMs);
  const certificate = { ...none, ...spec, notBefore: now, notAfter };
  return { certificate, ca: ca.certificate, keyMatches: true, signedByCa: true };
}
