import { DEMO_NAMESPACE } from '../mesh/demo/record.ts';
import type { CommandSpec } from './command-spec.ts';
import { parseContexts, parseDuration, parseNamespace } from './options/option-values.ts';
import { CILIUM_NAMESPACE_APART, waitDuration, YES } from './options/shared-options.ts';

export const DEMO = {
  path: ['demo'],
  summary: 'Show a walkthrough on embedded clusters, or on two of your own',
  description:
    'Starts a sandbox with two clusters and runs the real commands against it: checks, enable, connect, status, a ' +
    'global service, its affinity, an outage of all local pods while requests continue, and their return. With ' +
    '--context it does the same on two clusters of yours: it reads them, shows what it will do, asks, and removes ' +
    'everything that it made at the end, also after a failure or Ctrl-C. What was enabled or connected before stays so. ' +
    'Clusters that would share global services of yours, were they connected, it does not connect: it stops before that.',
  examples: [
    { line: 'meshctl demo', what: 'on embedded clusters' },
    { line: 'meshctl demo --context gke,eks --dry-run', what: 'see what it would do in your clusters' },
    { line: 'meshctl demo --context gke,eks', what: 'on your clusters' },
  ],
  reachesClusters: true,
  options: [
    {
      flags: '--context <contexts>',
      description: 'kubeconfig contexts of your two clusters, comma-separated or repeated (default: a sandbox)',
      parse: parseContexts,
      complete: 'contexts',
      repeatable: 'lists',
      group: 'clusters',
    },
    {
      flags: '-n, --namespace <namespace>',
      description: 'namespace that the demo makes in your clusters, and removes',
      default: DEMO_NAMESPACE,
      parse: parseNamespace,
      complete: 'namespace',
      once: true,
    },
    CILIUM_NAMESPACE_APART,
    {
      flags: '--image <image>',
      description: 'image of the echo server and the client in your clusters, as for `connectivity test`',
    },
    {
      flags: '--keep',
      description: 'leave everything up at the end: the sandbox until Ctrl-C, your clusters until --clean-up',
      default: false,
    },
    {
      flags: '--clean-up',
      description: 'only remove what an earlier demo left in your clusters',
      default: false,
    },
    {
      flags: '--pace <duration>',
      description: 'pause after each scene (default: 2.5s on a terminal, else none)',
      parse: parseDuration,
    },
    { flags: '--no-pause', description: 'do not pause, also on a terminal' },
    waitDuration('for pods to be ready, and for your clusters to be connected', '3m'),
    YES,
    {
      flags: '--dry-run',
      description: 'check your clusters, print what the demo would do there, and change nothing',
      default: false,
      group: 'run',
    },
  ],
} as const satisfies CommandSpec;
