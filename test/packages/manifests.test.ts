import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readPage } from '../support/doc-blocks.ts';
import { krewFaults } from '../support/krew-rules.ts';
import { type EmptyFolder, emptyFolder } from '../support/packed.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';

/** Plain scripts: they have no types. */
const script = (name: string) => import(new URL(`.ci/packages/${name}.mjs`, PACKAGE_ROOT).href);
const TARGETS = ['linux-x64', 'linux-arm64', 'macos-x64', 'macos-arm64', 'windows-x64'];

let folder: EmptyFolder;
const archives: Record<string, string> = {};
const sumOf = (target: string) => createHash('sha256').update(`archive of ${target}`).digest('hex');

beforeAll(async () => {
  folder = await emptyFolder();
  for (const target of TARGETS) {
    archives[target] = join(folder.path, `meshctl-${target}.tar.gz`);
    await writeFile(archives[target], `archive of ${target}`);
  }
});
afterAll(() => folder.remove());

describe('the krew manifest', () => {
  it('is one by krew’s rules, and each platform has its archive with the sum', async () => {
    const { krewManifest } = await script('krew-manifest');
    const manifest = parse(krewManifest(archives));
    expect(krewFaults('clustermesh', manifest)).toEqual([]);
    const platforms = manifest.spec.platforms as { selector: unknown; uri: string; sha256: string; bin: string }[];
    expect(platforms.map(({ selector, uri, sha256, bin }) => [selector, uri.split('/').at(-1), sha256, bin])).toEqual(
      (
        [
          ['linux-x64', 'linux', 'amd64'],
          ['linux-arm64', 'linux', 'arm64'],
          ['macos-x64', 'darwin', 'amd64'],
          ['macos-arm64', 'darwin', 'arm64'],
          ['windows-x64', 'windows', 'amd64'],
        ] as const
      ).map(([target, os, arch]) => [
        { matchLabels: { os, arch } },
        `meshctl-${target}.tar.gz`,
        sumOf(target),
        os === 'windows' ? 'meshctl.exe' : 'meshctl',
      ]),
    );
  });

  it.each([
    [{ kind: 'Plug' }, 'kind'],
    [{ metadata: { name: 'mesh' } }, 'metadata.name'],
    [{ spec: { version: '0.1.0' } }, 'spec.version'],
    [{ spec: { shortDescription: 'a\nb' } }, 'spec.shortDescription'],
    [{ spec: { platforms: [] } }, 'spec.platforms'],
    [{ platform: { sha256: 'ABC' } }, 'spec.platforms[0].sha256'],
    [{ platform: { bin: '' } }, 'spec.platforms[0].bin'],
    [{ platform: { selector: { matchLabels: { os: 'linux', libc: 'musl' } } } }, 'spec.platforms[0].selector'],
    [{ platform: { selector: { matchLabels: { os: 'beos' } } } }, 'spec.platforms[0].selector'],
    [{ platform: { selector: { matchLabels: { os: 'linux' } } } }, 'spec.platforms[1].selector'],
  ])('would not be one with %j', async (changes: Record<string, object | string>, fault) => {
    const { krewManifest } = await script('krew-manifest');
    const manifest = parse(krewManifest(archives));
    const { spec = {}, platform = {}, ...rest } = changes;
    Object.assign(manifest.spec, spec);
    Object.assign(manifest.spec.platforms[0] ?? {}, platform);
    expect(krewFaults('clustermesh', { ...manifest, ...rest })).toEqual([fault]);
  });
});

it('the Homebrew formula has an archive and its sum for each system and processor', async () => {
  const { homebrewFormula } = await script('homebrew-formula');
  const formula: string = homebrewFormula(archives);
  const blocks = [...formula.matchAll(/on_(\w+) do\n\s+url "[^"]*\/([\w.-]+)"\n\s+sha256 "(\w+)"/g)];
  expect(blocks.map(([, cpu, file, sum]) => [cpu, file, sum])).toEqual(
    (['macos-arm64', 'macos-x64', 'linux-arm64', 'linux-x64'] as const).map((target) => [
      target.endsWith('arm64') ? 'arm' : 'intel',
      `meshctl-${target}.tar.gz`,
      sumOf(target),
    ]),
  );
  expect(formula.match(/\b(do|def .*|class .*)$/gm)).toHaveLength(formula.match(/^\s*end$/gm)?.length ?? 0);
});

describe('the release notes', () => {
  const CHANGELOG = '# Changelog\n\n## [Unreleased]\n\n- c\n\n## [0.2.0] - 2026-12-01\n\n- b\n\n## [0.1.0]\n\n- a\n';

  it.each([
    ['0.2.0', '- b\n'],
    ['0.1.0', '- a\n'],
    ['Unreleased', '- c\n'],
    ['0.3.0', undefined],
  ])('of %s are what the changelog says of it', async (version, changes) => {
    const { changesOf } = await script('release-notes');
    expect(changesOf(CHANGELOG, version)).toBe(changes);
  });
});

describe('docs/install.md', () => {
  const page = readPage('docs/install.md');

  it('names the files that a release has, by the version that is released next', async () => {
    const { RELEASE } = await script('release');
    const files = [
      ...Object.values(archives).map((archive) => basename(archive)),
      ...['amd64', 'arm64'].map((architecture) => `meshctl_${RELEASE.version}_${architecture}.deb`),
      ...['meshctl.rb', 'clustermesh.yaml', 'SHA256SUMS'],
    ];
    const named =
      page.match(/(?<=[/ ])(meshctl[-_][\w.-]+\.(gz|deb)|meshctl\.rb|clustermesh\.yaml|SHA256SUMS)\b/g) ?? [];
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => !files.includes(name))).toEqual([]);
    expect(page).toContain(`/releases/download/v${RELEASE.version}/`);
    expect(RELEASE.urlOf('')).toMatch(/^https:\/\/github\.com\/meshctl\/meshctl\/releases\/download\//);
  });

  it('names every platform that there is an executable for', () => {
    for (const target of TARGETS) expect(page).toContain(`\`${target}\``);
  });
});
