import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import { enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { type KubeconfigVariants, kubeconfigVariants } from '../support/e2e-kubeconfig.ts';
import { lookBeforeEnable } from '../support/enable-look.ts';
import { meshText } from '../support/mesh-files.ts';
import { untilHealthy } from '../support/open-look.ts';
import { eventually, found, refs, setSecret, type TestSandbox } from '../support/sandbox-mesh.ts';

/** mesh-1 and mesh-2 are connected; what enable does to one must not be felt by the other unless it was said. */
let sandbox: TestSandbox;
let meshctl: Meshctl;
let two: SandboxCluster;
const undos: (() => void)[] = [];

beforeAll(async () => {
  ({ sandbox, meshctl, two } = await startConnectedMesh({ nodes: 1 }));
  await bothConnected();
});

afterEach(async () => {
  for (const undo of undos.splice(0).reverse()) undo();
  await bothConnected();
});

afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await sandbox.close();
});

const bothConnected = () => untilHealthy(sandbox, ['mesh-1', 'mesh-2']);

const ref = { ca: refs.secret('cilium-ca'), server: refs.secret('clustermesh-apiserver-server-cert') };
const certificateOf = (cluster: SandboxCluster) =>
  (found(cluster.store.get(ref.server), 'the Secret') as { data?: Record<string, string> }).data?.['tls.crt'];
/** Makes an object anew after the test, as it was. */
const breaks = (cluster: SandboxCluster, of: typeof ref.ca) => {
  const { metadata, ...content } = found(cluster.store.get(of), of.name);
  const { name, namespace, labels, annotations } = metadata;
  undos.push(() => {
    if (cluster.store.get(of)) cluster.store.delete(of);
    cluster.store.create({ ...content, metadata: { name, namespace, labels, annotations } } as KubeObject, 'helm');
  });
};

interface PlanDocument {
  summary: Record<string, number>;
  clusters: {
    peers: { peer: string; becomes: string; why: string; mend?: string }[];
    steps: { action: string; object: { kind: string; name: string } }[];
  }[];
}
const planOf = async (...more: string[]) =>
  jsonOf(await meshctl(enable('mesh-2', ...more, '--dry-run', '-o', 'json'))) as unknown as PlanDocument;
const peersOf = async (...more: string[]) => (await planOf(...more)).clusters.flatMap(({ peers }) => peers);

const REPLACED =
  'the only pod of Deployment clustermesh-apiserver is replaced: changes in the clusters arrive a few seconds late';

describe('pods that a plan replaces or ends', () => {
  const label = 'Deployment/clustermesh-apiserver:spec.template.metadata.labels.team=mesh';
  const revisions = 'Deployment/clustermesh-apiserver:spec.revisionHistoryLimit=3';
  const surge = 'Deployment/clustermesh-apiserver:spec.strategy.rollingUpdate.maxUnavailable=1';
  let effectsOf: Awaited<ReturnType<typeof lookBeforeEnable>>;
  beforeAll(async () => {
    effectsOf = await lookBeforeEnable(sandbox, 'mesh-2', ['mesh-1']);
  });

  it.each<[string, Parameters<typeof effectsOf>[0], object]>([
    ['the only one: the peer reconnects', { set: [label] }, { becomes: 'moved', why: REPLACED }],
    [
      'one of two after the other',
      { set: [label], replicas: 2 },
      { becomes: 'moved', why: 'the pods of Deployment clustermesh-apiserver are replaced one by one' },
    ],
    [
      'the only one, before the new one is ready',
      { set: [label, surge] },
      { becomes: 'unknown', why: expect.stringContaining('end before new ones are ready') },
    ],
    ['none', { set: [revisions] }, { becomes: 'kept', why: '' }],
    ['none, but one more comes', { replicas: 2 }, { becomes: 'kept', why: '' }],
  ])('%s', (_, flags, effect) => {
    expect(effectsOf(flags)).toEqual([expect.objectContaining({ peer: 'mesh-1', ...effect })]);
  });

  it('are fewer than before', async () => {
    await meshctl.ok(enable('mesh-2', '--replicas', '2'));
    const { stdout } = await meshctl.ok(enable('mesh-2', '--replicas', '1', '--dry-run'));
    expect(stdout).toContain('~ peer mesh-1 reconnects: 1 of 2 pods of Deployment clustermesh-apiserver end');
    await meshctl.ok(enable('mesh-2', '--replicas', '1'));
  });
});

describe('a CA that is lost', () => {
  it.each<[string, () => void]>([
    ['deleted', () => two.store.delete(ref.ca)],
    ['emptied', () => setSecret(two, 'cilium-ca', { 'ca.crt': undefined, 'ca.key': undefined })],
    ['unreadable', () => setSecret(two, 'cilium-ca', { 'ca.crt': 'not a cert' })],
    ['with a corrupt key', () => setSecret(two, 'cilium-ca', { 'ca.key': 'not a key' })],
  ])('(%s) is not made anew: what is valid stays, the rest is done, and it is said', async (_how, act) => {
    const before = certificateOf(two);
    breaks(two, ref.ca);
    act();
    const result = await meshctl.ok(enable('mesh-2', '--replicas', '2'));
    expect(certificateOf(two)).toBe(before);
    expect(result.stderr).toContain('meshctl clustermesh certs rotate --context mesh-2,mesh-1 --ca');
    expect(two.store.get(refs.deployment('clustermesh-apiserver'))).toMatchObject({ spec: { replicas: 2 } });
    await meshctl.ok(enable('mesh-2', '--replicas', '1'));
  });

  it('is replaced only when asked to, and names who is cut off, with the command that mends', async () => {
    breaks(two, ref.ca);
    two.store.delete(ref.ca);
    expect(await peersOf('--replace-ca')).toEqual([
      {
        peer: 'mesh-1',
        becomes: 'cut',
        why: 'it trusts the former CA, "Cilium CA"',
        mend: 'meshctl clustermesh connect --context mesh-2 --destination-context mesh-1',
      },
    ]);
    const asked = await meshctl(enable('mesh-2', '--replace-ca'));
    expect(asked).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--yes') });
    expect(two.store.get(ref.ca)).toBeUndefined();
  });
});

describe('the users', () => {
  it('come back as the peers use them', async () => {
    two.store.delete(refs.configMap('clustermesh-remote-users'));
    const asked = await meshctl(enable('mesh-2'));
    expect(asked).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--yes') });
    expect(asked.stderr).toMatch(/a cluster that only\s+dials in and is not among them loses access/);
    expect(two.store.get(refs.configMap('clustermesh-remote-users'))).toBeUndefined();
    const result = await meshctl.ok(enable('mesh-2', '--yes'));
    expect(result.stdout).not.toContain('cut off');
    expect(two.store.get(refs.configMap('clustermesh-remote-users'))).toMatchObject({
      data: { 'users.yaml': 'users:\n- name: remote-mesh-1\n  role: remote\n' },
    });
  });
});

describe('a list of users that nothing in the cluster tells any more', () => {
  const ref = refs.configMap('clustermesh-remote-users');
  const users = () => (two.store.get(ref)?.data as Record<string, string> | undefined)?.['users.yaml'];
  let variants: KubeconfigVariants;
  let alone: Meshctl;
  beforeAll(async () => {
    variants = await kubeconfigVariants(sandbox.kubeconfigPath);
    const path = await variants.write('alone', (file) => {
      file.contexts = file.contexts.filter(({ name }) => name === 'mesh-2');
    });
    alone = meshctlWith(path);
  });
  afterAll(() => variants.remove());

  it('comes back as etcd has it, where peering Secrets are lost too and no context leads to the peer', async () => {
    breaks(two, refs.secret('cilium-clustermesh'));
    breaks(two, refs.secret('cilium-kvstoremesh'));
    for (const name of ['cilium-clustermesh', 'cilium-kvstoremesh']) two.store.delete(refs.secret(name));
    two.store.delete(ref);
    const planned = await alone.ok(enable('mesh-2', '--dry-run'));
    expect(planned.stdout).toMatch(/peer mesh-1 stays connected: the new list of users\s+has remote-mesh-1/);
    await alone.ok(enable('mesh-2', '--yes'));
    expect(users()).toBe('users:\n- name: remote-mesh-1\n  role: remote\n');
  });

  it('comes back by what other clusters dial with, where etcd is gone as well, also by a file without them', async () => {
    for (const name of ['cilium-clustermesh', 'cilium-kvstoremesh']) {
      breaks(two, refs.secret(name));
      two.store.delete(refs.secret(name));
    }
    two.store.delete(ref);
    for (const pod of two.store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'clustermesh-apiserver' } }))
      two.store.delete(refOf(pod));
    const input = meshText({ clusters: [{ name: 'mesh-2' }], topology: { type: 'mesh' } });
    await meshctl.ok(['apply', '-f', '-', '--yes'], { input });
    expect(users()).toBe('users:\n- name: remote-mesh-1\n  role: remote\n');
  });

  it('is replaced where it cannot be read: the plan says it, asks, and keeps who is let in and whom its text names', async () => {
    const before = users();
    undos.push(() => two.store.update(ref, (live) => Object.assign(live, { data: { 'users.yaml': before } })));
    const text = `${before}- name: remote-elsewhere\nusers: [`;
    two.store.update(ref, (live) => Object.assign(live, { data: { 'users.yaml': text } }));
    const planned = await meshctl.ok(enable('mesh-2', '--dry-run'));
    expect(planned.stdout.replaceAll(/\s+/g, ' ')).toMatch(
      /update ConfigMap \S*clustermesh-remote-users \(the list of users cannot be read: it is not valid YAML; lets remote-elsewhere, remote-mesh-1 in, as before\)/,
    );
    expect(planned.stdout).toContain('the new list of users has remote-mesh-1');
    expect(planned.stderr).toContain('the list of users cannot be read');
    const asked = await meshctl(enable('mesh-2'));
    expect(asked).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--yes') });
    expect(users()).toBe(text);
    await meshctl.ok(enable('mesh-2', '--yes'));
    expect(users()).toMatch(/^users:\n(- name: remote-(elsewhere|mesh-1)\n {2}role: remote\n){2}$/);
  });
});

describe('a clustermesh-apiserver scaled to 0', () => {
  it('is not ready, and the command that is printed scales it up', async () => {
    const scale = (replicas: number) =>
      two.store.update(
        refs.deployment('clustermesh-apiserver'),
        (deployment) => void Object.assign(deployment.spec as object, { replicas }),
        'kubectl',
      );
    scale(0);
    const planned = await meshctl.ok(enable('mesh-2', '--dry-run'));
    expect(planned.stderr).toContain('has 0 replicas, so this cluster serves no peer');
    const result = await meshctl(enable('mesh-2'));
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain(
      'Deployment kube-system/clustermesh-apiserver has 0 replicas, so no peer is served',
    );
    expect(result.stderr).toContain(
      '→ kubectl --context mesh-2 -n kube-system scale deployment/clustermesh-apiserver --replicas=1',
    );
    // Nothing there could show that it has taken up new certificates.
    const rotated = await meshctl(['clustermesh', 'certs', 'rotate', '--context', 'mesh-2', '--dry-run']);
    expect(rotated.exitCode).toBe(1);
    expect(rotated.stderr).toContain(
      'no clustermesh-apiserver pod is ready: its Deployment is scaled to 0\n  → kubectl --context mesh-2 -n kube-system scale deployment/clustermesh-apiserver --replicas=1',
    );
    scale(1);
    await meshctl.ok(enable('mesh-2'));
  });
});

describe('a certificate Secret in which nothing is left', () => {
  it.each(['', 'not a cert'])('is filled anew, whoever emptied it (%j)', async (text) => {
    const patch = { data: { 'ca.crt': btoa(text), 'tls.crt': btoa(text), 'tls.key': btoa(text) } };
    two.store.update(ref.server, (secret) => void Object.assign(secret, patch), 'kubectl-patch');
    await meshctl.ok(enable('mesh-2'));
    expect(atob(certificateOf(two) ?? '')).toContain('BEGIN CERTIFICATE');
  });
});

describe('an address that peers dial', () => {
  let effectsOf: Awaited<ReturnType<typeof lookBeforeEnable>>;
  beforeAll(async () => {
    effectsOf = await lookBeforeEnable(sandbox, 'mesh-2', ['mesh-1']);
  });

  it.each<[Parameters<typeof effectsOf>[0], string]>([
    [{ serviceType: 'NodePort' }, 'cut'],
    [{ serviceType: 'ClusterIP' }, 'cut'],
    [{ loadBalancerIp: '10.9.9.9' }, 'unknown'],
    [{ serviceAnnotation: [['networking.gke.io/load-balancer-type', 'External']] }, 'unknown'],
    [{ replicas: 2 }, 'kept'],
    [{ loadBalancerSourceRanges: ['10.0.0.0/8'] }, 'unknown'],
  ])('%j: %s', (flags, becomes) => {
    expect(effectsOf(flags)).toMatchObject([{ peer: 'mesh-1', becomes }]);
  });

  it('of a load balancer that is asked for is waited for, and told where another one is given', async () => {
    const addressOf = (cluster: SandboxCluster) => {
      const { status } = found(cluster.store.get(refs.service('clustermesh-apiserver')), 'the Service');
      return (status as { loadBalancer: { ingress: { ip: string }[] } }).loadBalancer.ingress[0]?.ip ?? '';
    };
    const former = addressOf(two);
    const [wished, taken] = [77, 78].map((last) => former.replace(/\d+$/, String(last))) as [string, string];
    const other = { type: 'LoadBalancer', loadBalancerIP: taken, ports: [{ port: 80 }] };
    two.store.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'shop', namespace: 'default' },
      spec: other,
    });
    const asked = await meshctl(enable('mesh-2', '--load-balancer-ip', wished));
    expect(asked).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('mesh-1 may be cut off') });
    const [effect] = await peersOf('--load-balancer-ip', wished);
    expect(effect?.why).toContain(`which the load balancer may give up for ${wished}:2379`);

    await meshctl.ok(enable('mesh-2', '--load-balancer-ip', wished, '--yes'));
    expect(addressOf(two)).toBe(wished);
    await meshctl.ok((effect?.mend ?? '').split(' ').slice(1));
    await bothConnected();

    const waits = ['--wait-duration', '3s', '--yes'];
    const given = await meshctl.ok(enable('mesh-2', '--load-balancer-ip', taken, ...waits, '-o', 'json'));
    const says = /mesh-2: the load balancer has [\d.]+, not [\d.]+, which it was asked for/;
    expect(given.stderr.replaceAll(/\s+/g, ' ')).toMatch(says);
    const { warnings } = jsonOf(given) as { warnings: string[] };
    expect(warnings.filter((words) => says.test(words))).toHaveLength(1);
    expect((await meshctl.ok(enable('mesh-2', '--dry-run'))).stderr).toContain(`not ${taken}, which it was asked for`);
    await meshctl.ok(enable('mesh-2', '--load-balancer-ip', former, '--yes'));
    two.store.delete({ ...refs.service('shop'), namespace: 'default' });
    await meshctl.ok((effect?.mend ?? '').split(' ').slice(1));
  });

  it('goes only when it was agreed to; the plan is what is done, and the command that is printed mends', async () => {
    const refused = await meshctl(enable('mesh-2', '--service-type', 'NodePort'));
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('mesh-1 is cut off') });
    const declined = await meshctl(enable('mesh-2', '--service-type', 'NodePort'), { answers: ['n'] });
    expect(declined).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('it dials ') });

    const planned = await planOf('--service-type', 'NodePort');
    const done = jsonOf(
      await meshctl.ok(enable('mesh-2', '--service-type', 'NodePort', '--yes', '-o', 'json')),
    ) as unknown as PlanDocument;
    const changed = ({ clusters }: PlanDocument) =>
      clusters.flatMap(({ steps }) => steps.filter(({ action }) => action !== 'keep').map(({ object }) => object.name));
    // The Service, its certificate, and the note of the choice at the Deployment.
    expect(changed(planned)).toEqual([
      'clustermesh-apiserver',
      'clustermesh-apiserver-server-cert',
      'clustermesh-apiserver',
    ]);
    expect(changed(done)).toEqual(changed(planned));
    const [effect] = done.clusters.flatMap(({ peers }) => peers);
    await meshctl.ok((effect?.mend ?? '').split(' ').slice(1));
    await bothConnected();
    // Node ports stay with a load balancer: nobody has to be asked, and the plan does not say that they go.
    expect(await peersOf('--service-type', 'LoadBalancer')).toMatchObject([{ becomes: 'kept' }]);
    const plan = await meshctl.ok(enable('mesh-2', '--service-type', 'LoadBalancer', '--dry-run'));
    expect(plan.stdout).toMatch(/Service .*clustermesh-apiserver/);
    expect(plan.stdout).not.toContain('nodePort');
    expect(await peersOf('--node-port', '31999')).toMatchObject([{ becomes: 'cut' }]);
  });
});

describe('an address that the Service has no more', () => {
  const service = refs.service('clustermesh-apiserver');
  const typed = (type: string, nodePort?: number, manager = 'kubectl-patch') =>
    two.store.update(
      service,
      (live) => {
        const spec = live.spec as { type: string; ports: { nodePort?: number }[] };
        spec.type = type;
        for (const port of spec.ports) if (nodePort) port.nodePort = nodePort;
      },
      manager,
    );
  const replaced = (address: string) => {
    for (const node of two.store.list({ apiVersion: 'v1', kind: 'Node' }))
      two.store.update(refOf(node), (live) => {
        const { addresses } = live.status as { addresses: { type: string; address: string }[] };
        const own = addresses.find(({ type }) => type === 'InternalIP');
        const before = own?.address ?? '';
        undos.push(() => replaced(before));
        if (own) own.address = address;
      });
  };

  it('is told by enable, also where nothing else is to be done, with the command that mends', async () => {
    typed('NodePort', 32555);
    const [effect] = await peersOf();
    expect(effect).toMatchObject({
      peer: 'mesh-1',
      becomes: 'lost',
      why: expect.stringMatching(/^it dials .*:32555$/),
    });
    const enabled = await meshctl.ok(enable('mesh-2'));
    expect(enabled.stdout).toContain('peer mesh-1 may stay cut off: it dials ');
    expect(enabled.stdout).toContain(`→ ${effect?.mend}`);
    await meshctl.ok((effect?.mend ?? '').split(' ').slice(1));
    expect(await peersOf()).toEqual([]);
    await meshctl.ok(enable('mesh-2', '--service-type', 'LoadBalancer', '--yes', '--force-conflicts'));
    await meshctl.ok((effect?.mend ?? '').split(' ').slice(1));
  });

  it.each([
    ['of its own', []],
    ['that was chosen', ['--node-port', '31777']],
  ])('because somebody made a NodePort a ClusterIP, comes back by what is printed: a port %s', async (_what, flags) => {
    const status = ['clustermesh', 'status', '--context', 'mesh-1,mesh-2'];
    const connectAgain = ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
    await meshctl.ok(enable('mesh-2', '--service-type', 'NodePort', ...flags, '--yes', '--force-conflicts'));
    await meshctl.ok(connectAgain);
    await bothConnected();
    typed('ClusterIP');
    const { stdout } = await meshctl(status);
    const mend = '→ meshctl clustermesh enable --context mesh-2 --service-type NodePort --force-conflicts';
    expect(stdout).toContain(mend);
    await meshctl.ok([...mend.split(' ').slice(2), '--yes']);
    await bothConnected();
    expect((await meshctl(status)).exitCode).toBe(0);
    await meshctl.ok(enable('mesh-2', '--service-type', 'LoadBalancer', '--yes', '--force-conflicts'));
    await meshctl.ok(connectAgain);
  });

  it.each<[how: string, type: string, act: () => void, again: string[], isInCertificate: boolean]>([
    [
      'by a run that was killed then',
      'LoadBalancer',
      () => typed('NodePort', 0, 'meshctl'),
      ['--service-type', 'NodePort'],
      true,
    ],
    [
      'in its port, by such a run',
      'NodePort',
      () => typed('NodePort', 31_779, 'meshctl'),
      ['--node-port', '31779'],
      false,
    ],
    ['with a node that was replaced', 'NodePort', () => replaced('172.18.2.77'), [], true],
  ])(
    '%s, is told by the next run and the one after that, and nobody is called connected',
    async (_, type, act, again, isInCertificate) => {
      const connectAgain = [
        'clustermesh',
        'connect',
        '--context',
        'mesh-2',
        '--destination-context',
        'mesh-1',
        '--yes',
      ];
      const back = enable('mesh-2', '--service-type', 'LoadBalancer', '--yes');
      // What it was for in earlier tests would tell of these.
      two.store.delete(ref.server);
      await meshctl.ok(enable('mesh-2', '--service-type', type, '--yes'));
      await meshctl.ok(connectAgain);
      await bothConnected();
      act();
      const variants = await kubeconfigVariants(sandbox.kubeconfigPath);
      const alone = meshctlWith(
        await variants.write('alone', (file) => {
          file.contexts = file.contexts.filter(({ name }) => name === 'mesh-2');
        }),
      );
      try {
        const lost = [
          expect.objectContaining({ peer: 'mesh-1', becomes: 'lost', why: expect.stringMatching(/^it dials /) }),
        ];
        expect(await peersOf(...again)).toEqual(lost);
        const unread = jsonOf(
          await alone(enable('mesh-2', ...again, '--dry-run', '-o', 'json')),
        ) as unknown as PlanDocument;
        // Where the certificate does not tell of it, nothing is known.
        expect(unread.clusters.flatMap(({ peers }) => peers.map(({ why, becomes }) => [becomes, why]))).toEqual(
          isInCertificate
            ? [['lost', expect.stringMatching(/^it may dial [\d.]+, which the Service does not have any more$/)]]
            : [['kept', '']],
        );
        // Nothing is cut off by it, so nobody is asked.
        expect((await meshctl.ok(enable('mesh-2', ...again))).stdout).toContain(
          'peer mesh-1 may stay cut off: it dials ',
        );
        if (isInCertificate) expect(await peersOf()).toEqual(lost);
        await meshctl.ok(connectAgain);
        await bothConnected();
        expect(await peersOf()).toEqual([]);
      } finally {
        await variants.remove();
        for (const undo of undos.splice(0)) undo();
        await meshctl.ok(back);
        await meshctl.ok(connectAgain);
      }
    },
  );

  it('because no node of it is ready, is no success, and is mended by a node, not by connect', async () => {
    await meshctl.ok(enable('mesh-2', '--service-type', 'NodePort', '--yes'));
    const connectAgain = ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
    await meshctl.ok(connectAgain);
    const everyNode = (status: string) => {
      for (const node of two.store.list({ apiVersion: 'v1', kind: 'Node' }))
        two.store.update(refOf(node), (live) => {
          const { conditions } = live.status as { conditions: { type: string; status: string }[] };
          for (const one of conditions) if (one.type === 'Ready') one.status = status;
        });
    };
    everyNode('Unknown');
    try {
      const enabled = await meshctl(enable('mesh-2', '--yes', '--wait-duration', '30s'));
      const checked = await meshctl(['clustermesh', 'check', '--context', 'mesh-1,mesh-2', '--category', 'apiserver']);
      expect([enabled.exitCode, checked.exitCode], enabled.stdout + enabled.stderr + checked.stdout).toEqual([1, 1]);
      expect(enabled.stdout).not.toContain('✅');
      expect(enabled.stdout).toContain('no address that peers could dial: no node is ready\n');
      expect(enabled.stdout).toContain('→ kubectl --context mesh-2 get nodes -o wide');
      expect(enabled.stdout).not.toContain('clustermesh connect');
    } finally {
      everyNode('True');
      await meshctl.ok(enable('mesh-2', '--service-type', 'LoadBalancer', '--yes'));
      await meshctl.ok(connectAgain);
    }
  });

  it('is told where the Service is made anew', async () => {
    two.store.delete(service);
    const [effect] = await peersOf();
    expect(effect).toMatchObject({
      becomes: 'lost',
      why: expect.stringContaining('which a new Service may not get again'),
    });
    // It got it again: nothing is left to be done.
    const made = await meshctl.ok(enable('mesh-2'));
    expect(made.stdout).toMatch(/peer mesh-1 can connect again: it dials \S+, which the Service has again\n/);
    expect(made.stdout).not.toContain('may stay cut off');
    await meshctl.ok((effect?.mend ?? '').split(' ').slice(1));
  });
});

describe('KVStoreMesh', () => {
  /** What the agent of a cluster knows of the nodes, by `cilium-health`: Cilium keeps it while a connection is made anew. */
  async function knowsPeer(context: string, peer: string): Promise<boolean> {
    const client = sandbox.client(context);
    const [pod] = await client.listAll({
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: 'kube-system',
      labelSelector: 'k8s-app=cilium',
    });
    const command = ['cilium-health', 'status', '-o', 'json'];
    const { stdout } = await client.exec({
      namespace: 'kube-system',
      pod: pod?.metadata.name ?? '',
      container: 'cilium-agent',
      command,
      timeoutMs: 5000,
    });
    return stdout.includes(`"${peer}/`);
  }
  const dataOf = (name: string) =>
    Object.keys((two.store.get(refs.secret(name)) as { data?: object } | undefined)?.data ?? {}).sort();

  it.each([
    ['false', 'cilium-clustermesh', 'cilium-kvstoremesh'],
    ['true', 'cilium-kvstoremesh', 'cilium-clustermesh'],
  ])('%s: the files move along, and no peer is lost at any moment', async (value, to, from) => {
    const planned = await planOf(`--enable-kvstoremesh=${value}`);
    expect(planned.clusters.flatMap(({ peers }) => peers)).toEqual([
      { peer: 'mesh-1', becomes: 'moved', why: `its file goes from Secret ${from} to Secret ${to}; ${REPLACED}` },
    ]);
    let over = false;
    const looks: boolean[] = [];
    const watching = (async () => {
      while (!over) {
        looks.push(await knowsPeer('mesh-2', 'mesh-1'), await knowsPeer('mesh-1', 'mesh-2'));
        await new Promise(setImmediate);
      }
    })();
    const result = await meshctl.ok(enable('mesh-2', `--enable-kvstoremesh=${value}`));
    over = true;
    await watching;
    expect(looks.length).toBeGreaterThan(10);
    expect(looks).not.toContain(false);
    expect(result.stdout).toContain('peer mesh-1 reconnects: its file');
    await bothConnected();
    expect(dataOf(to)).toEqual([
      'mesh-1',
      'mesh-1.etcd-client-ca.crt',
      'mesh-1.etcd-client.crt',
      'mesh-1.etcd-client.key',
    ]);
    const again = await planOf();
    expect(again.summary).toMatchObject({ create: 0, update: 0, delete: 0 });
  });

  it('is not switched while a peer is not connected, since nobody could tell whether it works', async () => {
    const secret = value(two, 'cilium-kvstoremesh', 'mesh-1');
    setSecret(two, 'cilium-kvstoremesh', { 'mesh-1': secret.replace(/:\d+$/m, ':1') });
    await eventually(
      () => meshctl.status('mesh-2'),
      ({ healthy }) => !healthy,
      'the peer is lost',
    );
    for (const dryRun of [['--dry-run'], []]) {
      const refused = await meshctl(enable('mesh-2', '--enable-kvstoremesh=false', '--wait-duration', '2s', ...dryRun));
      expect(refused.exitCode).toBe(1);
      expect(refused.stderr).toContain('mesh-1 is not connected now');
      expect(refused.stdout.includes('a run is refused')).toBe(dryRun.length > 0);
    }
    setSecret(two, 'cilium-kvstoremesh', { 'mesh-1': secret });
  });
});

function value(cluster: SandboxCluster, secret: string, key: string): string {
  const { data = {} } = found(cluster.store.get(refs.secret(secret)), secret) as { data?: Record<string, string> };
  return atob(data[key] ?? '');
}

describe('a conflict', () => {
  it('names the command that was run, with its flags', async () => {
    const scaled = (replicas: number, manager: string) =>
      two.store.update(
        refs.deployment('clustermesh-apiserver'),
        (deployment) => void Object.assign(deployment.spec as object, { replicas }),
        manager,
      );
    scaled(3, 'kubectl');
    const refused = await meshctl(enable('mesh-2', '--replicas', '2', '-n', 'kube-system'));
    expect(refused.exitCode).toBe(1);
    const [, hint = ''] = /→ .*(meshctl .*)/.exec(refused.stderr) ?? [];
    expect(hint).toBe('meshctl clustermesh enable -n kube-system --context mesh-2 --replicas 2 --force-conflicts');
    await meshctl.ok(hint.split(' ').slice(1));
    await meshctl.ok(enable('mesh-2', '--replicas', '1'));
  });
});

describe('disable', () => {
  it('shows one step for each object, and what becomes of the peers', async () => {
    const { data = {} } = found(two.store.get(refs.secret('cilium-kvstoremesh')), 'the Secret') as { data?: object };
    breaks(two, refs.secret('cilium-kvstoremesh'));
    two.store.delete(refs.secret('cilium-kvstoremesh'));
    two.store.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: 'cilium-kvstoremesh',
        namespace: 'kube-system',
        annotations: { 'meshctl.io/created-by': 'connect' },
      },
      data,
    });
    const plan = jsonOf(
      await meshctl(['clustermesh', 'disable', '--context', 'mesh-2', '--dry-run', '-o', 'json']),
    ) as unknown as PlanDocument;
    const steps = plan.clusters.flatMap((cluster) => cluster.steps);
    const named = steps.filter(({ object }) => object.name === 'cilium-kvstoremesh');
    expect(named.map(({ action }) => action)).toEqual(['delete']);
    const names = steps.map(({ object }) => `${object.kind}/${object.name}`);
    expect(new Set(names).size).toBe(names.length);
    expect(plan.clusters.flatMap(({ peers }) => peers)).toMatchObject([{ peer: 'mesh-1', becomes: 'cut' }]);
  });
});
