import { describe, expect, it } from 'vitest';
import { EtcdReadError, type EtcdSeen } from '../../src/etcd/read-error.ts';
import { refusalOf } from '../../src/flows/etcd/refusal.ts';
import { settledRefusal } from '../../src/flows/etcd/settled-refusal.ts';
import type { Flow, Target } from '../../src/flows/flow.ts';
import type { Direction } from '../../src/mesh/connect/direction.ts';
import { type KubeObject, keyOf, type ObjectRef, refOf } from '../../src/mesh/objects/kube-object.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import { readCertificate } from '../../src/pki/read.ts';
import { apiserverDeployment, NOW, secretObject, snapshotOf } from '../support/snapshots.ts';

const USERS = 'clustermesh-remote-users';
const spec = { commonName: 'server', usages: ['server'], dnsNames: ['*.mesh.cilium.io'], ipAddresses: [] } as const;
const { certificate } = await issueCertificate(await createAuthority(), spec);
const serving = secretObject('clustermesh-apiserver-server-cert', { 'tls.crt': certificate });
const THIS = readCertificate(certificate).sha256;

const users = (file: string, more: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: USERS, namespace: 'kube-system', ...more },
  data: { 'users.yaml': file },
});
const LISTED = users('users:\n- name: remote-mesh-2\n  role: remote\n');
const NOBODY = 'users: []\n';

const rollingOut = { ...apiserverDeployment(), status: { observedGeneration: 1, replicas: 2, updatedReplicas: 1 } };

interface Setup {
  seen?: EtcdSeen;
  user?: string;
  live?: readonly KubeObject[];
  /** When the pod that was asked was started. */
  started?: string;
}

const [LONG_AGO, JUST_NOW] = ['2026-05-31T23:57:00Z', '2026-05-31T23:59:00Z'];
const listedAt = (time: string): KubeObject => ({
  ...LISTED,
  metadata: { ...LISTED.metadata, creationTimestamp: time },
});

/** mesh-2 is refused by the etcd of mesh-1, which has these objects. */
async function settled(reason: EtcdReadError['reason'], { seen, user = 'remote-mesh-2', live = [], started }: Setup) {
  const objects = new Map([apiserverDeployment(), serving, LISTED, ...live].map((one) => [keyOf(refOf(one)), one]));
  const target = {
    namespace: 'kube-system',
    client: { context: 'one', get: async (ref: ObjectRef) => objects.get(keyOf(ref)) },
  } as unknown as Target;
  const direction = {
    client: { identity: { name: 'mesh-2' }, snapshot: snapshotOf({ context: 'two' }) },
    server: { identity: { name: 'mesh-1' }, snapshot: snapshotOf() },
    credential: { user },
    endpoint: { addresses: ['10.0.0.9:2379'] },
  } as unknown as Direction;
  const refusal = refusalOf(new EtcdReadError(reason, 'it refuses', undefined, seen), direction);
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, status: { startTime: started } };
  return settledRefusal({ now: () => NOW } as Flow, target, direction, refusal, [pod]);
}

describe('a refusal is settled', () => {
  it.each<[string, EtcdReadError['reason'], Setup, RegExp]>([
    [
      'when the certificate that etcd shows is the one of the Secret, and lacks a name',
      'tls-name',
      { seen: { certificateSha256: THIS } },
      /^Reissue it: meshctl clustermesh enable --context one$/,
    ],
    [
      'when etcd says no to a client certificate, and no other pod is to come',
      'tls-client-rejected',
      { seen: { alert: 'bad certificate' } },
      /rollout restart deployment\/clustermesh-apiserver$/,
    ],
    [
      'when the list has lost the user again',
      'permission-denied',
      {
        live: [
          users(NOBODY, {
            managedFields: [{ manager: 'kubectl-edit', fieldsV1: { 'f:data': { 'f:users.yaml': {} } } }],
          }),
        ],
      },
      /^Find out who else writes that ConfigMap \(it was written by kubectl-edit\)\.$/,
    ],
    [
      'when a tool makes the list, with the values that it needs',
      'permission-denied',
      { live: [users(NOBODY, { annotations: { 'meta.helm.sh/release-name': 'cilium' } })] },
      /^Helm release cilium makes that ConfigMap: .+clustermesh\.config\.clusters.+helm-values --context one$/,
    ],
    [
      'when the list gives the user another role',
      'permission-denied',
      { live: [users('users:\n- name: remote-mesh-2\n  role: local\n')] },
      /^Find out who else writes that ConfigMap\.$/,
    ],
    [
      'when the list has had the user for a whileer than a mount takes, and so has the pod been there',
      'permission-denied',
      { live: [listedAt(LONG_AGO)], started: LONG_AGO },
      /a new pod creates those of the list: kubectl --context one .+ rollout restart deployment\/clustermesh-apiserver$/,
    ],
  ])('%s', async (_when, reason, setup, hint) => {
    expect((await settled(reason, setup))?.hint).toMatch(hint);
  });

  it.each<[string, EtcdReadError['reason'], Setup]>([
    [
      'a certificate that the Secret no longer has: the mount lags behind',
      'tls-name',
      { seen: { certificateSha256: 'x' } },
    ],
    ['a certificate that is not known', 'tls-name', {}],
    [
      'a client certificate, with a rollout under way',
      'tls-client-rejected',
      { seen: { alert: 'x' }, live: [rollingOut] },
    ],
    ['a client certificate, of an etcd that only hung up', 'tls-client-rejected', {}],
    ['a user that the list has: etcd gets it when the mount is there', 'permission-denied', {}],
    [
      'a user that the list has since a moment ago',
      'permission-denied',
      { live: [listedAt(JUST_NOW)], started: LONG_AGO },
    ],
    ['a user, of a pod that has just begun', 'permission-denied', { live: [listedAt(LONG_AGO)], started: JUST_NOW }],
    ['the user that every cluster has', 'permission-denied', { user: 'remote', live: [users(NOBODY)] }],
    ['another CA: the mount may lag behind', 'tls-unknown-ca', {}],
    ['what cannot be reached', 'unavailable', {}],
    ['what takes too long', 'timeout', {}],
  ])('never for %s', async (_what, reason, setup) => {
    expect(await settled(reason, setup)).toBeUndefined();
  });
});
