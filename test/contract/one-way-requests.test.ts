/** What service views predict of requests where one cluster dials, both, or none, is what a request in the sandbox meets. */
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tally } from '../../src/mesh/connectivity/connectivity.ts';
import { echoPodsOf, readSamples, requestCommand } from '../../src/mesh/connectivity/connectivity-requests.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { echoWorkload } from '../support/echo-workload.ts';
import { clusterAt, eventually, execInside, found, refs } from '../support/sandbox-mesh.ts';

const NAMES = ['mesh-1', 'mesh-2'] as const;
const BOTH = ['--context', NAMES.join()];
const COUNT = 4;

let clusters: ConnectClusters;

beforeAll(async () => {
  clusters = await startConnectClusters(2);
  for (const name of NAMES) {
    const { store, settled } = clusterAt(clusters, name);
    for (const object of echoWorkload(name)) store.create(object);
    await settled();
  }
});

afterAll(() => clusters?.close());

async function ok(argv: readonly string[]) {
  const result = await clusters.meshctl(argv);
  expect(result.exitCode, result.stdout + result.stderr).toBe(0);
  return result;
}

const setRouting = (mode: string) => {
  for (const name of NAMES) {
    clusterAt(clusters, name).store.update(
      refs.configMap('cilium-config'),
      ({ data }) => void Object.assign(data as object, { 'routing-mode': mode }),
    );
  }
};

const setAffinity = (affinity: string) => {
  for (const name of NAMES) {
    clusterAt(clusters, name).store.update(
      { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'rebel-base' },
      ({ metadata }) => {
        metadata.annotations = { 'service.cilium.io/global': 'true', 'service.cilium.io/affinity': affinity };
      },
    );
  }
};

/** What becomes of requests from a cluster: who answers, and `nobody` where it is waited for in vain. */
async function answersTo(name: string): Promise<string[]> {
  const { store, runtime } = clusterAt(clusters, name);
  const [pod] = store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'default', labels: { app: 'x-wing' } });
  const stdout: string[] = [];
  const sink = (take: (text: string) => void) =>
    new Writable({ write: (chunk: Buffer, _encoding, done) => done(void take(chunk.toString())) });
  await runtime.exec({
    ...{ namespace: 'default', pod: found(pod, 'x-wing').metadata.name, container: 'x-wing', tty: false },
    command: [...requestCommand({ host: 'rebel-base', port: 80, count: COUNT, timeoutMs: 1000 })],
    stdout: sink((text) => stdout.push(text)),
    stderr: sink(() => undefined),
    signal: AbortSignal.timeout(60_000),
  });
  const { answeredBy, errors } = tally(readSamples(stdout.join(''), { answererOf: echoPodsOf([...NAMES]) }));
  return [...Object.keys(answeredBy), ...(Object.keys(errors).length > 0 ? ['nobody'] : [])].sort();
}

interface Predicted {
  uses: { cluster: string; backends: number; atRisk?: boolean }[];
}

/** The same, as `service describe` has it. */
async function predictedFor(name: string): Promise<string[]> {
  const described = jsonOf(await clusters.meshctl(['service', 'describe', 'rebel-base', ...BOTH, '-o', 'json']));
  const { service } = described as { service: { clusters: unknown } };
  const own = (service.clusters as ({ cluster: string } & { definition: Predicted })[]).find(
    ({ cluster }) => cluster === name,
  );
  const uses = found(own, name).definition.uses;
  return [...new Set(uses.map(({ cluster, atRisk }) => (atRisk ? 'nobody' : cluster)))].sort();
}

/** The clusters whose requests fail already, as `service failover` has it. */
async function failingNow(): Promise<string[]> {
  const { services } = jsonOf(await clusters.meshctl(['service', 'failover', ...BOTH, '-o', 'json']));
  return (services as { failing?: string[] }[])[0]?.failing ?? [];
}

/** No agent has anything of the other cluster but what it dials, and that it has. */
const agentsAgree = (dials: readonly string[]) =>
  eventually(
    () =>
      Promise.all(
        NAMES.map(async (name) => {
          const { stdout } = await execInside(clusters, name, 'cilium', 'cilium-agent', [
            'cilium',
            'status',
            '-o',
            'json',
          ]);
          return (JSON.parse(stdout)['cluster-mesh'].clusters ?? []).map(
            (peer: { name: string; ready?: boolean }) => `${name}>${peer.name} ${peer.ready === true}`,
          );
        }),
      ),
    (told) => told.flat().sort().join() === dials.map((one) => `${one} true`).join(),
    'what agents say',
  );

const mode = (verb: string, from: string, to: string, what: string) => [
  ...['clustermesh', verb, '--context', from, '--destination-context', to, '--connection-mode', what, '--yes'],
];

describe.each<[string, string[] | undefined, string[]]>([
  ['none', undefined, []],
  ['mesh-1 alone', mode('connect', 'mesh-1', 'mesh-2', 'unicast'), ['mesh-1>mesh-2']],
  ['both', mode('connect', 'mesh-1', 'mesh-2', 'bidirectional'), ['mesh-1>mesh-2', 'mesh-2>mesh-1']],
  ['mesh-2 alone', mode('disconnect', 'mesh-1', 'mesh-2', 'unicast'), ['mesh-2>mesh-1']],
])('dialling: %s', (_who, argv, dials) => {
  beforeAll(async () => {
    if (argv) await ok(argv);
    await agentsAgree(dials);
  });

  describe.each(['tunnel', 'native'])('routing: %s', (routing) => {
    beforeAll(() => setRouting(routing));

    it.each(['none', 'local', 'remote'])('affinity %s: views say what requests meet', async (affinity) => {
      setAffinity(affinity);
      const failed = [];
      for (const name of NAMES) {
        const predicted = await predictedFor(name);
        // What a cluster has changed, another one hears a moment later.
        const met = await eventually(
          () => answersTo(name),
          (answers) => answers.join() === predicted.join(),
          `${name}: not ${predicted.join()}`,
          { deadlineMs: 5_000 },
        );
        if (met.join() === 'nobody') failed.push(name);
      }
      expect(await failingNow()).toEqual(failed);
    });
  });
});
