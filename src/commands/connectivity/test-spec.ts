import type { CommandSpec } from '../command-spec.ts';
import { parseDuration, parseNamespace } from '../options/option-values.ts';
import { CILIUM_NAMESPACE_APART, CLUSTERS, waitDuration } from '../options/shared-options.ts';

export const CONNECTIVITY_TEST = {
  path: ['connectivity', 'test'],
  summary: 'Prove with real requests that clusters serve each other',
  description:
    'Deploys an echo server and a client in each cluster and asks: names, pod to pod by address, a global service from ' +
    'each side, its spread and affinities, failover when the local backends are scaled to zero and their return, and a ' +
    'network policy that allows one cluster only. Removes everything at the end, also after Ctrl-C. Concurrent tests each ' +
    'need a namespace of their own; a second one in the same is refused. Exits 0 only when nothing failed, and all of ' +
    'it was removed.',
  examples: [
    { line: 'meshctl connectivity test --context gke,eks', what: 'test the mesh of two clusters' },
    { line: 'meshctl connectivity test --context gke,eks -o junit > report.xml', what: 'for a pipeline' },
  ],
  reachesClusters: true,
  options: [
    // cilium-cli has the other clusters in flags of their own.
    { ...CLUSTERS[0], also: ['--multi-cluster', '--destination-context'] },
    CLUSTERS[1],
    {
      flags: '--image <image>',
      description:
        'image of the echo server and the client: it answers HTTP on port 8080 at /hostname with the name of its pod, and ' +
        'has curl and sleep (default: agnhost, which Kubernetes tests itself with, by digest)',
    },
    {
      flags: '-n, --namespace <namespace>',
      description: 'namespace for the test; one that it made is removed at the end',
      default: 'meshctl-test',
      parse: parseNamespace,
      complete: 'namespace',
      once: true,
    },
    CILIUM_NAMESPACE_APART,
    { flags: '--keep', description: 'leave everything deployed at the end', default: false },
    {
      flags: '--perf',
      description:
        'also send 500 requests from each cluster to a pod of each: the latency is theirs then, and a lost one is a failure',
      default: false,
    },
    waitDuration('for pods to be ready', '3m'),
    {
      flags: '--settle-duration <duration>',
      group: 'run',
      description: 'longest wait for a change to take effect in all clusters',
      default: '15s',
      parse: parseDuration,
    },
    {
      flags: '-o, --output <format>',
      group: 'output',
      description: 'format of the result',
      choices: ['text', 'json', 'yaml', 'junit'],
      default: 'text',
    },
  ],
} as const satisfies CommandSpec;
