import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type TestServer, writeKubeconfig } from '../support/apiserver.ts';
import { API_SERVERS } from '../support/apiservers.ts';

function isInstalled(): boolean {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const skip = isInstalled() ? false : 'kubectl is not installed';
if (skip) console.warn(`apiserver-kubectl.test.ts is skipped: ${skip}`);

let server: TestServer;
let kubeconfig: Awaited<ReturnType<typeof writeKubeconfig>>;

const MERGE = 'application/merge-patch+json';

interface Result {
  stdout: string;
  stderr: string;
  exitCode: number | undefined;
}

function environment(): Record<string, string> {
  return { PATH: process.env.PATH ?? '', HOME: kubeconfig.directory, KUBECONFIG: kubeconfig.path };
}

async function kubectl(
  args: string[],
  options: { input?: string; env?: Record<string, string> } = {},
): Promise<Result> {
  const { stdout, stderr, exitCode } = await execa('kubectl', args, {
    input: options.input ?? '',
    env: { ...environment(), ...options.env },
    extendEnv: false,
    reject: false,
    timeout: 120_000,
  });
  // It reads from a WebSocket before it knows its own streams, and on a busy machine discards what comes that soon.
  return UNREAD_BY_KUBECTL.test(stderr) ? kubectl(args, options) : { stdout, stderr, exitCode };
}

const UNREAD_BY_KUBECTL = /websocket\.go:\d+\] Unknown stream id \d+, discarding message/;

/** Runs kubectl, expects success, gives what it printed. */
async function run(...args: string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await kubectl(args);
  expect({ args, exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({ args, exitCode: 0, stderr: '' });
  return stdout;
}

const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: 'web' } },
  spec: {
    containers: [
      { name: 'c', image: 'web:1' },
      { name: 'd', image: 'web:1' },
    ],
  },
});
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'c', image: 'web:1', ports: [{ containerPort: 80 }] }] },
    },
  },
};
const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80 }] },
};

describe.skipIf(skip).each(API_SERVERS)('an unmodified kubectl, $name', ({ start, isReal }) => {
  let manifest: string;

  beforeAll(async () => {
    server = await start();
    kubeconfig = await writeKubeconfig(server);
    manifest = join(kubeconfig.directory, 'manifest.json');
    await writeFile(
      manifest,
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [deployment, service, pod('p')] }),
    );
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'node-1', labels: { 'node-role.kubernetes.io/control-plane': '' } },
      spec: {},
      status: {
        nodeInfo: {
          kubeletVersion: 'v1.36.1',
          osImage: 'Linux',
          kernelVersion: '6.12',
          containerRuntimeVersion: 'containerd://2.1',
        },
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '172.18.0.2' }],
      },
    };
    const nodes = '/api/v1/nodes';
    await call(server, nodes, { method: 'POST', body: node });
    const body = { metadata: { name: 'node-1' }, status: node.status };
    await call(server, `${nodes}/node-1/status`, { method: 'PATCH', body, type: MERGE });
  });
  afterAll(async () => {
    await server.close();
    await kubeconfig.remove();
  });

  test('version, api-resources', async () => {
    expect(await run('version')).toMatch(/^Server Version: v1\.\d+\.\d+/m);
    expect(await run('api-resources')).toMatch(/^ciliumnodes +cn,ciliumn +cilium.io\/v2 +false +CiliumNode$/m);
  });

  test('explain walks the fields of a kind', async () => {
    expect(await run('explain', 'deploy.spec.template.spec.containers.ports')).toMatch(
      /^GROUP: +apps\nKIND: +Deployment\nVERSION: +v1\n\nFIELD: ports <\[\]ContainerPort>\n(.*\n)* +containerPort\t<integer>/,
    );
    expect((await kubectl(['explain', 'svc.spec.nope'])).stderr).toBe('error: field "nope" does not exist');
  });

  test('apply -f twice, then server-side, then diff', async () => {
    expect(await run('apply', '-f', manifest)).toBe('deployment.apps/web created\nservice/web created\npod/p created');
    expect(await run('apply', '-f', manifest)).toBe(
      'deployment.apps/web unchanged\nservice/web unchanged\npod/p unchanged',
    );
    await run('apply', '--server-side', '-f', manifest);
    const { metadata } = JSON.parse(await run('get', 'deploy', 'web', '-o', 'json', '--show-managed-fields'));
    expect(metadata.managedFields).toContainEqual(expect.objectContaining({ manager: 'kubectl', operation: 'Apply' }));
    await run('apply', '--server-side', '-f', manifest);
    const again = JSON.parse(await run('get', 'deploy', 'web', '-o', 'json')).metadata.resourceVersion;
    expect(again).toBe(metadata.resourceVersion);
    expect(await run('diff', '-f', manifest)).toBe('');
  });

  test('get in all shapes', async () => {
    expect(await run('get', 'nodes')).toMatch(
      /^NAME +STATUS +ROLES +AGE +VERSION\nnode-1 +Ready +control-plane +\d+s +v1.36.1$/,
    );
    expect(await run('get', 'nodes', '-o', 'wide')).toContain('172.18.0.2');
    expect(await run('get', 'deploy', '-o', 'wide')).toMatch(
      /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR\nweb +0\/2 +0 +0 +\d+s +c +web:1 +app=web$/,
    );
    expect(await run('get', 'svc', 'web')).toMatch(
      /^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\nweb +LoadBalancer +10\.96\.\d+\.\d+ +<pending> +80:3\d{4}\/TCP +\d+s$/,
    );
    expect(await run('get', 'pods', '-A', '-l', 'app in (web),!x')).toMatch(
      /^NAMESPACE +NAME +READY +STATUS +RESTARTS +AGE\ndefault +p +0\/2 +Pending +0 +\d+s$/,
    );
    expect(await run('get', 'pod', 'p', '-o', 'yaml')).toContain('restartPolicy: Always');
    await run('create', 'pdb', 'some', '--selector=app=web', '--min-available=1');
    expect(await run('get', 'pdb')).toMatch(
      /^NAME +MIN AVAILABLE +MAX UNAVAILABLE +ALLOWED DISRUPTIONS +AGE\nsome +1 +N\/A +0 +\d+s$/,
    );
    await run('create', 'cronjob', 'yearly', '--image=i', '--schedule=0 0 1 1 *');
    expect(await run('get', 'cronjobs')).toMatch(
      /^NAME +SCHEDULE +TIMEZONE +SUSPEND +ACTIVE +LAST SCHEDULE +AGE\nyearly +0 0 1 1 \* +<none> +False +0 +<none> +\d+s$/,
    );
    expect(await run('get', 'ciliumnodes,secrets,sa,ds', '-A')).toBe('');
  });

  test('describe', async () => {
    await run('create', 'configmap', 'c', '--from-literal=key=value');
    await run('create', 'secret', 'generic', 's', '--from-literal=key=value');
    expect(await run('describe', 'pod', 'p')).toContain('QoS Class:        BestEffort');
    expect(await run('describe', 'node', 'node-1')).toContain('Kubelet Version:');
    expect(await run('describe', 'svc', 'web')).toContain('External Traffic Policy:  Cluster');
    expect(await run('describe', 'deploy', 'web')).toContain('Replicas:               2 desired');
    expect(await run('describe', 'secret', 's')).toContain('key:  5 bytes');
    expect(await run('describe', 'cm', 'c')).toContain('key:\n----\nvalue');
  });

  test('patch, label, annotate, scale', async () => {
    await run(
      'patch',
      'deploy',
      'web',
      '-p',
      '{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"web:2"}]}}}}',
    );
    await run('patch', 'deploy', 'web', '--type=merge', '-p', '{"spec":{"minReadySeconds":5}}');
    await run(
      'patch',
      'deploy',
      'web',
      '--type=json',
      '-p',
      '[{"op":"replace","path":"/spec/minReadySeconds","value":6}]',
    );
    await run('patch', 'pod', 'p', '--subresource=status', '--type=merge', '-p', '{"status":{"phase":"Running"}}');
    await run('label', 'deploy', 'web', 'tier=front');
    await run('annotate', 'deploy', 'web', 'note=hello');
    await run('scale', 'deploy', 'web', '--replicas=3');
    const { metadata, spec } = JSON.parse(await run('get', 'deploy', 'web', '-o', 'json'));
    expect([metadata.labels.tier, metadata.annotations.note, spec.replicas, spec.minReadySeconds]).toEqual([
      'front',
      'hello',
      3,
      6,
    ]);
    expect(spec.template.spec.containers[0]).toMatchObject({ image: 'web:2', ports: [{ containerPort: 80 }] });
  });

  test('rollout status and wait follow the status', async () => {
    const waiting = Promise.all([
      run('rollout', 'status', 'deploy/web', '--timeout=15s'),
      run('wait', '--for=condition=Available', 'deploy/web', '--timeout=15s'),
    ]);
    const { metadata } = JSON.parse(await run('get', 'deploy', 'web', '-o', 'json'));
    const replicas = 3;
    const status = {
      observedGeneration: metadata.generation,
      replicas,
      updatedReplicas: replicas,
      readyReplicas: replicas,
      availableReplicas: replicas,
      conditions: [{ type: 'Available', status: 'True' }],
    };
    const path = '/apis/apps/v1/namespaces/default/deployments/web/status';
    await call(server, path, { method: 'PATCH', body: { status }, type: MERGE });
    const [rollout, wait] = await waiting;
    expect(rollout).toContain('deployment "web" successfully rolled out');
    expect(wait).toBe('deployment.apps/web condition met');
  });

  test('get -w', async () => {
    const child = spawn('kubectl', ['get', 'cm', '-w', '--watch-only'], { env: environment() });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const exited = once(child, 'exit');
    try {
      // Nothing tells when the watch stands, so the object changes until it is seen.
      const path = '/api/v1/namespaces/default/configmaps/c';
      let count = 0;
      await expect
        .poll(
          async () => {
            count += 1;
            const body = { metadata: { labels: { count: String(count) } } };
            await call(server, path, { method: 'PATCH', body, type: MERGE });
            return output;
          },
          { interval: 200 },
        )
        .toMatch(/NAME +DATA +AGE\nc +1 +\d+s/);
    } finally {
      child.kill();
      await exited;
    }
  });

  test.skipIf(isReal).each([
    ['WebSocket', {}],
    ['SPDY', { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' }],
  ])('(sandbox only: simulated pods) exec over %s', async (_, env) => {
    expect((await kubectl(['exec', 'p', '-c', 'c', '--', 'echo', 'hi'], { env })).stdout).toBe('hi');
    expect(
      (await kubectl(['exec', '-i', 'p', '-c', 'c', '--', 'cat'], { env, input: 'x'.repeat(200_000) })).stdout,
    ).toHaveLength(200_000);
    const failed = await kubectl(['exec', 'p', '-c', 'c', '--', 'fail', '3'], { env });
    expect(failed).toMatchObject({ exitCode: 3, stderr: 'it failed\ncommand terminated with exit code 3' });
    const wrong = await kubectl(['exec', 'p', '-c', 'nope', '--', 'echo'], { env });
    expect(wrong.stderr).toBe('Error from server (BadRequest): container nope is not valid for pod p');
  });

  test.skipIf(isReal).each([
    ['a WebSocket tunnel', {}],
    ['SPDY', { KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' }],
  ])('(sandbox only: simulated pods) port-forward over %s', async (_, env) => {
    const child = spawn('kubectl', ['port-forward', 'pod/p', ':80', '--address', '127.0.0.1'], {
      env: { ...environment(), ...env },
    });
    const exited = once(child, 'exit');
    try {
      let output = '';
      child.stdout.on('data', (chunk) => {
        output += chunk;
      });
      await expect.poll(() => output).toContain('Forwarding from');
      const socket = connect(Number(/127\.0\.0\.1:(\d+)/.exec(output)?.[1]), '127.0.0.1');
      socket.write('ping');
      const [answer] = await once(socket, 'data');
      expect(String(answer)).toBe('80:ping');
      socket.destroy();
    } finally {
      child.kill();
      await exited;
    }
  });

  test.skipIf(isReal)('(sandbox only: simulated pods) logs', async () => {
    expect(await run('logs', 'p', '-c', 'd', '--tail=1')).toBe('second line of d');
  });

  test('auth', async () => {
    expect(await run('auth', 'can-i', 'create', 'deployments.apps')).toBe('yes');
    expect(await run('auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}')).toBe('kubernetes-admin');
  });

  test('errors read as from a real server', async () => {
    expect((await kubectl(['get', 'secret', 'nope'])).stderr).toBe(
      'Error from server (NotFound): secrets "nope" not found',
    );
    const typo = JSON.stringify({ ...service, spec: { ...service.spec, prots: [] } });
    expect((await kubectl(['apply', '-f', '-'], { input: typo })).stderr).toContain(
      'strict decoding error: unknown field "spec.prots"',
    );
  });

  test('delete', async () => {
    await run('create', 'namespace', 'gone');
    await run('delete', 'namespace', 'gone', '--wait=false');
    expect(await run('get', 'namespace', 'gone')).toMatch(/^gone +Terminating +\d+s$/m);
    expect((await kubectl(['-n', 'gone', 'create', 'configmap', 'late'])).stderr).toContain(
      'unable to create new content in namespace gone because it is being terminated',
    );
    // Newer ones add the namespace.
    expect(await run('delete', '-f', manifest)).toMatch(
      /^deployment.apps "web" deleted.*\nservice "web" deleted.*\npod "p" deleted/,
    );
  });
});
