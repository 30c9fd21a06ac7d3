import type { CommandSpec } from './command-spec.ts';
import { FILE_OPTIONS } from './file/file-options.ts';
import { RESULT_FORMAT } from './options/shared-options.ts';

export const DIFF = {
  path: ['diff'],
  summary: 'Show where a mesh differs from its file',
  description:
    'Reads the clusters of mesh files and changes nothing: shows the objects that apply would write, connections and ' +
    'services that are missing, and peers and global services that no file has. Exits 0 where nothing differs, 1 where ' +
    'something does, more for a failure (3 when a cluster cannot be queried), as kubectl diff.',
  examples: [
    { line: 'meshctl diff -f mesh.yaml', what: 'what has drifted' },
    { line: 'meshctl diff -f clusters/ -o junit > drift.xml', what: 'a folder of mesh files, for a pipeline' },
  ],
  reachesClusters: true,
  failureStatus: 2,
  options: [...FILE_OPTIONS, { ...RESULT_FORMAT, choices: ['text', 'json', 'yaml', 'junit'] }],
} as const satisfies CommandSpec;
