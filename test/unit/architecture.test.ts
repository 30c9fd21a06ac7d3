import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
const quoted = [...text.replace(/```[\s\S]*?```/g, '').matchAll(/`([^`\n]+)`/g)].flatMap(([, word]) => word ?? []);

/** Folders of src that have files, but for the floors themselves. */
const rooms = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map(({ parentPath }) => parentPath.slice(join(ROOT, 'src').length + 1))
  .filter((folder) => folder.includes('/'));

describe('ARCHITECTURE.md', () => {
  it('names every room', () => {
    // Rooms of one line are named as `a/b` with `c`, `d`.
    const named = (room: string) =>
      quoted.includes(room) ||
      (quoted.includes(room.split('/').slice(0, -1).join('/')) && quoted.includes(room.split('/').at(-1) ?? ''));
    expect([...new Set(rooms)].filter((room) => !named(room))).toEqual([]);
  });

  it('names no folder and no file that is missing', () => {
    const folders = [
      '',
      'src',
      'src/kube',
      'src/etcd',
      'src/snapshot',
      ...new Set(rooms.map((room) => join('src', room))),
    ];
    const paths = quoted.filter((word) => /^[a-z][a-z0-9/.-]*(\.ts|\/[a-z.-]+)$/.test(word) && !word.includes('NAME'));
    expect(paths.length).toBeGreaterThan(50);
    const missing = paths.filter((path) => !folders.some((folder) => existsSync(join(ROOT, folder, path))));
    expect(missing).toEqual([]);
  });

  it('names files in the rooms that have them', () => {
    const rows = [...text.matchAll(/^\| (.*) \| (.*) \|$/gm)].map(([, where = '', what = '']) => ({
      folders: [...where.matchAll(/`([a-z/]+)`/g)].flatMap(([, name = '']) => [name, join('sandbox/apiserver', name)]),
      files: [...what.matchAll(/`([a-z-]+\.ts)`/g)].flatMap(([, file]) => file ?? []),
    }));
    const astray = rows.flatMap(({ folders, files }) =>
      files.filter((file) => !folders.some((folder) => existsSync(join(ROOT, 'src', folder, file)))),
    );
    expect(rows.flatMap(({ files }) => files).length).toBeGreaterThan(20);
    expect(astray).toEqual([]);
  });
});
