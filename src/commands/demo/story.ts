import { setTimeout as delay } from 'node:timers/promises';
import { askRebelBase, askUntil, deployRebelBase, scaleRebelBase } from '../../flows/demo/rebel-base.ts';
import type { ClusterClient } from '../../kube/client.ts';
import { tally } from '../../mesh/connectivity/connectivity.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { CommandContext } from '../command.ts';
import { answersOf, type Scene } from './scene.ts';

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
      const exitCode = await context.runCommand(argv, { env: { KUBECONFIG: kubeconfigPath } });
      context.signal.throwIfAborted();
      if (exitCode === 0) return '';
      throw new MeshctlError('SandboxFailed', `the demo stopped: meshctl ${argv.join(' ')} exited ${exitCode}`);
    },
  });
  const ask = (tells: string, clusters: readonly string[]): Scene => ({
    tells,
    line: `kubectl --context gke exec deploy/x-wing -- curl -s 'rebel-base?[1-${ROUND}]'`,
    play: async () => answersOf(context, tally(await askUntil(context, gke, ROUND, clusters))),
  });
  return [
    meshctl(
      'First the network: does it carry what a mesh needs? Real packets, seen on the other side.',
      ...['connectivity', 'probe', '--context', CONTEXTS],
    ),
    meshctl(
      'Before anything is changed: can these clusters become a mesh? Names, addresses, BGP peerings, advertised routes.',
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
        return answersOf(context, tally(samples));
      },
    },
    {
      tells: 'They come back, and so do the requests.',
      line: `kubectl --context gke scale deploy/rebel-base --replicas ${REPLICAS}`,
      async play() {
        await scaleRebelBase(context, gke, REPLICAS);
        return answersOf(context, tally(await askUntil(context, gke, ROUND, ['mesh-1'])));
      },
    },
    meshctl('Is every node of the first cluster connected?', 'clustermesh', 'status', '--context', 'gke', '--wait'),
    meshctl('And of the second?', 'clustermesh', 'status', '--context', 'eks', '--wait'),
  ];
}
