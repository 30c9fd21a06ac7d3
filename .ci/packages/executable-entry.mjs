import { getAsset } from 'node:sea';
import { programNameOf } from '../../src/cli/program-name.ts';
import { start } from '../../src/main.ts';

/** What an executable starts with: the package's files are inside. */
start({
  name: programNameOf(process.argv0),
  command: [process.execPath],
  read: async (path) => getAsset(path, 'utf8'),
});
