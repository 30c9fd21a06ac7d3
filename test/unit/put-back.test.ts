import { expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { planGlobalService, serviceRef } from '../../src/mesh/services/global-service.ts';
import { putBackSteps } from '../../src/mesh/services/put-back.ts';

const GLOBAL = 'service.cilium.io/global';
const AFFINITY = 'service.cilium.io/affinity';

/** A Service, which one tool makes and perhaps another hand has annotated. */
function service(maker: string, set: Record<string, string>): KubeObject {
  const fields = (names: string[]) => ({
    'f:metadata': { 'f:annotations': Object.fromEntries(names.map((name) => [`f:${name}`, {}])) },
  });
  const managers = [...new Set([maker, ...Object.values(set)])];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'base',
      namespace: 'default',
      annotations: Object.fromEntries(Object.keys(set).map((name) => [name, name === GLOBAL ? 'true' : 'local'])),
      managedFields: managers.map((manager) => ({
        manager,
        operation: 'Apply' as const,
        fieldsV1: fields(Object.keys(set).filter((name) => set[name] === manager)),
      })),
    },
    spec: { ports: [{ port: 80 }] },
  };
}

const removal = 'not-global' as const;
const remote = { affinity: 'remote', createMissing: false } as const;
const CASES: [what: string, live: KubeObject, intent: typeof removal | typeof remote, isPutBack: boolean][] = [
  [
    'an annotation of its source that goes',
    service('argocd-controller', { [GLOBAL]: 'argocd-controller' }),
    removal,
    true,
  ],
  ['of Flux', service('kustomize-controller', { [GLOBAL]: 'kustomize-controller' }), removal, true],
  ['one that meshctl has set', service('argocd-controller', { [GLOBAL]: 'meshctl' }), removal, false],
  ['one that somebody has set by hand', service('argocd-controller', { [GLOBAL]: 'kubectl-annotate' }), removal, false],
  [
    'another affinity',
    service('argocd-controller', { [GLOBAL]: 'argocd-controller', [AFFINITY]: 'argocd-controller' }),
    remote,
    true,
  ],
  ['one that no source has', service('argocd-controller', {}), remote, false],
  ['one that Terraform takes away', service('Terraform', {}), remote, true],
  ['of what no tool makes', service('kubectl', { [GLOBAL]: 'kubectl' }), removal, false],
];

it.each(CASES)('%s', (_what, live, intent, isPutBack) => {
  const sites = [{ context: 'mesh-1', namespaceExists: true, goingNamespace: undefined, live }];
  const { steps } = planGlobalService(serviceRef('default', 'base'), sites, intent);
  expect(steps.map(({ action }) => action)).toEqual(['update']);
  expect(putBackSteps(steps).length > 0).toBe(isPutBack);
});
