import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createAuthority } from '../../src/pki/authority.ts';
import { createKinds, type ResourceType } from '../../src/sandbox/apiserver/storage/kinds.ts';
import { call, clientIdentities, servingCertificate, type TestServer } from './apiserver.ts';
import { freePort } from './free-port.ts';

/** The kube-apiserver to compare the sandbox with, as the environment names it; undefined for none. */
export const KUBE_APISERVER = process.env.MESHCTL_KUBE_APISERVER || undefined;

const START_TIMEOUT_MS = 120_000;
const LOOK_INTERVAL_MS = 100;
const STOP_TIMEOUT_MS = 10_000;

/**
 * Starts a kube-apiserver on an etcd of its own (`MESHCTL_ETCD`, else etcd on PATH), in a temporary directory and on free
 * ports, with Cilium's kinds and the role bindings of every cluster; no controllers, no nodes. A token `robot-token` is of
 * user robot in group robots. Throws with the end of its log if it does not become ready.
 */
export async function startRealServer(): Promise<TestServer> {
  if (KUBE_APISERVER === undefined) throw new Error('MESHCTL_KUBE_APISERVER names no kube-apiserver');
  const directory = await mkdtemp(join(tmpdir(), 'meshctl-kube-apiserver-'));
  const file = (name: string): string => join(directory, name);
  const authority = await createAuthority({ commonName: 'kubernetes' });
  const serving = await servingCertificate(authority);
  await Promise.all([
    writeFile(file('ca.crt'), authority.certificate),
    writeFile(file('server.crt'), serving.certificate),
    writeFile(file('server.key'), serving.privateKey, { mode: 0o600 }),
    writeFile(file('tokens.csv'), 'robot-token,robot,1,robots\n', { mode: 0o600 }),
  ]);
  const [clientPort, peerPort, port] = await Promise.all([freePort(), freePort(), freePort()]);
  const etcdUrl = `http://127.0.0.1:${clientPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const etcd = run(process.env.MESHCTL_ETCD || 'etcd', [
    `--data-dir=${file('etcd')}`,
    `--listen-client-urls=${etcdUrl}`,
    `--advertise-client-urls=${etcdUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    '--unsafe-no-fsync',
    '--log-level=error',
  ]);
  const server = run(KUBE_APISERVER, [
    `--etcd-servers=${etcdUrl}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    '--endpoint-reconciler-type=none',
    `--cert-dir=${directory}`,
    `--client-ca-file=${file('ca.crt')}`,
    `--tls-cert-file=${file('server.crt')}`,
    `--tls-private-key-file=${file('server.key')}`,
    `--token-auth-file=${file('tokens.csv')}`,
    `--service-account-key-file=${file('server.key')}`,
    `--service-account-signing-key-file=${file('server.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--authorization-mode=RBAC',
    '--anonymous-auth=false',
    '--allow-privileged=true',
    // No controllers run: nobody would make service accounts or untaint nodes.
    '--disable-admission-plugins=ServiceAccount,TaintNodesByCondition',
  ]);
  const close = async (): Promise<void> => {
    await server.stop();
    await etcd.stop();
    await rm(directory, { recursive: true, force: true });
  };
  const test: TestServer = {
    url: `https://127.0.0.1:${port}`,
    ca: authority.certificate,
    ...(await clientIdentities(authority)),
    close,
  };
  try {
    await untilReady(test, [etcd, server]);
    await defineCustomKinds(test);
  } catch (error) {
    await close();
    throw error;
  }
  return test;
}

interface Program {
  ended(): boolean;
  log(): string;
  stop(): Promise<void>;
}

/** A child that ends with the tests at the latest. */
function run(program: string, args: readonly string[]): Program {
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-4000);
  });
  let ended = false;
  child.on('error', (error) => {
    ended = true;
    log += error.message;
  });
  const exited = once(child, 'exit').then(
    () => {
      ended = true;
    },
    () => {},
  );
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  return {
    ended: () => ended,
    log: () => `${program}: ${log}`,
    stop: async () => {
      process.off('exit', kill);
      child.kill('SIGTERM');
      const timer = setTimeout(kill, STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

async function untilReady(test: TestServer, programs: readonly Program[]): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const answer = await call(test, '/readyz').catch(() => undefined);
    if (answer?.status === 200) return;
    const ended = programs.find((program) => program.ended());
    if (ended || Date.now() > deadline) throw new Error(`not ready. ${(ended ?? programs.at(-1))?.log()}`);
    await delay(LOOK_INTERVAL_MS);
  }
}

/** What the sandbox serves of Cilium without definitions. */
async function defineCustomKinds(test: TestServer): Promise<void> {
  const types = createKinds()
    .all()
    .filter(({ custom }) => custom);
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  await Promise.all(types.map((type) => call(test, path, { method: 'POST', body: definitionOf(type) })));
  const isServed = async ({ group, versions, plural }: ResourceType): Promise<boolean> =>
    (await call(test, `/apis/${group}/${versions[0]}/${plural}`)).status === 200;
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await Promise.all(types.map(isServed))).every(Boolean)) {
    if (Date.now() > deadline) throw new Error("Cilium's kinds are not served");
    await delay(LOOK_INTERVAL_MS);
  }
}

function definitionOf({ group, versions, kind, plural, singular, shortNames, categories, ...type }: ResourceType) {
  return {
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: type.namespaced ? 'Namespaced' : 'Cluster',
      names: { kind, plural, singular, listKind: `${kind}List`, shortNames, categories },
      versions: versions.map((name, index) => ({
        name,
        served: true,
        storage: index === 0,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        ...(type.subresources.includes('status') ? { subresources: { status: {} } } : {}),
      })),
    },
  };
}
