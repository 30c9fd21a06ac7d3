/** The probe's stand-in, and what rules of the sandbox's network make of it and of real connections. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { NetworkRule } from '../../src/sandbox/pods/network-rules.ts';
import { eventually, execIn, found, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
const TOKEN = '0123abcd';
const HERE = '172.18.1.11';
const THERE = '172.18.2.11';

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 2 });
  for (const cluster of sandbox.clusters) {
    await sandbox.client(cluster.context).create(probePod('default', `${cluster.context}-node-1`));
    await eventually(
      () => cluster.store.get({ apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'probe' }),
      (pod) => (pod?.status as { phase?: string } | undefined)?.phase === 'Running',
      'the probe runs',
    );
  }
});

afterAll(() => sandbox?.close());

afterEach(() => {
  for (const { id } of sandbox.network.rules()) sandbox.network.removeRule(id);
  expect(sandbox.errors).toEqual([]);
});

function probePod(namespace: string, nodeName: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'probe', namespace },
    spec: {
      nodeName,
      hostNetwork: true,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'probe',
          image: 'quay.io/cilium/cilium:v1.20.0',
          command: ['sleep', '600'],
          securityContext: { capabilities: { drop: ['ALL'], add: ['NET_RAW'] } },
        },
      ],
    },
  };
}

async function probe(context: string, ...words: string[]): Promise<string[]> {
  const { stdout } = await sandbox.client(context).exec({
    namespace: 'default',
    pod: 'probe',
    container: 'probe',
    command: ['sh', '-c', 'exec perl -e "$PROBE" "$@"', 'probe', ...words],
    timeoutMs: 60_000,
  });
  return stdout.trimEnd().split('\n');
}

const TESTS = [
  'a/tcp/172.18.2.11/4240/61001/',
  'b/icmp/172.18.2.11///',
  'c/udp/172.18.2.11/8472//',
  'd/udp/172.18.2.11/6081//',
  'e/esp/172.18.2.11///',
  'f/mtu/172.18.2.11/8472//1300,1450,1500',
  'g/tcp/172.18.2.11/4241/61002/',
];
const SEEN = {
  a: `syn ${HERE} 61001 4240`,
  b: `seen b ${HERE} 60`,
  c: `seen c ${HERE} 68`,
  d: `seen d ${HERE} 68`,
  e: `seen e ${HERE} 68`,
  f: [`seen f ${HERE} 1300`, `seen f ${HERE} 1450`],
  g: `syn ${HERE} 61002 4241`,
};
const ALL = Object.values(SEEN).flat();

/** What is said of each test from cluster 1, and what is seen in cluster 2. */
async function run(...rules: Partial<NetworkRule>[]) {
  rules.forEach((rule, index) => {
    sandbox.network.addRule({
      id: String(index),
      action: 'drop',
      from: { cluster: 'mesh-1' },
      to: { cluster: 'mesh-2' },
      ...rule,
    });
  });
  await probe('mesh-2', 'watch', TOKEN, '60');
  const said = await probe('mesh-1', 'send', TOKEN, ...TESTS);
  const seen = (await probe('mesh-2', 'collect', TOKEN)).filter((line) => !/ device$|^collected$/.test(line));
  const outcomes = Object.fromEntries(said.map((line) => [line[0], line.slice(2).replace(/ \d+\.\d\d$/, '')]));
  return {
    outcomes,
    unseen: ALL.filter((line) => !seen.includes(line)),
    extra: seen.filter((line) => !ALL.includes(line)),
  };
}

const OPEN = { a: 'open', b: 'answered', c: 'sent', d: 'refused', e: 'sent', f: 'sent 1300,1450', g: 'refused' };
const back = { from: { cluster: 'mesh-2' }, to: { cluster: 'mesh-1' } };
const NO_ROUTE = 'unreachable No route to host';

describe('the probe of a node', () => {
  it('says where it is, and that it watches', async () => {
    expect(await probe('mesh-2', 'watch', TOKEN, '60')).toEqual(['mtu eth0 1460', `address ${THERE} eth0`, 'watching']);
    expect(await probe('mesh-2', 'collect', TOKEN)).toEqual(['collected']);
  });

  it.each<[string, Partial<NetworkRule>[], object, string[]]>([
    ['everything', [], {}, []],
    ['no tunnel', [{ protocol: 'udp', port: 8472 }], {}, [SEEN.c, ...SEEN.f]],
    ['no health port', [{ protocol: 'tcp', port: 4240 }], { a: 'silent' }, [SEEN.a]],
    ['a rejected health port', [{ action: 'reject', protocol: 'tcp', port: 4240 }], { a: 'refused' }, [SEEN.a]],
    ['no ICMP', [{ protocol: 'icmp' }], { b: 'silent' }, [SEEN.b]],
    ['no ICMP back', [{ ...back, protocol: 'icmp' }], { b: 'silent', d: 'sent' }, []],
    ['no ESP', [{ protocol: 'esp' }], {}, [SEEN.e]],
    ['nothing back', [back], { a: 'silent', b: 'silent', d: 'sent', g: 'silent' }, []],
    ['small packets', [{ action: 'mtu', mtu: 1400 }], {}, [`seen f ${HERE} 1450`]],
    [
      'no route',
      [{ action: 'no-route', from: { cluster: 'mesh-1', node: 'mesh-1-node-1' } }],
      { a: NO_ROUTE, b: NO_ROUTE, c: NO_ROUTE, d: NO_ROUTE, e: NO_ROUTE, f: 'sent', g: NO_ROUTE },
      [...ALL],
    ],
    ['another node is meant', [{ from: { cluster: 'mesh-1', node: 'mesh-1-node-2' } }], {}, []],
    ['the other direction', [{ ...back, protocol: 'udp', port: 8472 }], {}, []],
  ])('through a network with %s', async (_, rules, outcomes, unseen) => {
    expect(await run(...rules)).toEqual({ outcomes: { ...OPEN, ...outcomes }, unseen, extra: [] });
  });

  it('is told of the delay of both directions', async () => {
    for (const [id, rule] of Object.entries({ there: {}, back })) {
      const ends = { from: { cluster: 'mesh-1' }, to: { cluster: 'mesh-2' }, ...rule };
      sandbox.network.addRule({ id, action: 'delay', ms: 20, ...ends });
    }
    const said = await probe('mesh-1', 'send', TOKEN, `b/icmp/${THERE}///`, `a/tcp/${THERE}/4240//`);
    expect(said[0]).toBe('b answered 40.40');
    expect(Number(found(said[1]?.split(' ')[2], 'milliseconds'))).toBeGreaterThanOrEqual(39);
  });

  it('cannot collect what it has not watched for', async () => {
    const { exitCode, stderr } = await execIn(sandbox, 'mesh-1', 'cilium', 'cilium-agent', [
      ...['perl', '-e', 'the program', 'collect', TOKEN],
    ]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: 'not watching\n' });
  });

  it('runs in agents too, and says in their log that it is simulated', async () => {
    const agent = (context: string, ...words: string[]) =>
      execIn(sandbox, context, 'cilium', 'cilium-agent', ['perl', '-e', 'the program', ...words]);
    expect((await agent('mesh-1', 'send', TOKEN, `b/icmp/${THERE}///`)).stdout).toBe('b answered 0.40\n');
  });
});

describe('a pod of the probe', () => {
  const namespace = (level: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: level, labels: { 'pod-security.kubernetes.io/enforce': level } },
  });

  it.each([
    [
      'baseline',
      'host namespaces (hostNetwork=true), non-default capabilities (container "probe" must not include "NET_RAW" in securityContext.capabilities.add)',
    ],
    [
      'restricted',
      [
        'host namespaces (hostNetwork=true)',
        'allowPrivilegeEscalation != false (container "probe" must set securityContext.allowPrivilegeEscalation=false)',
        'unrestricted capabilities (container "probe" must not include "NET_RAW" in securityContext.capabilities.add)',
        'runAsNonRoot != true (pod or container "probe" must set securityContext.runAsNonRoot=true)',
        'seccompProfile (pod or container "probe" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
      ].join(', '),
    ],
  ])('is refused where its namespace is %s', async (level, violations) => {
    const client = sandbox.client('mesh-1');
    await client.create(namespace(level));
    await expect(client.create(probePod(level, 'mesh-1-node-1'))).rejects.toMatchObject({
      message: expect.stringContaining(`violates PodSecurity "${level}:latest": ${violations}`),
    });
  });

  it('goes with its namespace', async () => {
    const client = sandbox.client('mesh-1');
    await client.create(namespace('privileged'));
    await client.create(probePod('privileged', 'mesh-1-node-2'));
    await client.delete({ apiVersion: 'v1', kind: 'Namespace', name: 'privileged' });
    const pod = { apiVersion: 'v1', kind: 'Pod', namespace: 'privileged', name: 'probe' };
    await eventually(
      () => client.get(pod),
      (found) => found === undefined,
      'the pod is gone',
    );
    const gone = { apiVersion: 'v1', kind: 'Namespace', name: 'privileged' };
    await eventually(
      () => client.get(gone),
      (found) => found === undefined,
      'the namespace is gone',
    );
  });
});
