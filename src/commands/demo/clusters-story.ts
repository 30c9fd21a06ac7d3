import {
  deploy,
  ECHO_SERVICE,
  replicasOfEcho,
  SERVICE_PORT,
  type TestCluster,
} from '../../flows/connectivity/connectivity-clusters.ts';
import { testFailover } from '../../flows/connectivity/connectivity-failover.ts';
import { judge } from '../../flows/connectivity/connectivity-judge.ts';
import { noteConnected, noteEnabled } from '../../flows/demo/demo-objects.ts';
import { makeNamespace } from '../../flows/own-namespace.ts';
import { allOrFirstError } from '../../flows/parallel.ts';
import { echoDeploymentName } from '../../manifests/connectivity.ts';
import { contextList, meshctlCommand, spanWord } from '../../mesh/command-line.ts';
import type { Expectation, Scenario, ScenarioResult } from '../../mesh/connectivity/connectivity.ts';
import { type DemoPair, type DemoPlan, namespaceOfOthers, requireUnmade } from '../../mesh/demo/plan-demo.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { refOf } from '../../mesh/objects/kube-object.ts';
import type { CommandContext } from '../command.ts';
import { type DemoFlags, demoLines } from './lines.ts';
import { answersOf, type Scene } from './scene.ts';

/** For a change to take effect in all clusters. */
const SETTLE_MS = 30_000;

/**
 * The scenes after the check and the operator's yes: the article's, with what the plan has to make first.
 * @param readAgain the clusters as they are by then
 * @param onNamespace gets the uid of each namespace that it makes
 */
export function storyOnClusters(
  context: CommandContext,
  flags: DemoFlags,
  plan: DemoPlan,
  [near, far]: readonly [TestCluster, TestCluster],
  { readAgain, onNamespace }: { readAgain: () => Promise<DemoPair>; onNamespace: (uid: string) => void },
): Scene[] {
  const { meshctl, kubectl, kubectlInBoth } = demoLines(context, flags);
  const { namespace, clusters } = plan;
  const [{ context: here }, { context: there }] = clusters;
  const nearby = { context: here, namespace };
  const both = `${here},${there}`;
  const service = `${namespace}/${ECHO_SERVICE}`;
  const names = [near.name, far.name];
  const waits = { waitMs: flags.waitDuration, settleMs: SETTLE_MS };
  const inBoth = (work: (cluster: TestCluster) => Promise<void>) =>
    allOrFirstError([near, far].map(work), context.progress);
  const waited = ['--wait', '--wait-duration', spanWord(flags.waitDuration)];

  const ask = (tells: string, scenario: Scenario, expected: Expectation): Scene => ({
    tells,
    line: kubectl(nearby, 'exec', 'deploy/client', '--', 'curl', '-s', `http://${ECHO_SERVICE}/hostname?[1-20]`),
    async play() {
      const destinations = [{ host: ECHO_SERVICE, port: SERVICE_PORT }];
      return told(await judge(context, near, { scenario, destinations, expected, names, settleMs: SETTLE_MS }));
    },
  });
  // What the demo takes away cannot be looked at afterwards.
  const staysUp = flags.keep || !plan.connect;
  const told = (result: ScenarioResult): string => {
    const bars = result.requests ? answersOf(context, result.requests) : '';
    if (result.result === 'pass') return bars;
    context.print(bars === '' ? '' : `${bars}\n`);
    throw new MeshctlError(
      'DemoFailed',
      `the demo stopped: ${near.name} did not get the answers it should: ${result.evidence}`,
      {
        hint: staysUp
          ? `See what is wrong: ${meshctlCommand('clustermesh check', { context: [here, there] })}`
          : `Leave the mesh up to look at it: ${context.again('--keep')}`,
      },
    );
  };
  const only = (cluster: TestCluster): Expectation => ({ kind: 'only', clusters: [cluster.name] });
  const affinity = (tells: string, value: string) =>
    meshctl(tells, 'service', 'global', service, '--context', both, '--affinity', value);

  /** A scene that makes what nobody else has made since the plan; afterwards that is written down. */
  const making = (what: 'enable' | 'connect', contexts: readonly string[], scene: Scene): Scene => ({
    ...scene,
    async play() {
      requireUnmade(plan, await readAgain(), what);
      const parts = [near, far].filter(({ member }) => contexts.includes(member.client.context));
      const write = () => allOrFirstError(parts.map(what === 'enable' ? noteEnabled : noteConnected), context.progress);
      try {
        return await scene.play(write);
      } catch (error) {
        // A connect that fails is rolled back, but for what others have come to stand on; what enable has made stays.
        if (what === 'enable') await write().catch(() => undefined);
        throw error;
      }
    },
  });

  return [
    meshctl(
      'First the network: does it carry what a mesh needs? Real packets, seen on the other side.',
      ...['connectivity', 'probe', '--context', both],
    ),
    {
      tells: 'A namespace of its own, in which the demo records what it will change.',
      line: kubectlInBoth({}, 'create', 'namespace', namespace),
      async play() {
        const waitMs = flags.waitDuration;
        await inBoth(async ({ member, objects, rights }) => {
          const made = await makeNamespace(context, member.client, objects.namespace, { waitMs, rights });
          if (made?.metadata.uid === undefined) throw namespaceOfOthers(member.client.context, namespace);
          onNamespace(made.metadata.uid);
        });
        return '';
      },
    },
    ...(plan.enable.length > 0
      ? [
          making(
            'enable',
            plan.enable,
            meshctl(
              'Prepare what is not prepared yet. Each cluster keeps its own CA; how to expose the apiserver is detected.',
              ...['clustermesh', 'enable', '--context', contextList(plan.enable)],
            ),
          ),
        ]
      : []),
    ...(plan.connect
      ? [
          making(
            'connect',
            [here, there],
            meshctl(
              'Join them: each side accepts the other, every credential is proved, only then does anyone dial.',
              ...['clustermesh', 'connect', '--context', here, '--destination-context', there],
            ),
          ),
        ]
      : []),
    meshctl('Wait until every node is connected.', 'clustermesh', 'status', '--context', both, ...waited),
    {
      tells: 'A workload: echo answers in both clusters, client sends requests.',
      line: kubectlInBoth({ namespace }, 'apply', '-f', 'echo.yaml', '-f', 'client.yaml'),
      async play() {
        await inBoth((cluster) => deploy(context, cluster, flags.waitDuration));
        return [near, far]
          .map(({ objects }) => objects.workload.map(refOf))
          .map((refs) => refs.map(({ kind, name }) => `${kind.toLowerCase()}/${name} created`).join(', '))
          .join('\n');
      },
    },
    ask('So far each cluster answers for itself.', 'affinity-local', only(near)),
    meshctl('Make the service global in both.', 'service', 'global', service, '--context', both),
    ask('Now both clusters answer.', 'spread', { kind: 'each', clusters: names }),
    meshctl('Who uses whom?', 'service', 'list', '--context', both, '--namespace', namespace),
    affinity('Prefer the far pods.', 'remote'),
    ask('Only the other cluster answers.', 'affinity-remote', only(far)),
    affinity('Prefer the near pods.', 'local'),
    ask('Only the local cluster answers.', 'affinity-local', only(near)),
    {
      tells: 'All local pods go away while the client keeps asking.',
      line: kubectl(nearby, 'scale', `deploy/${echoDeploymentName(near.name)}`, '--replicas', '0'),
      async play() {
        const results = await testFailover(context, near, { names, families: [{ clusters: names }], ...waits });
        return results.map((result) => `${told(result)}\n  ${result.evidence}`).join('\n');
      },
    },
    {
      ...ask('They are back, and so are their answers.', 'return', only(near)),
      line: kubectl(
        nearby,
        ...['scale', `deploy/${echoDeploymentName(near.name)}`, '--replicas', String(replicasOfEcho(near))],
      ),
    },
    meshctl('Is every node of both still connected?', 'clustermesh', 'status', '--context', both, ...waited),
  ];
}
