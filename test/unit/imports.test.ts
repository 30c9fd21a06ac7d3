import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));

/** Which floors each floor may import from, as ARCHITECTURE.md has it; every floor may import from itself. */
const ARROWS: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  [...readFileSync(join(SRC, '../ARCHITECTURE.md'), 'utf8').matchAll(/^\| `([a-z.]+)` \| [^|]+ \| ([^|]+) \|$/gm)].map(
    ([, floor = '', others = '']) => [floor, others.trim() === '–' ? [] : others.trim().split(', ')],
  ),
);
/** What mesh may import: they compute, and do no I/O. */
const PURE_LIBRARIES = ['ipaddr.js', 'yaml'];
/** The commands that are about the sandbox may import it. */
const SANDBOX_COMMANDS = ['sandbox/up', 'sandbox/break', 'sandbox/mend', 'sandbox/running-sandbox', 'demo'].map(
  (name) => `commands/${name}.ts`,
);
/** Loading these takes long: `--help` must not reach them except through a lazy import. */
const HEAVY = ['@kubernetes/client-node', 'node-forge', 'ora', 'execa', 'yaml', 'ws'];

interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
  lazy: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const imports = files.flatMap((file) => importsOf(file, readFileSync(join(SRC, file), 'utf8')));
const importsFrom = new Map(files.map((file) => [file, imports.filter(({ from, lazy }) => from === file && !lazy)]));

function importsOf(from: string, text: string): Import[] {
  const found: Import[] = [];
  for (const [, type, specifier] of text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^;]*?\sfrom\s+)?'([^']+)'/gm)) {
    if (specifier) found.push({ from, to: target(from, specifier), typeOnly: type !== undefined, lazy: false });
  }
  for (const [, specifier] of text.matchAll(/\bimport\('([^']+)'\)/g)) {
    if (specifier) found.push({ from, to: target(from, specifier), typeOnly: false, lazy: true });
  }
  return found;
}

function target(from: string, specifier: string): string {
  return specifier.startsWith('.') ? relative(SRC, resolve(SRC, dirname(from), specifier)) : specifier;
}

function roomOf(path: string): string | undefined {
  const room = path.split('/')[0];
  return room !== undefined && room in ARROWS ? room : undefined;
}

/** Every file that one imports, or that those import, when it is loaded or for its types. */
function reachedFrom(start: string): Set<string> {
  const reached = new Set<string>();
  const queue = [start];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    for (const { to } of importsFrom.get(file) ?? []) {
      if (reached.has(to)) continue;
      reached.add(to);
      queue.push(to);
    }
  }
  return reached;
}

describe('imports', () => {
  it('are found at all', () => {
    expect(files.length).toBeGreaterThan(40);
    expect(imports.length).toBeGreaterThan(100);
    expect(Object.keys(ARROWS)).toHaveLength(12);
  });

  it('go only along the arrows of the design', () => {
    const forbidden = imports.filter(({ from, to }) => {
      const [source, destination] = [roomOf(from), roomOf(to)];
      if (!source || !destination || source === destination) return false;
      if (destination === 'sandbox') return !SANDBOX_COMMANDS.includes(from);
      return !ARROWS[source]?.includes(destination);
    });
    expect(forbidden).toEqual([]);
  });

  it('keep every file in a room', () => {
    expect(files.filter((file) => roomOf(file) === undefined)).toEqual([]);
  });

  it('keep mesh pure: libraries that compute, and none that reads or writes', () => {
    const outside = imports.filter(
      ({ from, to }) => roomOf(from) === 'mesh' && roomOf(to) !== 'mesh' && !PURE_LIBRARIES.includes(to),
    );
    expect(outside).toEqual([]);
  });

  it('never lead back to the file that they start from', () => {
    const circles = files.filter((file) => reachedFrom(file).has(file));
    expect(circles).toEqual([]);
  });

  it('are told apart by their names: no two files export the same one', () => {
    // The sandbox judges meshctl by words of its own, and every command is run.
    const exported = files
      .filter((file) => !file.startsWith('sandbox/'))
      .flatMap((file) =>
        [
          ...readFileSync(join(SRC, file), 'utf8').matchAll(
            /^export (?:async )?(?:function\*?|const|interface|type|class) (\w+)/gm,
          ),
        ].map(([, name = '']) => ({ name, file })),
      )
      .filter(({ name }) => name !== 'run');
    const twice = exported.filter(({ name, file }) =>
      exported.some((other) => other.name === name && other.file !== file),
    );
    expect(twice).toEqual([]);
  });

  it('load nothing heavy for --help', () => {
    const reached = new Set<string>();
    const queue = ['main.ts'];
    for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
      if (reached.has(file)) continue;
      reached.add(file);
      queue.push(
        ...imports.filter(({ from, typeOnly, lazy }) => from === file && !typeOnly && !lazy).map(({ to }) => to),
      );
    }
    expect(reached).toContain('commands/registry.ts');
    const heavy = [...reached].filter((file) => HEAVY.some((name) => file === name || file.startsWith(`${name}/`)));
    expect(heavy).toEqual([]);
  });
});
