import type { CommandSpec } from './command-spec.ts';
import { requireName } from './options/option-values.ts';
import { CLUSTERS, parallel, RESULT_FORMAT } from './options/shared-options.ts';

export const EXPORT = {
  path: ['export'],
  summary: 'Print a mesh as a file',
  description:
    'The mesh file for apply and diff, of a mesh that meshctl, cilium-cli or Helm made: clusters, who dials whom, ' +
    'global services, and options that differ from the defaults. What a file cannot express becomes a comment. It ' +
    'contains no keys.',
  examples: [
    { line: 'meshctl export --context gke,eks > mesh.yaml', what: 'two clusters' },
    { line: 'meshctl export --all | meshctl diff -f -', what: 'shows no difference' },
  ],
  reachesClusters: true,
  options: [
    ...CLUSTERS,
    {
      flags: '--name <name>',
      description: 'what the mesh is called in the file',
      default: 'mesh',
      parse: (text: string) => requireName(text, 'a mesh'),
    },
    parallel('clusters read at a time', 16),
    {
      ...RESULT_FORMAT,
      description: 'format; yaml, the default, has comments',
      choices: ['yaml', 'json'],
      default: 'yaml',
    },
  ],
} as const satisfies CommandSpec;
