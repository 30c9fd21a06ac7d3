import { describe, expect, it } from 'vitest';
import { ciliumSettingsOf, DEFAULT_SETTINGS, readCiliumInstall } from '../../src/mesh/cilium/install.ts';
import { parseVersion } from '../../src/mesh/cilium/versions.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';

function snapshot(image: string | undefined, ciliumConfig: Record<string, string> | undefined = {}): ClusterSnapshot {
  return {
    context: 'prod',
    server: 'https://127.0.0.1:6443',
    namespace: 'kube-system',
    ciliumConfig,
    agent: image === undefined ? undefined : { image, desired: 2, ready: 2 },
    nodes: [],
    apiGroups: [],
    objects: new Map(),
    tlsSecrets: new Map(),
    peerCertificates: new Map(),
  } as ClusterSnapshot;
}

describe('settingsOf', () => {
  it("has the chart's defaults for absent keys", () => {
    expect(ciliumSettingsOf({})).toEqual(DEFAULT_SETTINGS);
  });

  it('reads cilium-config', () => {
    expect(
      ciliumSettingsOf({
        debug: 'true',
        'clustermesh-enable-mcs-api': 'true',
        'enable-cilium-endpoint-slice': 'true',
        'clustermesh-default-global-namespace': 'false',
        'clustermesh-cache-ttl': '5m0s',
      }),
    ).toEqual({ debug: true, mcsApi: true, endpointSlices: true, defaultGlobalNamespace: false, cacheTtl: '5m0s' });
  });
});

describe('readCiliumInstall', () => {
  it('tells version and image', () => {
    expect(readCiliumInstall(snapshot('quay.io/cilium/cilium:v1.20.0@sha256:00'))).toEqual({
      version: parseVersion('1.20.0'),
      untested: false,
      apiserverImage: 'quay.io/cilium/clustermesh-apiserver:v1.20.0',
      settings: DEFAULT_SETTINGS,
    });
  });

  it('lets the operator say what the image does not', () => {
    const overrides = { version: parseVersion('1.22.1'), apiserverImage: 'registry.example/mesh:1' };
    expect(readCiliumInstall(snapshot('registry.example/agent@sha256:00'), overrides)).toMatchObject({
      untested: true,
      apiserverImage: 'registry.example/mesh:1',
    });
  });

  it.each([
    ['the operator says', { version: parseVersion('1.20.0') }, undefined],
    ['an agent tells', {}, parseVersion('1.20.0')],
    ['the operator says, rather than an agent,', { version: parseVersion('1.20.0') }, parseVersion('1.21.0-dev')],
  ])('finds the image beside one without a tag, where %s the version', (_who, overrides, version) => {
    const given = snapshot('mirror.example/cilium/cilium@sha256:00');
    const told = { ...given, agent: given.agent && { ...given.agent, version } };
    const { apiserverImage } = readCiliumInstall(told, overrides);
    expect(apiserverImage).toBe('mirror.example/cilium/clustermesh-apiserver:v1.20.0');
  });

  it.each([
    [snapshot(undefined), 'CiliumMissing', /^context "prod": no Cilium in namespace kube-system /],
    [
      snapshot('quay.io/cilium/cilium:latest'),
      'CiliumUnsupported',
      /version cannot be determined from the agents' image quay.io\/cilium\/cilium:latest, and no agent told it \(supported: Cilium 1.16 to 1.21\)/,
    ],
    [
      snapshot('registry.example/agent:v1.20.0'),
      'CiliumUnsupported',
      /clustermesh-apiserver image cannot be determined/,
    ],
    [snapshot('quay.io/cilium/cilium:v1.15.2'), 'CiliumUnsupported', /^context "prod": Cilium 1.15.2 is older/],
  ])('refuses what it cannot deploy for (%#)', (given, code, message) => {
    expect(() => readCiliumInstall(given)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message), hint: expect.any(String) }),
    );
  });
});
