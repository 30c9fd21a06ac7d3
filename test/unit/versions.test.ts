import { describe, expect, it } from 'vitest';
import {
  apiserverImageFor,
  checkSupported,
  compareVersions,
  formatVersion,
  parseImage,
  parseVersion,
  versionOfImage,
} from '../../src/mesh/cilium/versions/versions.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;

function version(text: string) {
  const parsed = parseVersion(text);
  if (!parsed) throw new Error(`${text} is no version`);
  return parsed;
}

describe('parseVersion', () => {
  it.each([
    ['1.20.0', '1.20.0', ''],
    ['v1.20.0', '1.20.0', ''],
    ['v1.21.0-pre.0', '1.21.0-pre.0', 'pre.0'],
    ['v1.18.2-cee.1', '1.18.2-cee.1', 'cee.1'],
  ])('reads %s', (text, formatted, suffix) => {
    expect(formatVersion(version(text))).toBe(formatted);
    expect(version(text).suffix).toBe(suffix);
  });

  it.each(['', 'latest', 'v1.20', '1.20.0.1', 'v1.x.0', '5f0c9d1b2a', '1.20.0-', '1.20.0 ', '-1.20.0'])(
    'takes %j for none',
    (text) => {
      expect(parseVersion(text)).toBeUndefined();
    },
  );
});

describe('compareVersions', () => {
  it('orders releases, and pre-releases before them', () => {
    const ordered = [
      '1.16.0',
      '1.16.19',
      '1.18.5',
      '1.18.10',
      '1.19.0-pre.2',
      '1.19.0-pre.10',
      '1.19.0-rc.0',
      '1.19.0',
      '1.20.0-pre.0',
      '2.0.0',
    ];
    for (const [index, text] of ordered.entries()) {
      for (const [other, otherText] of ordered.entries()) {
        expect(Math.sign(compareVersions(version(text), version(otherText)))).toBe(Math.sign(index - other));
      }
    }
  });

  it("takes a vendor's build for the release it is of", () => {
    expect(compareVersions(version('1.18.5-cee.1'), version('1.18.5'))).toBe(0);
    expect(compareVersions(version('1.18.5-cee.1'), version('1.18.5-rc.1'))).toBeGreaterThan(0);
  });
});

describe('images', () => {
  it.each([
    ['quay.io/cilium/cilium:v1.20.0', '1.20.0', 'quay.io/cilium/clustermesh-apiserver:v1.20.0'],
    [`quay.io/cilium/cilium:v1.20.0@${DIGEST}`, '1.20.0', 'quay.io/cilium/clustermesh-apiserver:v1.20.0'],
    ['registry.example:5000/cilium:v1.19.6', '1.19.6', 'registry.example:5000/clustermesh-apiserver:v1.19.6'],
    ['cilium:v1.19.6', '1.19.6', 'clustermesh-apiserver:v1.19.6'],
    [
      'mirror.example/a/b/cilium:v1.18.2-cee.1',
      '1.18.2-cee.1',
      'mirror.example/a/b/clustermesh-apiserver:v1.18.2-cee.1',
    ],
    ['quay.io/cilium/cilium-ci:latest', undefined, 'quay.io/cilium/clustermesh-apiserver-ci:latest'],
    [
      'quay.io/cilium/cilium-dev:v1.21.0-pre.0',
      '1.21.0-pre.0',
      'quay.io/cilium/clustermesh-apiserver-dev:v1.21.0-pre.0',
    ],
    ['rancher/mirrored-cilium-cilium:v1.18.3', '1.18.3', 'rancher/mirrored-cilium-clustermesh-apiserver:v1.18.3'],
    ['registry.example/cilium-cilium:v1.18.3', '1.18.3', 'registry.example/cilium-clustermesh-apiserver:v1.18.3'],
    [`quay.io/cilium/cilium@${DIGEST}`, undefined, undefined],
    ['quay.io/cilium/cilium', undefined, undefined],
    ['registry.example:5000/cilium', undefined, undefined],
    ['registry.example/network/agent:v1.20.0', '1.20.0', undefined],
    ['registry.example/network/ciliumfork:v1.20.0', '1.20.0', undefined],
  ])('%s', (image, expected, apiserver) => {
    const found = versionOfImage(image);
    expect(found && formatVersion(found)).toBe(expected);
    expect(apiserverImageFor(image)).toBe(apiserver);
  });

  it('takes a reference apart', () => {
    expect(parseImage(`registry.example:5000/cilium:v1@${DIGEST}`)).toEqual({
      repository: 'registry.example:5000/cilium',
      tag: 'v1',
      digest: DIGEST,
    });
  });
});

describe('checkSupported', () => {
  it.each(['1.16.0', '1.16.19', '1.20.0-rc.1', '1.21.0-pre.0', '1.21.7'])('knows %s', (text) => {
    expect(checkSupported(version(text))).toEqual({ untested: false });
  });

  it.each(['1.22.0', '1.22.0-pre.0', '2.0.0'])('lets %s pass as untested', (text) => {
    expect(checkSupported(version(text))).toEqual({ untested: true });
  });

  it.each(['1.15.9', '1.16.0-rc.2', '0.9.0'])('refuses %s with the range', (text) => {
    expect(() => checkSupported(version(text), 'context "c": ')).toThrow(
      expect.objectContaining({
        code: 'CiliumUnsupported',
        message: `context "c": Cilium ${text} is older than meshctl supports (1.16 to 1.21)`,
        hint: 'Upgrade Cilium to 1.16 or later.',
      }),
    );
  });
});
