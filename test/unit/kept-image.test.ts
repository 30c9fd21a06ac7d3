import { describe, expect, it } from 'vitest';
import { draftFrom } from '../../src/flows/enable/draft-enable.ts';
import { loadTemplates } from '../../src/manifests/load.ts';
import { imageOf } from '../../src/mesh/apiserver/deployment.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { CHECKOUT } from '../support/schemas.ts';
import { NOW, snapshotOf } from '../support/snapshots.ts';

const templates = await loadTemplates(CHECKOUT);
const DIGEST = `registry.example/clustermesh-apiserver@sha256:${'a'.repeat(64)}`;
const MIRROR = 'registry.example/clustermesh-apiserver:v1.20.0';
const derived = (version: string) => `quay.io/cilium/clustermesh-apiserver:v${version}`;

/** The Deployment as enable plans it beside agents of a version, and what it warns of. */
function enabled(version: string, live?: KubeObject, image?: string) {
  const agent = { image: `quay.io/cilium/cilium:v${version}`, desired: 1, ready: 1 };
  const { plan, warnings } = draftFrom(
    snapshotOf({ agent, live: live ? [live] : [] }),
    templates,
    { waitMs: 0, image },
    NOW,
  );
  const deployment = plan.steps.find(({ object }) => object.kind === 'Deployment')?.wanted;
  if (!deployment) throw new Error('no Deployment');
  return { deployment, image: imageOf(deployment), warnings: warnings.filter((says) => says.includes('image')) };
}

/** As it was made before its version was noted, or by hand. */
function unnoted(deployment: KubeObject): KubeObject {
  const { annotations: { 'meshctl.io/image-version': _version, ...annotations } = {} } = deployment.metadata;
  return { ...deployment, metadata: { ...deployment.metadata, annotations } };
}

describe('an image that was chosen', () => {
  const byDigest = enabled('1.20.0', undefined, DIGEST).deployment;
  const mirrored = enabled('1.20.0', undefined, MIRROR).deployment;

  it.each<[what: string, live: KubeObject, version: string, image: string]>([
    ['by its digest stays', byDigest, '1.20.0', DIGEST],
    ['by its digest goes with its version', byDigest, '1.20.1', derived('1.20.1')],
    ['by its digest, of which nothing tells the version, stays', unnoted(byDigest), '1.20.1', DIGEST],
    ['by name stays', mirrored, '1.20.0', MIRROR],
    ['by name goes with its version', mirrored, '1.20.1', derived('1.20.1')],
  ])('%s', (_what, live, version, image) => {
    expect(enabled(version, live).image).toBe(image);
  });

  it('is warned of where its digest does not go along, and stays on record where it does', () => {
    expect(enabled('1.20.1', byDigest).warnings).toEqual([
      expect.stringMatching(/another version of Cilium than 1\.20\.1, and is replaced by quay\.io.+--image/),
    ]);
    const again = enabled('1.20.0', byDigest);
    expect(again.warnings).toEqual([]);
    expect(enabled('1.20.1', again.deployment).image).toBe(derived('1.20.1'));
    expect(enabled('1.20.1', byDigest, DIGEST).warnings).toEqual([]);
  });
});
