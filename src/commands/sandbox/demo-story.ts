import { setTimeout as delay } from 'node:timers/promises';
import { askRebelBase, askUntil, deployRebelBase, scaleRebelBase } from '../../flows/connectivity/rebel-base.ts';
import type { ClusterClient } from '../../kube/client.ts';
import { type Sample, tally } from '../../mesh/connectivity/connectivity.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { CommandContext } from '../command.ts';

/** One step of the story. */
export interface Scene {
  /** What the audience is told. */
  tells: string;
  /** The command line, shown as typed. */
  line: string;
  /** @returns what it says, beyond what it prints itself */
  play(): Promise<string>;
}

export interface Stage {
  /** Where the sandbox is. */
  kubeconfigPath: string;
  gke: ClusterClient;
  eks: ClusterClient;
}

const CONTEXTS = 'gke,eks';
const SERVICE = 'default/rebel-base';
const BOTH = ['mesh-1', 'mesh-2'];
const ROUND = 20;
/** The outage: so many requests at such a pace, the local pods go away after a moment. */
const OUTAGE = { count: 150, perSecond: 50 };
const OUTAGE_AFTER_MS = 800;
const REPLICAS = 2;

/** The article from its beginning to its end: two clusters become one mesh, and a service outlives its pods in one of them. */
export function storyOf(context: CommandContext, { kubeconfigPath, gke, eks }: Stage): Scene[] {
  const meshctl = (tells: string, ...argv: string[]): Scene => ({
    tells,
    line: `meshctl ${argv.join(' ')}`,
    async play() {
      const exitCode = await context.runCommand(argv, { KUBECONFIG: kubeconfigPath });
      context.signal.throwIfAborted();
      if (exitCode === 0) return '';
      throw new MeshctlError('SandboxFailed', `the demo stopped: meshctl ${argv.join(' ')} exited ${exitCode}`);
    },
  });
  const ask = (tells: string, clusters: readonly string[]): Scene => ({
    tells,
    line: `kubectl --context gke exec deploy/x-wing -- curl -s 'rebel-base?[1-${ROUND}]'`,
    play: async () => answersOf(context, await askUntil(context, gke, ROUND, clusters)),
  });
  return [
    meshctl(
      'Before anything is changed: can these clusters become a mesh? Names, addresses, BGP peerings, propagated routes.',
      ...['clustermesh', 'check', '--pre', '--context', CONTEXTS],
    ),
    meshctl(
      'Prepare both clusters. Each keeps its own CA; how to expose the apiserver is detected from the cloud.',
      ...['clustermesh', 'enable', '--context', CONTEXTS],
    ),
    meshctl(
      'Join them: each side accepts the other, every credential is proved, only then does anyone dial.',
      ...['clustermesh', 'connect', '--context', 'gke', '--destination-context', 'eks'],
    ),
    meshctl('Wait until every node is connected.', 'clustermesh', 'status', '--context', 'gke', '--wait'),
    meshctl(
      'The network under it: node to node, BGP, routes.',
      ...['clustermesh', 'check', '--category', 'network', '--context', CONTEXTS],
    ),
    {
      tells: 'A workload: rebel-base answers in both clusters, x-wing sends requests.',
      line: 'kubectl apply -f rebel-base.yaml    # in both clusters',
      async play() {
        const made = await Promise.all([gke, eks].map((client) => deployRebelBase(context, client)));
        return made
          .map((refs) => refs.map(({ kind, name }) => `${kind.toLowerCase()}/${name} created`).join(', '))
          .join('\n');
      },
    },
    ask('So far each cluster answers for itself.', ['mesh-1']),
    meshctl('Make the service global in both.', 'service', 'global', SERVICE, '--context', CONTEXTS),
    ask('Now both clusters answer.', BOTH),
    meshctl('Who uses whom?', 'service', 'list', '--context', CONTEXTS),
    meshctl('Prefer the near pods.', ...['service', 'global', SERVICE, '--context', CONTEXTS, '--affinity', 'local']),
    ask('Only the local cluster answers.', ['mesh-1']),
    {
      tells: `All local pods go away while x-wing asks ${OUTAGE.perSecond} times a second.`,
      line: 'kubectl --context gke scale deploy/rebel-base --replicas 0',
      async play() {
        const outage = async () => {
          await delay(OUTAGE_AFTER_MS, undefined, { signal: context.signal });
          await scaleRebelBase(context, gke, 0);
        };
        const [samples] = await Promise.all([askRebelBase(gke, OUTAGE), outage()]);
        return answersOf(context, samples);
      },
    },
    {
      tells: 'They come back, and so do the requests.',
      line: `kubectl --context gke scale deploy/rebel-base --replicas ${REPLICAS}`,
      async play() {
        await scaleRebelBase(context, gke, REPLICAS);
        return answersOf(context, await askUntil(context, gke, ROUND, ['mesh-1']));
      },
    },
    meshctl('Is every node of the first cluster connected?', 'clustermesh', 'status', '--context', 'gke', '--wait'),
    meshctl('And of the second?', 'clustermesh', 'status', '--context', 'eks', '--wait'),
  ];
}

const BAR_WIDTH = 40;

/** How many requests each cluster answered, as bars. */
function answersOf({ theme }: CommandContext, samples: readonly Sample[]): string {
  const { sent, answered, answeredBy } = tally(samples);
  const bars = Object.entries(answeredBy)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([cluster, count]) => `  ${cluster}  ${'█'.repeat(Math.ceil((count / sent) * BAR_WIDTH))} ${count}`);
  const failed = sent - answered;
  const verdict = failed === 0 ? theme.ok('none failed') : theme.fail(`${failed} failed`);
  return [...bars, `  ${sent} requests, ${verdict}`].join('\n');
}
