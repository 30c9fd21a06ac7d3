import { describe, expect, it } from 'vitest';
import type { ClusterClient } from '../../src/kube/client.ts';
import { giveAccessCommand } from '../../src/mesh/apiserver/access.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import type { KubeObject, ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import { readMissingAccess } from '../../src/snapshot/access.ts';
import { apiserverDeployment, snapshotOf } from '../support/snapshots.ts';

const RBAC = 'rbac.authorization.k8s.io/v1';
const NAMESPACE = 'kube-system';
const RULES = [{ apiGroups: ['cilium.io'], resources: ['ciliumidentities'], verbs: ['get', 'list', 'watch'] }];

const account = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name, namespace: NAMESPACE },
});
const role = (name: string, rules: object[] = RULES): KubeObject => ({
  apiVersion: RBAC,
  kind: 'ClusterRole',
  metadata: { name },
  rules,
});
const binding = (name: string, to: object, of = 'clustermesh-apiserver'): KubeObject => ({
  apiVersion: RBAC,
  kind: 'ClusterRoleBinding',
  metadata: { name },
  roleRef: { kind: 'ClusterRole', name: of },
  subjects: [to],
});
const of = (name: string) => ({ kind: 'ServiceAccount', name, namespace: NAMESPACE });
const everyone = { kind: 'Group', name: 'system:serviceaccounts' };

const USUAL = 'clustermesh-apiserver';

/** @param forbidden verbs and kinds that are refused */
function clientOf(objects: readonly KubeObject[], forbidden: readonly string[]): ClusterClient {
  const refused = (what: string) => forbidden.includes(what) && new MeshctlError('Forbidden', what);
  const fake = {
    async get({ kind, name }: ObjectRef) {
      const error = refused(`get ${kind}`);
      if (error) throw error;
      return objects.find((one) => one.kind === kind && one.metadata.name === name);
    },
    async listAll({ kind }: { kind: string }) {
      const error = refused(`list ${kind}`);
      if (error) throw error;
      return objects.filter((one) => one.kind === kind);
    },
  };
  return fake as unknown as ClusterClient;
}

function deploymentAs(serviceAccountName: string | undefined): KubeObject {
  const deployment = apiserverDeployment();
  const { template, ...spec } = deployment.spec as { template: { spec: object } };
  return {
    ...deployment,
    spec: { ...spec, template: { ...template, spec: { ...template.spec, serviceAccountName } } },
  };
}

describe('what a clustermesh-apiserver reads its cluster as', () => {
  it.each<[string, string | undefined, KubeObject[], string[] | undefined, string[]?]>([
    ['as the chart makes it', undefined, [account(USUAL), role(USUAL), binding(USUAL, of(USUAL))], []],
    ['another account, by the usual binding', 'mine', [account('mine'), role(USUAL), binding(USUAL, of('mine'))], []],
    ['a binding of another name', undefined, [account(USUAL), role('r'), binding('b', of(USUAL), 'r')], []],
    ['another account and other names', 'mine', [account('mine'), role('r'), binding('b', of('mine'), 'r')], []],
    ['rights by a group', undefined, [account(USUAL), role('r'), binding('b', everyone, 'r')], []],
    [
      'a binding for the group of all, which gives nothing of it',
      undefined,
      [account(USUAL), role(USUAL), role('r', []), binding('b', everyone, 'r')],
      ['ClusterRoleBinding clustermesh-apiserver'],
    ],
    [
      'a binding for another namespace',
      undefined,
      [account(USUAL), role(USUAL), binding(USUAL, { ...of(USUAL), namespace: 'cilium' })],
      ['ClusterRoleBinding clustermesh-apiserver'],
    ],
    ['no account', undefined, [role(USUAL), binding(USUAL, of(USUAL))], ['ServiceAccount clustermesh-apiserver']],
    [
      'no account of the other name',
      'mine',
      [account(USUAL), role(USUAL), binding(USUAL, of('mine'))],
      ['ServiceAccount mine'],
    ],
    ['no role', undefined, [account(USUAL), binding(USUAL, of(USUAL))], ['ClusterRole clustermesh-apiserver']],
    [
      'a role that gives nothing any more',
      undefined,
      [account(USUAL), role(USUAL, []), binding(USUAL, of(USUAL))],
      ['ClusterRole clustermesh-apiserver'],
    ],
    [
      'a role that gives nothing, and another one that does',
      undefined,
      [account(USUAL), role(USUAL, []), binding(USUAL, of(USUAL)), role('r'), binding('b', of(USUAL), 'r')],
      [],
    ],
    [
      'a role that gives nothing, where others may not be listed',
      undefined,
      [account(USUAL), role(USUAL, []), binding(USUAL, of(USUAL))],
      undefined,
      ['list ClusterRoleBinding'],
    ],
    [
      'nothing',
      undefined,
      [],
      [
        'ServiceAccount clustermesh-apiserver',
        'ClusterRole clustermesh-apiserver',
        'ClusterRoleBinding clustermesh-apiserver',
      ],
    ],
    [
      'no binding, where others may not be listed',
      undefined,
      [account(USUAL), role(USUAL)],
      undefined,
      ['list ClusterRoleBinding'],
    ],
    [
      'an account that may not be read',
      undefined,
      [role(USUAL), binding(USUAL, of(USUAL))],
      undefined,
      ['get ServiceAccount'],
    ],
    [
      'a role that may not be read',
      undefined,
      [account(USUAL), binding(USUAL, of(USUAL))],
      undefined,
      ['get ClusterRole'],
    ],
    [
      'an account that may not be read, and a binding that is not there',
      undefined,
      [role(USUAL)],
      ['ClusterRoleBinding clustermesh-apiserver'],
      ['get ServiceAccount'],
    ],
    [
      'nothing that may be read',
      undefined,
      [],
      undefined,
      ['get ServiceAccount', 'get ClusterRole', 'get ClusterRoleBinding', 'list ClusterRoleBinding'],
    ],
  ])('%s', async (_what, name, objects, missing, forbidden = []) => {
    const found = await readMissingAccess(clientOf(objects, forbidden), NAMESPACE, Promise.resolve(deploymentAs(name)));
    expect(found?.map((ref) => `${ref.kind} ${ref.name}`)).toEqual(missing);
  });

  it('is given back by enable, or by hand where the account is not that of the chart', () => {
    const missing = [
      { apiVersion: 'v1', kind: 'ServiceAccount', namespace: NAMESPACE, name: 'mine' },
      { apiVersion: RBAC, kind: 'ClusterRoleBinding', name: USUAL },
    ];
    expect(giveAccessCommand(snapshotOf({}), deploymentAs(undefined), missing)).toBeUndefined();
    expect(giveAccessCommand(snapshotOf({ context: 'one' }), deploymentAs('mine'), missing)).toBe(
      'Restore them as they were installed, or create them: ' +
        'kubectl --context one -n kube-system create serviceaccount mine && ' +
        'kubectl --context one create clusterrolebinding clustermesh-apiserver --clusterrole clustermesh-apiserver --serviceaccount kube-system:mine',
    );
  });
});
