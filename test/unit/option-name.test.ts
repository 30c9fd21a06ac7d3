import { expect, it } from 'vitest';
import { planAuthority } from '../../src/mesh/certificates/plan-authority.ts';
import { readCiliumInstall } from '../../src/mesh/cilium/install.ts';
import { parseVersion } from '../../src/mesh/cilium/versions/versions.ts';
import { chooseCredential } from '../../src/mesh/connect/credentials.ts';
import { digestGivenUp } from '../../src/mesh/enable/kept-image.ts';
import { applySettings } from '../../src/mesh/enable/object-settings.ts';
import type { OptionPlace } from '../../src/mesh/enable/option-name.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { caFacts, certificateFacts, NOW, secretObject, snapshotOf, tlsFacts } from '../support/snapshots.ts';

/** What one of an error says, with its hint. */
function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof MeshctlError) return `${error.message}\n${error.hint}`;
    throw error;
  }
  throw new Error('nothing was refused');
}

const agentOf = (image: string) => snapshotOf({ agent: { image, desired: 1, ready: 1 } });
const version = parseVersion('1.20.0');
const digestOnly: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'clustermesh-apiserver',
    namespace: 'kube-system',
    annotations: { 'meshctl.io/image-version': '1.19.0' },
  },
  spec: { template: { spec: { containers: [{ name: 'apiserver', image: `mine@sha256:${'a'.repeat(64)}` }] } } },
};
const clusterOf = (id: number) => ({
  snapshot: snapshotOf({
    context: `context-${id}`,
    ca: caFacts(`ca-${id}`),
    tlsSecrets: new Map([['clustermesh-apiserver-remote-cert', tlsFacts(`ca-${id}`, { usages: ['client'] })]]),
  }),
  identity: { name: `mesh-${id}`, id, maxConnectedClusters: 255 },
});
const given = {
  key: 'given:other',
  origin: 'context "other"',
  certificate: certificateFacts({ publicKeySha256: 'other', isCa: true }),
};

/** What is said of what an operator chose, by what of it. */
const SAID: Readonly<Record<string, (place: OptionPlace) => string>> = {
  'another version of Cilium': (place) =>
    refusal(() => readCiliumInstall(agentOf('quay.io/cilium/cilium:v1.19.0'), { ...place, version })),
  'no version of Cilium': (place) => refusal(() => readCiliumInstall(agentOf('cilium@sha256:0'), place)),
  'no image': (place) => refusal(() => readCiliumInstall(agentOf('mine/agent@sha256:0'), { ...place, version })),
  'another image': (place) =>
    String(version && digestGivenUp(snapshotOf({ live: [digestOnly] }), version, 'other:v1.20.0', place)),
  'a common certificate': (place) =>
    chooseCredential(clusterOf(1), clusterOf(2), 'legacy', NOW, place).warnings.join('\n'),
  'no shared CA': (place) => refusal(() => chooseCredential(clusterOf(1), clusterOf(2), 'shared-ca', NOW, place)),
  'another CA': (place) =>
    refusal(() => planAuthority(snapshotOf({ live: [secretObject('cilium-ca', {})] }), { ...place, given })),
  'no such object': (place) =>
    refusal(() => applySettings([], { ...place, settings: [{ kind: 'Deployment', path: 'spec.x', value: 1 }] })),
};

it.each(Object.keys(SAID))('names what was chosen by its flag, or by its field of a mesh file: %s', (what) => {
  const [byFlag = '', inFile = ''] = [{}, { inFile: true }].map((place) => SAID[what]?.(place));
  expect(byFlag).toMatch(/--[a-z]/);
  expect(inFile).not.toMatch(/--[a-z]/);
  expect(inFile).toMatch(/(of|in) the file|^set /im);
});
