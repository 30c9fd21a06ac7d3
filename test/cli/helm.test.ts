import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { dataOf } from '../../src/mesh/objects/secret-data.ts';
import { jsonOf, runCli } from '../support/cli.ts';
import { handOverAsPrinted } from '../support/hand-over.ts';
import { enableByHand, found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { secretObject } from '../support/snapshots.ts';

const MOUNTED = '/var/lib/cilium/clustermesh';

let sandbox: TestSandbox;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshctl-helm-'));
  sandbox = await startTestSandbox({ nodes: 1, clusters: [{ provider: 'aws' }, { ciliumVersion: '1.18.12' }] });
});

afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await sandbox.close();
  await rm(directory, { recursive: true });
});

/** A `helm` that writes down how it was called, says something and ends so. */
async function fakeHelm(says: string, exitCode: number): Promise<void> {
  const script = `#!/bin/sh
for word in "$@"; do printf '%s\\n' "$word"; done > ${directory}/args
cat > ${directory}/values
printf '%b' ${JSON.stringify(says)}
exit ${exitCode}
`;
  await writeFile(join(directory, 'helm'), script);
  await chmod(join(directory, 'helm'), 0o755);
}

const meshctl = (...argv: string[]) =>
  runCli(['clustermesh', ...argv], {
    env: { KUBECONFIG: sandbox.kubeconfigPath, PATH: [directory, dirname('/bin/sh')].join(delimiter) },
    cwd: directory,
  });

describe('helm-values', () => {
  it('prints what makes the same mesh, without a private key', async () => {
    const { stdout, exitCode } = await meshctl(
      'helm-values',
      '--context',
      'mesh-1',
      '--replicas',
      '2',
      '--resources',
      'etcd:limits.memory=1Gi',
    );
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^# These values are for: helm upgrade cilium cilium\/cilium --version 1\.20\.0 --namespace kube-system --kube-context mesh-1 .*--reuse-values --values -\n/,
    );
    expect(parse(stdout)).toMatchInlineSnapshot(`
      {
        "cluster": {
          "id": 1,
          "name": "mesh-1",
        },
        "clustermesh": {
          "apiserver": {
            "etcd": {
              "resources": {
                "limits": {
                  "memory": "1Gi",
                },
              },
            },
            "kvstoremesh": {
              "enabled": true,
            },
            "replicas": 2,
            "service": {
              "annotations": {
                "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
                "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
              },
              "type": "LoadBalancer",
            },
            "tls": {
              "authMode": "migration",
              "auto": {
                "enabled": true,
                "method": "helm",
                "server": {
                  "extraDnsNames": [],
                  "extraIpAddresses": [],
                },
              },
            },
          },
          "config": {
            "clusters": [],
            "enabled": false,
          },
          "maxConnectedClusters": 255,
          "useAPIServer": true,
        },
      }
    `);
    expect(stdout).not.toContain('PRIVATE KEY');
  });

  it('puts the names of the certificate where the version has them', async () => {
    await enableByHand(found(sandbox.clusters[1], 'cluster'), { kvstoremesh: true, ciliumVersion: '1.18.12' });
    const { stdout } = await meshctl('helm-values', '--context', 'mesh-2', '-o', 'json');
    const { clustermesh } = JSON.parse(stdout) as { clustermesh: { apiserver: { tls: unknown } } };
    expect(clustermesh.apiserver.tls).toMatchObject({
      authMode: 'migration',
      server: { extraIpAddresses: [expect.stringMatching(/^172\./)], extraDnsNames: [] },
    });
  });

  it('has no counterpart for --set', async () => {
    const { exitCode, stderr } = await meshctl(
      'helm-values',
      '--context',
      'mesh-1',
      '--set',
      'Deployment:spec.paused=true',
    );
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--set has no counterpart');
  });
});

describe('enable --via-helm', () => {
  it('is refused before Helm runs, dry or not, until what meshctl made is handed over', async () => {
    await fakeHelm('must not run', 9);
    const mesh2 = found(sandbox.clusters[1], 'mesh-2');
    const viaHelm = (...more: string[]) => meshctl('enable', '--context', 'mesh-2', '--via-helm', ...more);
    const says = 'context "mesh-2": Helm refuses to adopt objects that it has not made';
    const results = [await viaHelm(), await viaHelm('--dry-run=server'), await viaHelm('--dry-run')];
    for (const { exitCode, stderr } of results) {
      expect(exitCode).toBe(1);
      expect(stderr).toContain(says);
    }
    expect(results[2]?.stdout).toContain(`✗ ${says}\nNothing was changed (--dry-run); a run is refused.\n`);
    const json = await viaHelm('--dry-run', '-o', 'json');
    expect(jsonOf(json)).toMatchObject({ failures: [{ context: 'mesh-2', error: { code: 'Conflict' } }] });
    handOverAsPrinted(mesh2, results[0]?.stderr ?? '');
    expect(await viaHelm('--dry-run')).toMatchObject({ exitCode: 0 });
    // Nothing is meshctl's there, and no tool has made the CA.
    const byHand = (await meshctl('enable', '--context', 'mesh-1', '--via-helm')).stderr;
    expect(handOverAsPrinted(found(sandbox.clusters[0], 'mesh-1'), byHand)[0]).toEqual(['secret/cilium-ca']);
  });

  it('runs helm with the values on its standard input, shows what it says, and waits', async () => {
    await fakeHelm('Release "cilium" has been upgraded. Happy Helming!\\n', 0);
    const result = await meshctl('enable', '--context', 'mesh-2', '--via-helm', '--wait-duration', '5s');
    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stdout).toContain('✅ Cluster Mesh is enabled in mesh-2 (context mesh-2, id 2) by Helm');
    expect(result.stderr).toContain('helm: Release "cilium" has been upgraded.');
    const args = (await readFile(join(directory, 'args'), 'utf8')).trim().split('\n');
    expect(args).toEqual([
      ...['upgrade', 'cilium', 'cilium', '--repo', 'https://helm.cilium.io', '--version', '1.18.12'],
      ...['--namespace', 'kube-system', '--kube-context', 'mesh-2', '--reuse-values', '--values', '-'],
    ]);
    const values = parse(await readFile(join(directory, 'values'), 'utf8')) as Record<string, unknown>;
    expect(values).toMatchObject({ clustermesh: { useAPIServer: true } });
  });

  it('makes the list of users only where the chart does not, and says that it stays where Helm fails', async () => {
    await fakeHelm('Error: something new', 1);
    const { store } = found(sandbox.clusters[0], 'mesh-1');
    const users = refs.configMap('clustermesh-remote-users');
    const viaHelm = () => meshctl('enable', '--context', 'mesh-1', '--via-helm', '--yes');
    const file = `endpoints:\n- https://10.0.0.9:2379\ncert-file: ${MOUNTED}/common-etcd-client.crt\n`;
    const peers = secretObject('cilium-clustermesh', { 'mesh-9': file });
    peers.metadata.annotations = { 'meta.helm.sh/release-name': 'cilium' };
    store.create(peers);
    const made = await viaHelm();
    expect(made).toMatchObject({ exitCode: 1, stderr: expect.not.stringContaining('stays as written') });
    const values = parse(await readFile(join(directory, 'values'), 'utf8'));
    expect(values).toMatchObject({ clustermesh: { config: { enabled: true } } });
    expect(store.get(users)).toBeUndefined();
    store.delete(refs.secret('cilium-clustermesh'));
    expect((await viaHelm()).stderr).toContain('ConfigMap kube-system/clustermesh-remote-users stays as written');
    expect(store.get(users)).toBeDefined();
    store.delete(users);
  });

  it('gives Helm no list of peers that is out of date by the time that another cluster took', async () => {
    const [begun, on] = [join(directory, 'begun'), join(directory, 'on')];
    await execa('mkfifo', [on]);
    const wait = `case "$*" in *mesh-2*) : > ${begun}; read -r _ < ${on};; *) exit 9;; esac`;
    await writeFile(join(directory, 'helm'), `#!/bin/sh\n${wait}\n`);
    const run = meshctl('enable', '--context', 'mesh-2,mesh-1', '--via-helm', '--yes', '--wait-duration', '5s');
    await expect.poll(() => existsSync(begun)).toBe(true);
    const { store } = found(sandbox.clusters[0], 'mesh-1');
    const users = refs.configMap('clustermesh-remote-users');
    const data = { 'users.yaml': 'users:\n- name: remote-mesh-9\n  role: remote\n' };
    store.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: users.name, namespace: 'kube-system' },
      data,
    });
    await writeFile(on, 'on\n');
    const result = await run;
    expect(result).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('mesh-9 was connected meanwhile') });
    store.delete(users);
  });

  it('says with --dry-run what a run asks about and does beside Helm, and asks about that and nothing else', async () => {
    await fakeHelm('must not run', 1);
    const { store } = found(sandbox.clusters[0], 'mesh-1');
    const service = { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/8'], ports: [{ port: 2379 }] };
    store.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'clustermesh-apiserver',
        namespace: 'kube-system',
        annotations: { 'meta.helm.sh/release-name': 'cilium' },
      },
      spec: service,
    });
    const argv = ['enable', '--context', 'mesh-1', '--via-helm', '--load-balancer-source-ranges', '0.0.0.0/0'];
    const says = /clients in 0\.0\.0\.0\/0 get in too, until now only those in 10\.0\.0\.0\/8/;
    const dry = await meshctl(...argv, '--dry-run', '-o', 'json');
    expect(dry.exitCode, dry.stderr).toBe(0);
    expect(dry.stderr).toMatch(says);
    expect(jsonOf(dry)).toMatchObject({
      clusters: [
        {
          hazards: [expect.stringMatching(says)],
          peers: [],
          steps: [{ action: 'create', object: { name: 'clustermesh-remote-users' } }],
        },
      ],
    });
    const run = await runCli(['clustermesh', ...argv], {
      env: { KUBECONFIG: sandbox.kubeconfigPath },
      answers: ['n'],
    });
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toMatch(says);
    expect(run.stderr).toContain('+ create ConfigMap kube-system/clustermesh-remote-users');
    expect(run.stderr).not.toMatch(/(update|create) (Deployment|Service|Secret)/);
    store.delete(refs.service('clustermesh-apiserver'));
  });

  it('says with --dry-run what it would run', async () => {
    await fakeHelm('must not run', 1);
    const flags = ['--replicas', '3', '--via-helm', '--dry-run', '--pod-disruption-budget', '--wait-duration=1m', '-y'];
    const result = await meshctl('enable', '--context', 'mesh-1', ...flags, '-o', 'json');
    expect(result.exitCode, result.stderr + result.stdout).toBe(0);
    const data = jsonOf(result) as unknown as { clusters: { values: object }[] };
    expect(data).toMatchObject({ kind: 'HelmResult', dryRun: 'client', clusters: [{ context: 'mesh-1' }] });
    const { stdout } = await meshctl('enable', '--all', ...flags);
    expect(stdout).toMatch(/\nNothing was changed \(--dry-run\)\.\n$/);
    // Piped into the one line, the other gives what this run would.
    const [, line = ''] =
      /with the values of: meshctl clustermesh (helm-values --context mesh-1 .*)/.exec(stdout) ?? [];
    expect(line).toBe('helm-values --context mesh-1 --replicas 3 --pod-disruption-budget');
    const printed = parse((await meshctl(...line.split(' '))).stdout) as object;
    expect(printed).toEqual(found(data.clusters[0], 'mesh-1').values);
    expect(printed).toMatchObject({ clustermesh: { apiserver: { replicas: 3 } } });
  });

  it.each([
    ['corp-cilium', [], ['corp-cilium', '--repo', 'https://helm.cilium.io']],
    ['corp-cilium', ['--helm-repo', 'https://c.example'], ['corp-cilium', '--repo', 'https://c.example']],
    ['corp/cilium', [], ['corp/cilium']],
    ['./charts', [], ['./charts']],
  ])('names the repository of a chart that is only named: %s %j', async (chart, repository, words) => {
    const flags = ['--via-helm', '--dry-run', '-o', 'json', '--helm-chart', chart, ...repository];
    const { clusters } = jsonOf(await meshctl('enable', '--context', 'mesh-2', ...flags)) as {
      clusters: { command: string[] }[];
    };
    expect(clusters[0]?.command.slice(3, 4 + words.length)).toEqual([...words, '--version']);
  });

  it('has no repository for a chart that says where it is', async () => {
    const flags = ['--helm-chart', 'oci://c.example/cilium', '--helm-repo', 'https://c.example'];
    expect(await meshctl('enable', '--context', 'mesh-2', '--via-helm', ...flags)).toMatchObject({ exitCode: 2 });
  });

  it.each([
    [
      'Error: UPGRADE FAILED: Service "clustermesh-apiserver" in namespace "kube-system" exists and cannot be imported into the current release: invalid ownership metadata',
      /cannot be imported/,
      /Others made objects that Helm would make: .+managed-by=Helm/,
    ],
    [
      'Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress',
      /another operation/,
      /helm rollback/,
    ],
    [
      'Error: UPGRADE FAILED: conflict occurred while applying object kube-system/x /v1, Kind=Secret: Apply failed with 2 conflicts: conflicts with "meshctl":\\n- .data.tls.crt\\n- .data.tls.key',
      /Apply failed with 2 conflicts: conflicts with "meshctl"\n/,
      /take them over: meshctl clustermesh enable --context mesh-2 --via-helm --force-conflicts/,
    ],
    ['Error: unknown flag: --force-conflicts', /unknown flag/, /leave --force-conflicts out/],
    ['Error: UPGRADE FAILED: "cilium" has no deployed releases', /no deployed releases/, /--helm-release/],
    ['Error: unknown flag: --hide-secret', /unknown flag/, /before 3\.15 prints private keys/],
    ['Error: something new', /something new/, /What Helm said is above/],
  ])('says what to do about %j', async (says, message, hint) => {
    await fakeHelm(`${says}\\n`, 1);
    const result = await meshctl('enable', '--context', 'mesh-2', '--via-helm');
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).toMatch(hint);
  });

  it.each([0, 1])('shows no private key of what a dry run prints, also with --debug and exit %i', async (exitCode) => {
    const key = String(dataOf(sandbox.clusters[1]?.store.get(refs.secret('cilium-ca')))['ca.key']);
    await fakeHelm(
      `Release "cilium" has been upgraded.\\nMANIFEST:\\n---\\nkind: Secret\\ndata:\\n  ca.key: ${key}\\nWARNING: late words\\n  password: c2hvcnQ=\\nError: object map[ca.key:${key}] is wrong\\n`,
      exitCode,
    );
    const flags = ['--force-conflicts', '--dry-run=server', '--debug'];
    const result = await meshctl('enable', '--context', 'mesh-2', '--via-helm', ...flags);
    expect(result.exitCode).toBe(exitCode);
    const output = result.stdout + result.stderr;
    expect(output).toContain('Release "cilium" has been upgraded.');
    expect(output).toContain('late words');
    expect(output).toContain('object map[ca.key:<hidden>] is wrong');
    expect(key.length).toBeGreaterThan(1000);
    expect((key.match(/.{30}/g) ?? []).filter((piece) => output.includes(piece))).toEqual([]);
    expect(output).not.toContain('c2hvcnQ=');
    const args = await readFile(join(directory, 'args'), 'utf8');
    expect(args).toContain('--force-conflicts\n--dry-run=server\n--hide-secret\n');
  });

  it('says that helm is missing', async () => {
    await rm(join(directory, 'helm'));
    const result = await meshctl('enable', '--context', 'mesh-2', '--via-helm');
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('helm is not installed');
  });

  it('does not do what only meshctl can', async () => {
    const result = await meshctl('enable', '--context', 'mesh-2', '--via-helm', '--replace-ca');
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('--replace-ca cannot be used with --via-helm');
  });
});
