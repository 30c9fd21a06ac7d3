import { describe, expect, it } from 'vitest';
import { certificateSpecs, type SecretCertificate } from '../../src/mesh/certificates/cluster-certificates.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import { helmUpgradeNotes, isTakenByHelm } from '../../src/mesh/rotation/helm-upgrades.ts';
import { describeUnfinished } from '../../src/mesh/rotation/unfinished-rotation.ts';
import { snapshotOf, tlsFacts } from '../support/snapshots.ts';

const NAME = 'clustermesh-apiserver-server-cert';
const [{ spec: SPEC }] = certificateSpecs({
  clusterName: 'mesh-1',
  namespace: 'kube-system',
  serviceAddresses: ['10.0.0.1'],
  kvstoremesh: true,
}) as [SecretCertificate];
const HELM = { 'meta.helm.sh/release-name': 'cilium' };

/** A cluster whose server certificate was filled by these. */
function cluster(annotations: Record<string, string>, ...managers: string[]) {
  const secret: KubeObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: NAME,
      namespace: 'kube-system',
      annotations,
      managedFields: managers.map((manager) => ({
        manager,
        operation: 'Update',
        fieldsV1: { 'f:data': { 'f:ca.crt': {} } },
      })),
    },
  };
  const tlsSecrets = new Map([[NAME, tlsFacts('ca-one', SPEC)]]);
  return snapshotOf({ objects: new Map([[keyOf(refOf(secret)), secret]]), tlsSecrets });
}

describe('an upgrade by Helm in the middle of a rotation', () => {
  it.each<[string, boolean, ReturnType<typeof cluster>]>([
    ['has taken what meshctl wrote', true, cluster(HELM, 'helm')],
    ['has not come yet', false, cluster(HELM, 'helm', 'meshctl')],
    ['is of no one', false, cluster({}, 'kubectl')],
  ])('%s', (_what, is, snapshot) => {
    expect(isTakenByHelm(snapshot)).toBe(is);
  });

  it('is warned of where Helm issues certificates', () => {
    const goOn = (contexts: readonly string[]) => `LINE ${contexts.join()}`;
    const snapshot = cluster(HELM, 'helm');
    expect(helmUpgradeNotes([snapshot], goOn)).toEqual([
      expect.stringMatching(
        new RegExp(`Helm release cilium issues Secret .+ continue with → LINE ${snapshot.context}$`),
      ),
    ]);
    expect(helmUpgradeNotes([cluster({}, 'meshctl')], goOn)).toEqual([]);
  });

  it('is told of one by Flux, which upgrades by itself, with what suspends it', () => {
    const labels = { 'helm.toolkit.fluxcd.io/name': 'cilium', 'helm.toolkit.fluxcd.io/namespace': 'flux-system' };
    const snapshot = cluster(HELM, 'helm-controller');
    for (const { metadata } of snapshot.objects.values()) metadata.labels = labels;
    expect(isTakenByHelm(snapshot)).toBe(true);
    const [note] = helmUpgradeNotes([snapshot], () => 'LINE');
    expect(note).toMatch(
      /: Flux HelmRelease flux-system\/cilium issues Secret .+ after an upgrade, continue with → LINE$/,
    );
    expect(note).toContain(
      'suspend it (`flux suspend helmrelease cilium -n flux-system`, and `flux resume helmrelease cilium -n flux-system` afterwards) until the rotation has ended',
    );
  });

  it('is told of one by Terraform, which upgrades what its helm_release has, as one by whoever applies that', () => {
    const [note] = helmUpgradeNotes([cluster(HELM, 'terraform-provider-helm', 'helm')], () => 'LINE');
    expect(note).toMatch(
      /: Terraform helm_release cilium issues Secret .+: run no terraform apply that upgrades it until .+ after an upgrade, continue with → LINE$/,
    );
  });

  it('is not passed over by the words for where the rotation is', () => {
    const rotation = { stage: 'trusting', phase: 'trust', isProven: true } as const;
    expect(describeUnfinished({ ...rotation, trustsBoth: true })).toMatch(/successor are both trusted$/);
    expect(describeUnfinished({ ...rotation, trustsBoth: false })).toMatch(
      /successor are not both trusted everywhere$/,
    );
  });
});
