import { describe, expect, it } from 'vitest';
import { enabledBy, enabledByForce, takingOver } from '../../src/mesh/faults/contested-enable.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';

const TAKES = 'take over spec.type of Service x from bob';
const CONTESTED = new Map([['a', TAKES]]);
const ENABLE = 'meshctl clustermesh enable --context a';

describe('a next step with an enable that would be refused', () => {
  it.each([
    [ENABLE, `${TAKES}: ${ENABLE} --force-conflicts`],
    [`reissue it: ${ENABLE}`, `reissue it, and ${TAKES}: ${ENABLE} --force-conflicts`],
    [
      `someone put it there (bob); take it over: ${ENABLE}`,
      `someone put it there (bob); take it over, and ${TAKES}: ${ENABLE} --force-conflicts`,
    ],
    [
      `${ENABLE} && meshctl clustermesh connect --context a --destination-context b`,
      `${TAKES}: ${ENABLE} --force-conflicts && meshctl clustermesh connect --context a --destination-context b`,
    ],
    [
      `meshctl clustermesh disconnect --context b --peer a; or ${ENABLE}`,
      `meshctl clustermesh disconnect --context b --peer a; or ${TAKES}: ${ENABLE} --force-conflicts`,
    ],
    [`Its pods are replaced by ${ENABLE}`, `${TAKES}: its pods are replaced by ${ENABLE} --force-conflicts`],
  ])('%s', (hint, forced) => {
    expect(enabledByForce(hint, CONTESTED)).toBe(forced);
    // Once is enough.
    expect(enabledByForce(forced, CONTESTED)).toBe(forced);
  });

  it.each([
    'meshctl clustermesh enable --context b',
    `${ENABLE} --dry-run`,
    `${ENABLE} --via-helm`,
    'meshctl clustermesh connect --context a --destination-context b',
  ])('nothing is forced in: %s', (hint) => {
    expect(enabledByForce(hint, CONTESTED)).toBe(hint);
    expect(enabledBy(hint).filter((context) => context === 'a')).toEqual([]);
  });
});

describe('what it takes', () => {
  const service = (annotations: Record<string, string> = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'clustermesh-apiserver', namespace: 'kube-system', annotations },
  });
  const step = (before: KubeObject, ...managers: string[]): Step => ({
    cluster: 'a',
    action: 'update',
    object: { apiVersion: 'v1', kind: 'Service', namespace: 'kube-system', name: 'clustermesh-apiserver' },
    before,
    changes: [],
    why: '',
    takenFrom: managers.map((manager) => ({ path: 'spec.type', manager })),
  });

  it('is nothing where nobody else has set anything', () => {
    expect(takingOver([step(service())])).toBeUndefined();
  });

  it('is whose it is', () => {
    expect(takingOver([step(service(), 'bob', 'kubectl-edit')])).toBe(
      'take over spec.type of Service kube-system/clustermesh-apiserver from bob and spec.type of Service kube-system/clustermesh-apiserver from kubectl-edit',
    );
  });

  it("is a tool's until its next sync, so that its source comes first", () => {
    const release = service({ 'meta.helm.sh/release-name': 'cilium' });
    expect(takingOver([step(release, 'helm')])).toBe(
      'first set clustermesh.apiserver.service.type in the values of Helm release cilium, or take over spec.type of Service kube-system/clustermesh-apiserver from Helm release cilium',
    );
  });
});
