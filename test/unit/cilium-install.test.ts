import { describe, expect, it } from 'vitest';
import { ciliumSettingsOf, DEFAULT_SETTINGS, readCiliumInstall } from '../../src/mesh/cilium/install.ts';
import { withRunning } from '../../src/mesh/cilium/versions/running-versions.ts';
import { formatVersion, parseVersion } from '../../src/mesh/cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { agentsBehind } from '../../src/mesh/enable/agents-behind.ts';
import { keyOf } from '../../src/mesh/objects/kube-object.ts';
import { apiserverDeploymentRef } from '../../src/mesh/objects/names.ts';

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

  // A node that died in an upgrade is enough: its pod's phase stays Running.
  it.each<[string, string, string | undefined, string[], string]>([
    ['it is new', '1.20.0', undefined, ['1.20.0', '1.19.4'], '1.19.4'],
    ['it has that of the oldest', '1.20.0', '1.19.4', ['1.20.0', '1.19.4'], '1.19.4'],
    ['it has that of the newer ones', '1.20.0', '1.20.0', ['1.20.0', '1.20.0', '1.19.4'], '1.20.0'],
    ['it has a patch of their minor', '1.20.1', '1.20.0', ['1.20.1', '1.19.4'], '1.20.1'],
    ['no agent has come to it', '1.20.0', '1.20.0', ['1.19.4', '1.19.4'], '1.19.4'],
    [
      'agents have come to it, but not to what the DaemonSet has now',
      '1.20.1',
      '1.20.0',
      ['1.20.0', '1.19.4'],
      '1.20.0',
    ],
    ['the DaemonSet was put back', '1.19.4', '1.20.0', ['1.20.0', '1.19.4'], '1.19.4'],
    ['it is older than all agents', '1.16.5', '1.16.5', ['1.18.2', '1.18.2'], '1.18.2'],
    ['an agent is of a digest', '1.20.0', '1.20.0', ['1.20.0', '@1.19.4'], '1.20.0'],
  ])('goes with agents of two versions, where %s', (_, template, live, versions, expected) => {
    const imageIn = (program: string, version: string) =>
      version.startsWith('@') ? `quay.io/cilium/${program}@sha256:00` : `quay.io/cilium/${program}:v${version}`;
    const running = versions.map((version) => ({
      ...{ image: imageIn('cilium', version), version: version.replace('@', '') },
      pods: 1,
    }));
    const agent = withRunning({ image: imageIn('cilium', template), desired: 3, ready: 3 }, { running, waiting: [] });
    const ref = apiserverDeploymentRef('kube-system');
    const containers = [{ name: 'apiserver', image: imageIn('clustermesh-apiserver', live ?? '') }];
    const deployment = {
      ...{ apiVersion: ref.apiVersion, kind: ref.kind, metadata: { name: ref.name, namespace: 'kube-system' } },
      spec: { template: { spec: { containers } } },
    };
    const objects = new Map(live === undefined ? [] : [[keyOf(ref), deployment]]);
    const given = { ...snapshot(''), agent, objects };
    const { version, apiserverImage } = readCiliumInstall(given);
    expect(formatVersion(version)).toBe(expected);
    expect(apiserverImage).toBe(imageIn('clustermesh-apiserver', expected));
    const isKept = versions.some((one) => one !== expected) && live !== undefined && expected > '1.19.4';
    if (isKept) expect(agentsBehind(given, version)).toContain(`stays with ${expected}, which newer agents run`);
    else expect(agentsBehind(given, version)).toContain(`gets ${expected}, that of the oldest`);
  });
});
