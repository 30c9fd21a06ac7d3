#!/usr/bin/env node
// The only file that must parse on any Node: it checks the version before the bundle, which uses newer syntax, is loaded.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`meshctl needs Node.js 20.19 or newer; this is ${process.version}. See https://nodejs.org\n`);
  process.exit(2);
}
// Node 22.8 and newer keep what they have compiled, as npm does.
require('node:module').enableCompileCache?.();
const { installedPackage, start } = require('../dist/main.cjs');
start(installedPackage(require('node:path').resolve(__dirname, '..'), process.argv[1]));
