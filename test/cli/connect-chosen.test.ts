import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, isMeshWrite, startConnectClusters } from '../support/connect-clusters.ts';
import { printedCommands } from '../support/printed-commands.ts';
import { eventually, found, refs } from '../support/sandbox-mesh.ts';

let clusters: ConnectClusters;

beforeAll(async () => {
  clusters = await startConnectClusters(3);
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

const ARGV = ['--context', 'mesh-1', '--destination-context', 'mesh-2'];
const connect = (...more: string[]) => clusters.meshctl(['clustermesh', 'connect', ...more]);
const ok = async (...more: string[]) => {
  const result = await connect(...more);
  expect(result.exitCode, result.stderr).toBe(0);
  return result;
};
const partAll = async () => {
  const result = await clusters.meshctl(['clustermesh', 'disconnect', '--all', '--yes']);
  expect(result.exitCode, result.stderr).toBe(0);
};
const storeOf = (context: string) =>
  found(
    clusters.clusters.find((cluster) => cluster.context === context),
    context,
  ).store;
const fileOf = (context: string, peer: string) =>
  secretTexts(storeOf(context).get(refs.secret('cilium-kvstoremesh')))[peer] ?? '';
/** Of a check on peers. */
const findings = async (id: string) => {
  const check = ['clustermesh', 'check', '--context', 'mesh-1,mesh-2', '--category', 'peers', '-o', 'json'];
  const result = await clusters.meshctl(check);
  const { checks } = jsonOf(result) as { checks: { id: string; severity: string }[] };
  return checks.filter((entry) => entry.id === id).map(({ severity }) => severity);
};

describe('an endpoint that was chosen', () => {
  it('stays, also when a third cluster comes, is healthy to check, and goes when the Service is asked for', async () => {
    await ok(...ARGV);
    const planned = await ok(...ARGV, '--destination-endpoint', 'mesh-2=lb.example', '--dry-run');
    expect(planned.stdout).toMatch(/dials 172\.18\.2\.100:2379 → dials lb\.example:2379/);
    await ok(...ARGV, '--destination-endpoint', 'mesh-2=lb.example', '--destination-endpoint', 'mesh-2=172.18.2.100');
    const chosen = fileOf('mesh-1', 'mesh-2');
    expect(chosen).toContain('https://lb.example:2379\n- https://172.18.2.100:2379\n');

    const again = await ok(...ARGV);
    expect(again.stdout).toContain('Nothing to change: mesh-1 and mesh-2 are set up to dial each other');
    expect(again.stdout).toContain('mesh-2 is dialled at lb.example:2379, 172.18.2.100:2379');
    expect(again.stderr).not.toMatch(/Issuing|Letting|Writing/);
    expect(again.stderr).toContain(
      '→ dial the Service again: meshctl clustermesh connect --context mesh-1 --destination-context mesh-2 --destination-endpoint mesh-2=service',
    );
    await ok('--all');
    expect(fileOf('mesh-1', 'mesh-2')).toBe(chosen);
    expect(fileOf('mesh-3', 'mesh-2')).not.toContain('lb.example');
    expect(await findings('peers-endpoint')).not.toContain('fail');

    // What is lost comes back as it was chosen.
    storeOf('mesh-1').delete(refs.secret('cilium-kvstoremesh'));
    await ok(...ARGV);
    expect(fileOf('mesh-1', 'mesh-2')).toBe(chosen);

    await ok(...ARGV, '--destination-endpoint', 'mesh-2=service');
    expect(fileOf('mesh-1', 'mesh-2')).toContain('endpoints:\n- https://172.18.2.100:2379\ntrusted');
    expect((await connect(...ARGV)).stderr).not.toContain('lb.example');
    await partAll();
  });

  it('that nobody chose follows the load balancer, and disconnect forgets what was chosen', async () => {
    await ok(...ARGV, '--destination-endpoint', 'mesh-2=172.18.2.100', '--credentials', 'per-peer');
    await partAll();
    expect(storeOf('mesh-1').get(refs.secret('cilium-clustermesh'))?.metadata.annotations ?? {}).toEqual({});
    await ok(...ARGV);
    const expose = (type: string) =>
      storeOf('mesh-2').update(refs.service('clustermesh-apiserver'), (live) => {
        const spec = live.spec as { type: string; ports: { nodePort?: number }[] };
        spec.type = type;
        for (const port of spec.ports) port.nodePort = 32400;
      });
    expose('NodePort');
    const moved = await ok(...ARGV, '--dry-run');
    expect(moved.stdout).toMatch(/dials 172\.18\.2\.100:2379 → dials [\d.]+:32400/);
    expect(await findings('peers-endpoint')).toContain('fail');
    // The addresses of a NodePort are its nodes': who cannot reach a peer is told of them too.
    const gone = await eventually(
      () => clusters.meshctl(['clustermesh', 'status', '--context', 'mesh-1,mesh-2']),
      ({ stdout }) => stdout.includes('mesh-2 is dialled at 172.18.2.100:2379, but the Service of mesh-2 has'),
      'the status names the address that is gone',
    );
    expect(gone.exitCode).toBe(1);
    expect(gone.stdout).toContain(`→ meshctl clustermesh connect ${ARGV.join(' ')}\n`);
    expose('LoadBalancer');
    await partAll();
  });

  it.each(['999.1.1.1:2379', 'mesh-2=1.2.3:2379', '010.0.0.1', '-x.example', 'a..b'])(
    '%s is refused before anything is read',
    async (endpoint) => {
      clusters.requests.length = 0;
      const result = await connect(...ARGV, `--destination-endpoint=${endpoint}`);
      expect(result.exitCode, result.stderr).toBe(2);
      expect(result.stderr).toContain('is not an endpoint');
      expect(clusters.requests).toEqual([]);
    },
  );
});

describe('a one-way connection', () => {
  it('is healthy seen from either side, and to check', async () => {
    await ok(...ARGV, '--connection-mode', 'unicast');
    const status = (...more: string[]) => clusters.meshctl(['clustermesh', 'status', ...more]);
    const serving = await status('--context', 'mesh-2');
    expect(serving).toMatchObject({ exitCode: 0 });
    expect(serving.stdout).toContain(
      '✅ mesh-2 dials no cluster, as chosen; mesh-1, which is to dial it, was not read',
    );
    expect(serving.stdout).toContain('meshctl clustermesh status --context mesh-2,mesh-1\n');
    expect(jsonOf(await status('--context', 'mesh-2', '-o', 'json'))).toMatchObject({
      healthy: true,
      serves: ['mesh-1'],
    });

    const both = await status('--context', 'mesh-1,mesh-2', '--wait', '--wait-duration', '20s');
    expect(both.stdout).toContain('connected to all their peers (one-way, as chosen: mesh-1 → mesh-2)');
    expect(both.exitCode).toBe(0);
    for (const contexts of ['mesh-2', 'mesh-1,mesh-2']) {
      const check = await clusters.meshctl(['clustermesh', 'check', '--context', contexts, '--category', 'peers']);
      expect(check).toMatchObject({ exitCode: 0 });
    }
    expect(await findings('peers-mutual')).not.toContain('warn');

    // One side gone, the other one is not what it says it is.
    expect(
      (await clusters.meshctl(['clustermesh', 'disconnect', '--context', 'mesh-1', '--peer', 'mesh-2', '--yes']))
        .exitCode,
    ).toBe(0);
    const left = await status('--context', 'mesh-1,mesh-2');
    expect(left.exitCode).toBe(1);
    expect(left.stdout).not.toContain('only');
    expect(left.stdout).toContain('mesh-1 does not dial mesh-2, which lets it in one-way, as chosen');
    await partAll();
    expect(storeOf('mesh-2').get(refs.secret('cilium-clustermesh'))?.metadata.annotations ?? {}).toEqual({});
  });

  it('is not made of one that goes both ways, but by the commands that are printed, and back', async () => {
    await ok(...ARGV);
    clusters.requests.length = 0;
    const refused = await connect(...ARGV, '--connection-mode', 'unicast');
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('"mesh-2" dials "mesh-1" too');
    expect(clusters.requests.filter(isMeshWrite)).toEqual([]);
    for (const { argv } of printedCommands({ stdout: '', stderr: refused.stderr })) {
      const result = await clusters.meshctl([...argv, ...(argv.includes('disconnect') ? ['--yes'] : [])]);
      expect(result.exitCode, result.stderr).toBe(0);
    }
    expect(fileOf('mesh-2', 'mesh-1')).toBe('');
    expect(fileOf('mesh-1', 'mesh-2')).not.toBe('');
    const healthy = await clusters.meshctl(['clustermesh', 'status', '--context', 'mesh-2']);
    expect(healthy.stdout).toContain('one-way');

    await ok(...ARGV, '--connection-mode', 'bidirectional');
    expect(fileOf('mesh-2', 'mesh-1')).not.toBe('');
    const both = await clusters.meshctl(['clustermesh', 'status', '--context', 'mesh-2']);
    expect(both.stdout).not.toContain('one-way');
    expect(storeOf('mesh-2').get(refs.secret('cilium-clustermesh'))?.metadata.annotations ?? {}).toEqual({});
    await partAll();
  });

  it('that nobody chose is told, with the command that mends it', async () => {
    await ok(...ARGV);
    const part = ['clustermesh', 'disconnect', '--context', 'mesh-2', '--destination-context', 'mesh-1'];
    expect((await clusters.meshctl([...part, '--connection-mode', 'unicast', '--yes'])).exitCode).toBe(0);
    // What was written down about it is lost on both sides.
    for (const context of ['mesh-1', 'mesh-2']) {
      const ref = refs.secret('cilium-clustermesh');
      if (storeOf(context).get(ref)) storeOf(context).update(ref, ({ metadata }) => void delete metadata.annotations);
    }
    const told = await clusters.meshctl(['clustermesh', 'status', '--context', 'mesh-2']);
    expect(told.exitCode).toBe(1);
    expect(told.stdout).toContain('mesh-2 dials no cluster, although it lets mesh-1 in');
    const commands = printedCommands(told);
    expect(commands.map(({ line }) => line)).toEqual([
      'meshctl clustermesh connect --context mesh-2 --destination-context mesh-1',
    ]);
    for (const { argv } of commands) expect((await clusters.meshctl(argv)).exitCode).toBe(0);
    expect(fileOf('mesh-2', 'mesh-1')).not.toBe('');
    await partAll();
  });

  it('is no ground for a connectivity test, whose hint makes it go both ways', async () => {
    await ok(...ARGV, '--connection-mode', 'unicast');
    const test = await clusters.meshctl(['connectivity', 'test', '--context', 'mesh-1,mesh-2']);
    expect(test.exitCode).toBe(1);
    for (const { argv } of printedCommands(test)) expect((await clusters.meshctl(argv)).exitCode).toBe(0);
    expect(fileOf('mesh-2', 'mesh-1')).not.toBe('');
    await partAll();
  });

  it('stays one-way until a mode is asked for, whose additions are shown', async () => {
    const before = clusters.objects();
    await ok(...ARGV, '--connection-mode', 'unicast');
    const again = await ok(...ARGV);
    expect(again.stdout).toContain('Nothing to change: mesh-1 dials mesh-2');
    expect(again.stderr).toContain('--connection-mode bidirectional');
    expect(fileOf('mesh-2', 'mesh-1')).toBe('');
    await ok('--all');
    expect(fileOf('mesh-2', 'mesh-1')).toBe('');
    expect(await findings('peers-mutual')).not.toContain('warn');

    const planned = await ok('--all', '--connection-mode', 'mesh', '--dry-run');
    expect(planned.stderr).toContain('"mesh-2" starts to dial "mesh-1": until now that connection was one-way');
    expect(planned.stdout).toContain('data.mesh-1: dials 172.18.1.100:2379');
    await ok('--all', '--connection-mode', 'mesh');
    expect(fileOf('mesh-2', 'mesh-1')).not.toBe('');
    await partAll();
    expect(clusters.objects()).toEqual(before);
  });

  it('stays so where one side has lost what it had written down', async () => {
    await ok(...ARGV, '--connection-mode', 'unicast');
    // Either side's word is enough, and is written down again on the other one.
    storeOf('mesh-1').delete(refs.secret('cilium-clustermesh'));
    const kept = await ok('--all');
    expect(kept.stderr).toContain('"mesh-1" dials "mesh-2" and not the other way round, as chosen');
    expect(fileOf('mesh-2', 'mesh-1')).toBe('');
    expect(storeOf('mesh-1').get(refs.secret('cilium-clustermesh'))?.metadata.annotations).toMatchObject({
      'meshctl.io/mode.mesh-2': 'unicast',
    });
    await partAll();
  });
});

describe('the plan of a connect', () => {
  const planned = async (...more: string[]) => {
    const { stdout } = await connect('--context', 'mesh-1', '--destination-context', 'mesh-3', '--dry-run', ...more);
    const { clusters: plans } = JSON.parse(stdout) as { clusters: { context: string; peers: { peer: string }[] }[] };
    return Object.fromEntries(plans.map(({ context, peers }) => [context, peers]));
  };

  it('says what becomes of the connections that there are', async () => {
    await ok(...ARGV);
    expect(await planned('-o', 'json')).toEqual({
      'mesh-1': [{ peer: 'mesh-2', becomes: 'kept', why: '' }],
      'mesh-3': [],
    });
    const moved = await ok(...ARGV, '--destination-endpoint', 'mesh-2=lb.example', '--dry-run');
    expect(moved.stdout).toContain('? peer mesh-2 may be cut off: dials 172.18.2.100:2379 → dials lb.example:2379');
    expect(moved.stdout).toContain('lb.example:2379 has not been tried from there');
    const unknown = 'it is not known who answers mesh-1 at lb.example:2379: the Service of mesh-2 has no such address';
    expect(moved.stderr).toContain(unknown);
    const plan = await ok(...ARGV, '--destination-endpoint', 'mesh-2=lb.example', '--dry-run', '-o', 'json');
    expect(JSON.parse(plan.stdout)).toMatchObject({ warnings: expect.arrayContaining([unknown]) });

    const astray = [...ARGV, '--destination-endpoint', '10.9.9.9:2379'];
    expect(await connect(...astray)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('may be cut off') });
    expect(fileOf('mesh-1', 'mesh-2')).toContain('172.18.2.100');
    await ok(...astray, '--yes');
    const back = `${['meshctl clustermesh connect', ...ARGV].join(' ')} --destination-endpoint mesh-2=service`;
    for (const contexts of ['mesh-1', 'mesh-1,mesh-2']) {
      const status = () => clusters.meshctl(['clustermesh', 'status', '--context', contexts]);
      const astrayStatus = await eventually(
        status,
        ({ stdout }) => stdout.includes('chosen'),
        'the status names the choice',
      );
      const text = astrayStatus.stdout.replaceAll(/\s+/g, ' ');
      expect(astrayStatus.exitCode).toBe(1);
      expect(text).toContain('mesh-2 is dialled at 10.9.9.9:2379, as it was chosen');
      expect(text).toContain(back);
    }
    // The address of a third cluster: somebody answers, with another CA.
    const another = await ok(...ARGV, '--destination-endpoint', 'mesh-2=172.18.3.100:2379', '--yes');
    expect(another.stdout).toContain('✅ mesh-1 and mesh-2 are set up to dial each other\n');
    expect(another.stdout).toContain('It is not known who answers mesh-1 at 172.18.3.100:2379');
    expect(another.stdout).toContain('meshctl clustermesh status --context mesh-1,mesh-2 --wait');
    const refused = await eventually(
      () => clusters.meshctl(['clustermesh', 'status', '--context', 'mesh-1,mesh-2']),
      ({ stdout }) => stdout.includes('unknown authority'),
      'the status says who answers',
    );
    expect(refused.stdout.replaceAll(/\s+/g, ' ')).toContain(back);
    expect(refused.stdout).not.toContain('meshctl clustermesh enable');
    const same = await ok(...ARGV);
    expect(same.stdout).not.toContain('connected\n');
    expect(same.stderr).not.toContain('who answers');
    expect(JSON.parse((await ok(...ARGV, '-o', 'json')).stdout)).toMatchObject({
      unproved: [{ from: 'mesh-1', to: 'mesh-2', addresses: ['172.18.3.100:2379'] }],
    });
    await ok(...ARGV, '--destination-endpoint', 'mesh-2=service');
    await partAll();
  });
});

describe('a remote that cannot be proved', () => {
  it('is seen before anything is written, with the command that brings its pods up', async () => {
    const ref = refs.deployment('clustermesh-apiserver');
    const scale = (replicas: number) =>
      storeOf('mesh-2').update(ref, (live) => {
        (live.spec as { replicas: number }).replicas = replicas;
      });
    scale(0);
    const pods = () => storeOf('mesh-2').list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' });
    await expect.poll(() => pods().some(({ metadata }) => metadata.name.startsWith('clustermesh-'))).toBe(false);
    clusters.requests.length = 0;
    const result = await connect(...ARGV);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('no clustermesh-apiserver pod is ready (its Deployment is scaled to 0)');
    expect(result.stderr).toContain(
      'kubectl --context mesh-2 -n kube-system scale deployment/clustermesh-apiserver --replicas=1',
    );
    expect(clusters.requests.filter(isMeshWrite)).toEqual([]);
    scale(1);
  });
});
