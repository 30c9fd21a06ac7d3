import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import { enable, type Meshctl } from '../support/e2e-cli.ts';
import { lookBeforeEnable } from '../support/enable-look.ts';
import { changePort, changeService, removeContainer, scaleTo } from '../support/fault-parts.ts';
import { untilHealthy } from '../support/open-look.ts';
import { refs, type TestSandbox } from '../support/sandbox-mesh.ts';

/** mesh-1 and mesh-2 are connected. Any field can be set; whoever sets one that peers hang on is asked, and has a way back. */
let sandbox: TestSandbox;
let meshctl: Meshctl;
let two: SandboxCluster;

const DEPLOYMENT = 'Deployment/clustermesh-apiserver';
const SERVICE = 'Service/clustermesh-apiserver';
const POD = `${DEPLOYMENT}:spec.template.spec`;

beforeAll(async () => {
  ({ sandbox, meshctl, two } = await startConnectedMesh({ nodes: 1 }));
  await bothConnected();
});

afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await sandbox.close();
});

const bothConnected = () => untilHealthy(sandbox, ['mesh-1', 'mesh-2']);

interface PlanDocument {
  clusters: { peers: { peer: string; becomes: string; why: string; mend?: string }[]; notes?: string[] }[];
}
const planOf = async (...more: string[]) =>
  jsonOf(await meshctl(enable('mesh-2', ...more, '--dry-run', '-o', 'json'))) as unknown as PlanDocument;
const peersOf = async (...more: string[]) => (await planOf(...more)).clusters.flatMap(({ peers }) => peers);
const set = (...settings: string[]) => settings.flatMap((setting) => ['--set', setting]);

describe('what becomes of a peer', () => {
  let effectsOf: Awaited<ReturnType<typeof lookBeforeEnable>>;
  beforeAll(async () => {
    effectsOf = await lookBeforeEnable(sandbox, 'mesh-2', ['mesh-1']);
  });

  it('is what a command line says that reads the cluster for itself', async () => {
    const setting = `${SERVICE}:spec.selector={app: x}`;
    const effects = await peersOf(...set(setting));
    expect(effects).toMatchObject(
      effectsOf({ set: [setting] }).map(({ peer, becomes, why }) => ({ peer, becomes, why })),
    );
    expect(effects).toHaveLength(1);
  });

  it.each<[string, string]>([
    [`${SERVICE}:spec.selector={k8s-app: nobody}`, 'cut'],
    [`${SERVICE}:spec.selector={app: x}`, 'cut'],
    [`${SERVICE}:spec.selector=null`, 'cut'],
    [`${SERVICE}:spec.ports[0].targetPort=9999`, 'cut'],
    [`${SERVICE}:spec.ports[0].targetPort=nope`, 'cut'],
    [`${SERVICE}:spec.ports[0].port=2380`, 'cut'],
    [`${SERVICE}:spec.type=ClusterIP`, 'cut'],
    [`${DEPLOYMENT}:spec.replicas=0`, 'cut'],
    [`${POD}.containers[etcd]=null`, 'cut'],
    [`${POD}.containers[apiserver]=null`, 'cut'],
    [`${POD}.containers[kvstoremesh]=null`, 'cut'],
    [`${SERVICE}:spec.externalTrafficPolicy=Local`, 'unknown'],
    [`${SERVICE}:spec.internalTrafficPolicy=Local`, 'unknown'],
    [`${SERVICE}:spec.loadBalancerSourceRanges=[10.0.0.0/8]`, 'unknown'],
    [`${SERVICE}:metadata.annotations[service.beta.kubernetes.io/x]=y`, 'unknown'],
    [`${POD}.containers[etcd].args=[]`, 'unknown'],
    [`${POD}.containers[apiserver].command=[sleep]`, 'unknown'],
    [`${POD}.volumes[etcd-users-config].configMap.name=x`, 'unknown'],
    [`${POD}.nodeSelector={disk: ssd}`, 'unknown'],
    [`${POD}.affinity=null`, 'unknown'],
    [`${POD}.serviceAccountName=default`, 'unknown'],
    [`${POD}.hostNetwork=true`, 'unknown'],
    [`${DEPLOYMENT}:spec.strategy={type: Recreate}`, 'unknown'],
    ['ClusterRole:rules=[]', 'unknown'],
    ['ClusterRoleBinding:subjects=[]', 'unknown'],
    ['ServiceAccount:automountServiceAccountToken=false', 'unknown'],
    [`${DEPLOYMENT}:spec.replicas=3`, 'kept'],
    [`${POD}.containers[etcd].resources.requests.memory=1Gi`, 'moved'],
    [`${POD}.containers[apiserver].image=registry.example.com/x:v1.20.0`, 'moved'],
    [`${POD}.tolerations=[{operator: Exists}]`, 'moved'],
    [`${DEPLOYMENT}:spec.template.metadata.annotations[example.com/team]=a`, 'moved'],
    [`${DEPLOYMENT}:metadata.labels.team=a`, 'kept'],
    [`${SERVICE}:metadata.labels.team=a`, 'kept'],
    [`${SERVICE}:spec.sessionAffinity=ClientIP`, 'kept'],
    ['ClusterRole:metadata.annotations.team=a', 'kept'],
    ['Service/clustermesh-apiserver-metrics:spec.selector={app: x}', 'kept'],
  ])('--set %s: %s', (setting, becomes) => {
    const [effect, ...others] = effectsOf({ set: [setting] });
    expect(others).toEqual([]);
    expect(effect).toMatchObject({ peer: 'mesh-1', becomes });
  });

  it('hangs on the annotations of the Service, by which others give it its address', async () => {
    expect(await peersOf('--service-annotation', 'networking.gke.io/load-balancer-type=External')).toMatchObject([
      { becomes: 'unknown', why: expect.stringContaining('metadata.annotations.networking.gke.io/load-balancer-type') },
    ]);
  });

  it('is told of several settings at once, the worst first', async () => {
    const [effect] = await peersOf(...set(`${POD}.nodeSelector={disk: ssd}`, `${DEPLOYMENT}:spec.replicas=0`));
    expect(effect).toMatchObject({ becomes: 'cut', why: "this cluster's clustermesh-apiserver has 0 replicas" });
  });
});

describe('a setting by which nobody is served', () => {
  const selector = set(`${SERVICE}:spec.selector={k8s-app: nobody}`);

  it('is asked about, stays until it is taken back, and the command that is printed does that', async () => {
    const unasked = await meshctl(enable('mesh-2', ...selector));
    expect(unasked).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('although mesh-1 is cut off') });
    expect(await meshctl(enable('mesh-2', ...selector), { answers: ['n'] })).toMatchObject({ exitCode: 1 });

    const done = await meshctl.ok(enable('mesh-2', ...selector, '--yes'));
    const [, mend = ''] = /→ meshctl (.*)/.exec(done.stdout) ?? [];
    expect(mend).toBe(`clustermesh enable --context mesh-2 --unset ${SERVICE}:spec.selector`);
    expect((await planOf()).clusters[0]?.notes).toContain(`Set: ${SERVICE}:spec.selector (--unset undoes one)`);
    const status = await meshctl(['clustermesh', 'status', '--context', 'mesh-1,mesh-2']);
    expect(status.stdout).toContain(`→ meshctl ${mend}`);

    expect(await peersOf('--unset', `${SERVICE}:spec.selector`)).toMatchObject([{ becomes: 'restored' }]);
    await meshctl.ok(mend.split(' '));
    await bothConnected();
    expect((await planOf()).clusters[0]?.notes?.join()).not.toContain('Set:');
    expect(await peersOf()).toEqual([]);
  });

  it('is not "may be cut off" for who asks nobody: one that may be harmless is asked about too', async () => {
    const nodes = set(`${POD}.nodeSelector={kubernetes.io/os: linux, disk: ssd}`);
    const result = await meshctl(enable('mesh-2', ...nodes));
    expect(result).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('although mesh-1 may be cut off') });
  });

  it('that keeps new pods from coming up is named with the way back', async () => {
    const nodes = set(`${POD}.nodeSelector={disk: ssd}`);
    const result = await meshctl(enable('mesh-2', ...nodes, '--yes', '--wait-duration', '1s'));
    const [, takeBack = ''] =
      /→ Undo what was --set on its pods, if that is why:\s+(?:→ )?meshctl (.*)/.exec(result.stderr) ?? [];
    expect(takeBack).toBe(`clustermesh enable --context mesh-2 --unset ${POD}.nodeSelector`);
    await meshctl.ok(takeBack.split(' '));
    await bothConnected();
  });

  it('does not come back by following hints: 0 replicas, scaled up by hand, enabled again', async () => {
    const down = await meshctl(enable('mesh-2', ...set(`${DEPLOYMENT}:spec.replicas=0`), '--yes'));
    const takeBack = `meshctl clustermesh enable --context mesh-2 --unset ${DEPLOYMENT}:spec.replicas`;
    expect(down).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(`→ ${takeBack}\n`) });
    scaleTo(two, 1);
    await bothConnected();
    const again = await meshctl(enable('mesh-2', '--force-conflicts'));
    expect(again).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('although mesh-1 is cut off') });
    const conflict = await meshctl(enable('mesh-2'));
    expect(conflict).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(`Undo an earlier --set: ${takeBack}, or`),
    });
    await meshctl.ok(takeBack.split(' ').slice(1));
    expect(two.store.get(refs.deployment('clustermesh-apiserver'))).toMatchObject({ spec: { replicas: 1 } });
    expect(await peersOf()).toEqual([]);
  });
});

describe('what somebody else has changed', () => {
  afterEach(bothConnected);

  it.each<[string, (cluster: SandboxCluster) => void]>([
    [
      'the selector of the Service',
      (cluster) => changeService(cluster, ({ spec }) => Object.assign(spec, { selector: { app: 'x' } })),
    ],
    [
      'a further label that the Service selects',
      (cluster) => changeService(cluster, ({ spec }) => Object.assign(spec.selector as object, { app: 'x' })),
    ],
    ['the target port of the Service', (cluster) => changePort(cluster, { targetPort: 9999 })],
    ['a container', (cluster) => removeContainer(cluster, 'kvstoremesh')],
  ])('is put back without a question: %s', async (_what, act) => {
    act(two);
    expect(await peersOf()).toMatchObject([{ peer: 'mesh-1', becomes: 'restored' }]);
    await meshctl.ok(enable('mesh-2', '--force-conflicts'));
    expect(await peersOf()).toEqual([]);
  });
});

describe('what cannot be set', () => {
  it.each<[string[], RegExp, RegExp]>([
    [
      set('ConfigMap/clustermesh-remote-users:data[users.yaml]=x'),
      /connect and disconnect write the users/,
      /let in by connect/,
    ],
    [
      set('Secret/cilium-kvstoremesh:data.mesh-1=x'),
      /connect and disconnect write the files of peers/,
      /flags of connect/,
    ],
    [set('Secret/clustermesh-apiserver-server-cert:data[tls.crt]=x'), /enable issues this certificate/, /--ca-cert/],
    [['--unset', 'spec.replicas'], /is not Kind\/name:path/, /as it was set/],
  ])('%j', async (flags, says, hint) => {
    const { exitCode, stderr } = await meshctl(enable('mesh-2', ...flags));
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(says)]);
    expect(stderr).toMatch(hint);
  });

  it('together, only the API server says: it is asked before anything is written', async () => {
    const budget = ['minAvailable', 'maxUnavailable'].map((name) => `PodDisruptionBudget:spec.${name}=1`);
    const both = set(`${SERVICE}:metadata.labels.team=a`, ...budget);
    const { exitCode, stderr } = await meshctl(enable('mesh-2', ...both, '--pod-disruption-budget', '--yes'));
    expect([exitCode, stderr]).toEqual([
      1,
      expect.stringContaining('minAvailable and maxUnavailable cannot be both set'),
    ]);
    expect(two.store.get(refs.service('clustermesh-apiserver'))?.metadata.labels).not.toHaveProperty('team');
  });

  it('of what kubectl wrote down as set, all of it: what is printed mends, and the next run changes nothing', async () => {
    const written = { 'spec.replica': 2, 'spec.template.spec.containers[nobody].tty': true };
    two.store.update(
      refs.deployment('clustermesh-apiserver'),
      ({ metadata }) => {
        metadata.annotations = { ...metadata.annotations, 'meshctl.io/set': JSON.stringify(written) };
      },
      'kubectl-edit',
    );
    const settings = Object.keys(written).map((path) => `${DEPLOYMENT}:${path}`);
    const refused = await meshctl(enable('mesh-2'));
    expect(refused.exitCode).toBe(2);
    const undo = settings.flatMap((setting) => ['--unset', setting]);
    for (const setting of settings) expect(refused.stderr).toContain(setting);
    expect(await meshctl(enable('mesh-2', ...undo.slice(0, 2)))).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(`--unset ${settings[0]} --unset '${settings[1]}'`),
    });
    const disputed = await meshctl(enable('mesh-2', ...undo));
    expect(disputed).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/take the fields over: .*--unset/) });
    await meshctl.ok(enable('mesh-2', ...undo, '--force-conflicts'));
    const { stdout } = await meshctl.ok(enable('mesh-2', '--dry-run'));
    expect(stdout).not.toMatch(/^ +[-+~] /m);
  });

  it('is said of what is to be taken back and no run has set', async () => {
    const { stderr } = await meshctl.ok(enable('mesh-2', '--unset', `${DEPLOYMENT}:spec.paused`));
    expect(stderr).toContain(`--unset ${DEPLOYMENT}:spec.paused: no earlier run has set it`);
  });
});

describe('what would change nothing', () => {
  const REPLICAS = `${DEPLOYMENT}:spec.replicas`;

  it('is refused where a setting has the field, with the command that takes it back', async () => {
    await meshctl.ok(
      enable('mesh-1', '-y', ...set(`${REPLICAS}=2`, `${POD}.tolerations=[{key: a, operator: Exists}]`)),
    );
    for (const [flags, setting] of [
      [['--replicas', '1'], REPLICAS],
      [['--toleration', 'none'], `${POD}.tolerations`],
    ] as const) {
      const refused = await meshctl(enable('mesh-1', ...flags));
      expect(refused.exitCode).toBe(2);
      expect(refused.stderr).toContain(`${flags[0]} would change nothing: --set ${setting} has that field`);
      expect(refused.stderr).toMatch(/→ .*: meshctl clustermesh enable .* --unset /);
      await meshctl.ok(enable('mesh-1', ...flags, '--unset', setting, '-y', '--dry-run'));
    }
    await meshctl.ok(enable('mesh-1', '--replicas', '2', '--dry-run'));
    const both = await meshctl(enable('mesh-1', ...set(`${REPLICAS}=2`), '--unset', REPLICAS));
    expect({ exitCode: both.exitCode, stderr: both.stderr }).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(`--set ${REPLICAS} and --unset ${REPLICAS} are both given`),
    });
  });

  it('is told of a key size for certificates that stay, with the command that makes new ones', async () => {
    const asked = enable('mesh-1', '--key-size', '4096', '--cert-validity', '90d', '--dry-run');
    const { stderr } = await meshctl.ok(asked);
    const { warnings } = jsonOf(await meshctl.ok([...asked, '-o', 'json']));
    expect(warnings).toContainEqual(expect.stringContaining('meshctl clustermesh certs rotate --context mesh-1'));
    expect(stderr).toContain(
      '\n  → meshctl clustermesh certs rotate --context mesh-1 --key-size 4096 --cert-validity 90d\n',
    );
    const same = await meshctl.ok(enable('mesh-1', '--key-size', '2048', '--dry-run'));
    expect(same.stderr).not.toContain('certs rotate');
  });
});
