import { expect, it } from 'vitest';
import { requireSize } from '../../src/mesh/apiserver/mesh-size.ts';
import { apiserverDeployment, snapshotOf } from '../support/snapshots.ts';

/** What is said to who asks for another size of the mesh; the clustermesh-apiserver runs with 255, where there is one. */
const sized = (size: string, live = [apiserverDeployment()]) =>
  snapshotOf({
    live,
    ciliumConfig: { 'cluster-name': 'mesh-1', 'cluster-id': '1', 'max-connected-clusters': size },
  });

it.each([
  [
    'cilium-config was changed since',
    sized('511'),
    255,
    `kubectl --context one -n kube-system patch configmap cilium-config --type merge --patch '{"data":{"max-connected-clusters":"255"}}'`,
  ],
  ['the cluster was made so', sized('255'), 511, /cannot be changed on a running cluster\.$/],
  ['nothing tells that it was ever another', sized('511', []), 255, /cannot be changed on a running cluster\.$/],
])('another size than is asked for is refused: %s', (_what, snapshot, asked, hint) => {
  expect(() => requireSize(snapshot, asked)).toThrow(
    expect.objectContaining({
      code: 'ClusterIdentity',
      hint: typeof hint === 'string' ? hint : expect.stringMatching(hint),
    }),
  );
  const own = Number(snapshot.ciliumConfig?.['max-connected-clusters']);
  expect(() => requireSize(snapshot, own)).not.toThrow();
});
