import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseVersion, versionOfAgents } from '../../src/mesh/cilium/versions/versions.ts';
import type { Direction } from '../../src/mesh/connect/direction.ts';
import { unknownVersionNotes } from '../../src/mesh/connect/unknown-version.ts';
import { snapshotOf } from '../support/snapshots.ts';

const VERSION = parseVersion('1.19.3');

describe('the version of agents', () => {
  it.each<[string, string, typeof VERSION, typeof VERSION]>([
    ['is that of their image', 'cilium:v1.19.3', undefined, VERSION],
    ['is what an agent tells where the image has a digest', 'cilium@sha256:0', VERSION, VERSION],
    ['or a tag of somebody', 'registry.example/cilium:prod-7', VERSION, VERSION],
    ['or the latest', 'cilium:latest', VERSION, VERSION],
    ['is not known where no agent tells it', 'cilium:latest', undefined, undefined],
  ])('%s', (_what, image, version, expected) => {
    expect(versionOfAgents({ image, version })).toEqual(expected);
  });

  it('is read by that function alone: an image without a version is no old one', async () => {
    const root = new URL('../../src/mesh', import.meta.url).pathname;
    const files = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.ts'));
    const texts = await Promise.all(
      files.map(async (name) => [name, await readFile(join(root, name), 'utf8')] as const),
    );
    const own = ['cilium/versions/versions.ts', 'cilium/install.ts'];
    const direct = texts.filter(([name, text]) => !own.includes(name) && /versionOfImage\([^)]*\bagents?\b/.test(text));
    expect(direct.map(([name]) => name)).toEqual([]);
  });
});

it('a plan says what it takes for granted of a version that nobody tells', () => {
  const direction = (image: string, place: 'file' | 'pods') =>
    ({
      client: { snapshot: snapshotOf({ context: 'one', agent: { image, desired: 1, ready: 1 } }) },
      server: { identity: { name: 'mesh-2', id: 2 } },
      endpoint: { addresses: [], alias: { ips: [], ports: [], in: place } },
    }) as unknown as Direction;
  expect(unknownVersionNotes([direction('cilium:latest', 'file')])).toEqual([
    expect.stringMatching(
      /^context "one": no version of Cilium is told by the image cilium:latest, .* for 1\.20 or newer/,
    ),
  ]);
  expect(unknownVersionNotes([direction('cilium:v1.20.0', 'file'), direction('cilium:latest', 'pods')])).toEqual([]);
});
