import { describe, expect, it } from 'vitest';
import { CONNECTIVITY_IMAGE } from '../../src/manifests/connectivity.ts';
import { pullTrouble } from '../../src/sandbox/fixtures/images.ts';

describe('what the nodes of the sandbox can pull', () => {
  it.each([
    CONNECTIVITY_IMAGE,
    'quay.io/cilium/cilium:v1.20.0',
    `quay.io/cilium/cilium:v1.16.5@sha256:${'0'.repeat(64)}`,
    'quay.io/cilium/clustermesh-apiserver:v1.21.0-pre.0',
    'quay.io/cilium/operator-generic:v1.18.3',
    'nginx',
    'nginx:1.27-alpine',
    'docker.io/library/nginx:latest',
    'curlimages/curl:8.9.1',
    'rebel-base',
    'x-wing',
    'quay.io/cilium/json-mock:v1.3.8',
  ])('%s', (image) => {
    expect(pullTrouble(image, '1.20.0')).toBeUndefined();
  });

  it("the cluster's own version, whatever it is", () => {
    expect(pullTrouble('quay.io/cilium/clustermesh-apiserver:v1.30.1', '1.30.1')).toBeUndefined();
    expect(pullTrouble('quay.io/cilium/clustermesh-apiserver:v1.30.2', '1.30.1')).toBeDefined();
  });

  it.each([
    'quay.io/cilium/clustermesh-apiserver:v1.20.0-does-not-exist',
    'quay.io/cilium/clustermesh-apiserver:v1.99.0',
    'quay.io/cilium/clustermesh-apiserver:v1.20.99',
    'quay.io/cilium/clustermesh-apiserver:1.20.0',
    'quay.io/cilium/clustermesh-apiserver',
    'quay.io/cilium/clustermesh-apisever:v1.20.0',
    'registry.example/clustermesh-apiserver:v1.20.0',
    'registry.k8s.io/e2e-test-images/agnhost:9.99',
    'agnhost',
    'nope/nope:1',
    'nginx:does-not-exist',
  ])('not %s', (image) => {
    expect(pullTrouble(image, '1.20.0')).toEqual({
      reason: 'ImagePullBackOff',
      message: expect.stringMatching(/ErrImagePull: failed to pull .*: not found$/),
    });
  });

  it.each(['UPPER/Case:1', 'a b', 'nginx:', 'quay.io/cilium/cilium@sha256:1'])('"%s" is no reference', (image) => {
    expect(pullTrouble(image, '1.20.0')?.reason).toBe('InvalidImageName');
  });
});
