import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { unsign } from 'macho-unsign';
import { signatureSet } from 'portable-executable-signature';
import postject from 'postject';
import { rolldown } from 'rolldown';
import { BUNDLE_OPTIONS } from '../bundle-options.mjs';

/** Node.js looks for it, to know that it has something inside (https://nodejs.org/api/single-executable-applications.html). */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
const RESOURCE = 'NODE_SEA_BLOB';

/**
 * Everything that the executables have inside, in one script; a command's part of it is evaluated when it is run.
 * @param {string} root of the checkout
 * @param {string} outfile
 */
export async function bundleForExecutable(root, outfile) {
  const bundle = await rolldown({
    plugins: [requireWhenNeeded],
    ...BUNDLE_OPTIONS,
    cwd: root,
    input: join(root, '.ci/packages/executable-entry.mjs'),
  });
  await bundle.write({
    file: outfile,
    format: 'cjs',
    codeSplitting: false,
    // What is in an executable cannot import, only require, and that only what is part of Node.js.
    dynamicImportInCjs: false,
    comments: false,
    minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
  });
  await bundle.close();
}

const OWN = '\0node:';

/** In one script, what is imported of Node.js would be loaded at its start, whatever part of the script needs it. */
const requireWhenNeeded = {
  name: 'require-when-needed',
  resolveId(source, importer) {
    if (!isBuiltin(source)) return null;
    return importer?.startsWith(OWN) ? { id: source, external: true } : `${OWN}${source}`;
  },
  load: (id) => (id.startsWith(OWN) ? `module.exports = require(${JSON.stringify(id.slice(OWN.length))});` : null),
};

/**
 * Makes one executable.
 * @param {object} parts
 * @param {string} parts.script of bundleForExecutable
 * @param {string} parts.root of the checkout: the files of the package are read from there
 * @param {string} parts.node the Node.js to be in it
 * @param {string} parts.here the same version of Node.js for this machine
 * @param {string} parts.output the executable
 */
export async function makeExecutable({ script, root, node, here, output }) {
  mkdirSync(dirname(output), { recursive: true });
  const config = `${output}.json`;
  const blob = `${output}.blob`;
  const settings = {
    main: script,
    output: blob,
    disableExperimentalSEAWarning: true,
    // Compiled ahead, for a quick start; which only the very program can do that will run it.
    useCodeCache: node === here,
    assets: assetsIn(root),
  };
  writeFileSync(config, JSON.stringify(settings));
  execFileSync(here, ['--experimental-sea-config', config], { stdio: 'pipe' });
  writeFileSync(output, unsigned(readFileSync(node)));
  await quietly(() =>
    postject.inject(output, RESOURCE, readFileSync(blob), { sentinelFuse: FUSE, machoSegmentName: 'NODE_SEA' }),
  );
  chmodSync(output, 0o755);
  if (isMachO(readFileSync(output))) sign(output);
  for (const file of [config, blob]) rmSync(file);
}

/** What `meshctl explain` prints (src/mesh/explain.ts). */
const EXPLANATIONS_PAGE = 'docs/troubleshoot.md';

/** Files of the package, by their paths in it. */
function assetsIn(root) {
  const templates = readdirSync(join(root, 'templates'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length).replaceAll('\\', '/').replace(/^\//, ''));
  return Object.fromEntries(
    ['package.json', EXPLANATIONS_PAGE, ...templates.sort()].map((path) => [path, join(root, path)]),
  );
}

/** A program without the signature that no longer fits it. */
function unsigned(program) {
  if (program.subarray(0, 2).toString() === 'MZ') return Buffer.from(signatureSet(program, null));
  return isMachO(program) ? Buffer.from(unsign(program) ?? program) : program;
}

/** Whether a program is one of macOS, by its magic number for 64 bits. */
function isMachO(program) {
  return program.readUInt32LE(0) === 0xfeedfacf;
}

/** Ad hoc, by nobody: without any signature macOS does not run a program on Apple's processors. Only macOS can sign. */
function sign(program) {
  if (process.platform === 'darwin') execFileSync('codesign', ['--sign', '-', program]);
  else console.warn(`  not signed: to run it on macOS, type there: codesign --sign - ${basename(program)}`);
}

/** postject tells of every section without a name. */
async function quietly(work) {
  const { warn } = console;
  console.warn = () => undefined;
  try {
    return await work();
  } finally {
    console.warn = warn;
  }
}
