import { afterAll, beforeAll, expect, it } from 'vitest';
import { remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { connect } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { eventually, found, refs, setSecret } from '../support/sandbox-mesh.ts';

/** mesh-2 dials mesh-1 at a second load balancer, which leads to the same pods and is no Service of meshctl's. */
let mesh: ConnectedMesh;
const SECOND = refs.service('second');

beforeAll(async () => {
  mesh = await startConnectedMesh({ nodes: 1 });
  const { one, two, sandbox } = mesh;
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
  const { selector, ports } = found(one.store.get(refs.service('clustermesh-apiserver')), 'its Service').spec as {
    selector: object;
    ports: { port: number; targetPort?: unknown }[];
  };
  one.store.create({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: SECOND.name, namespace: 'kube-system' } },
    spec: { type: 'LoadBalancer', selector, ports: ports.map(({ port, targetPort }) => ({ port, targetPort })) },
  } as never);
  const address = await eventually(
    () =>
      (one.store.get(SECOND)?.status as { loadBalancer?: { ingress?: { ip: string }[] } })?.loadBalancer?.ingress?.[0]
        ?.ip,
    (ip) => ip !== undefined,
    'an address of the second Service',
  );
  const alias = { ips: [address ?? ''], ports: [2379], in: 'file' as const };
  setSecret(two, 'cilium-kvstoremesh', {
    'mesh-1': remotePeerFile('mesh-1', { addresses: ['mesh-1.mesh.cilium.io:2379'], alias } as never, 'mesh-1.'),
  });
});
afterAll(async () => {
  expect(mesh.sandbox.errors).toEqual([]);
  await mesh.sandbox.close();
});

const PLAN = connect('mesh-1', 'mesh-2', '--dry-run', '-o', 'json');
interface Planned {
  clusters: { context: string; peers: { peer: string; becomes: string; why: string }[] }[];
}
async function effect(): Promise<{ becomes: string; why: string } | undefined> {
  const { clusters } = jsonOf(await mesh.meshctl(PLAN)) as unknown as Planned;
  return clusters.find(({ context }) => context === 'mesh-2')?.peers.find(({ peer }) => peer === 'mesh-1');
}

it('is no other cluster where it leads to the same etcd: connect does not ask whether one is cut off', async () => {
  const says = /one of its name and certificate answers at/;
  const { one } = mesh;
  // It dials there by now, and makes new connections.
  await eventually(
    () => mesh.meshctl('clustermesh status --context mesh-2'.split(' ')),
    ({ exitCode }) => exitCode === 0,
    'mesh-2 to be connected by the second address',
  );
  expect(await effect()).toMatchObject({ becomes: 'moved', why: expect.not.stringMatching(says) });
  // Nobody can say then whether it is the same one.
  const restore = setSecretAside(one, 'clustermesh-apiserver-local-cert');
  expect(await effect()).toMatchObject({ becomes: 'unknown', why: expect.stringMatching(says) });
  restore();
});

it('is no fault to status and check either, unless nobody can say whether it is the same etcd', async () => {
  const { meshctl, one } = mesh;
  const look = async (command: string) => meshctl(`clustermesh ${command} --context mesh-1,mesh-2`.split(' '));
  const both = () => Promise.all(['status', 'check'].map(look));
  const ends = (results: Awaited<ReturnType<typeof both>>) => results.map(({ exitCode }) => exitCode);
  const seen = await both();
  expect(ends(seen), seen.map(({ stdout }) => stdout).join('\n')).toEqual([0, 0]);
  const restore = setSecretAside(one, 'clustermesh-apiserver-local-cert');
  const [status, check] = await both();
  restore();
  expect(ends([status, check] as never)).toEqual([1, 1]);
  expect(status?.stdout).toContain('peer-address-gone');
  expect(check?.stdout).toContain('peers-endpoint');
});

it('is none at the node port of its load balancer either, also where nobody can say whether it is the same etcd', async () => {
  const { meshctl, one, two, sandbox } = mesh;
  const service = found(one.store.get(refs.service('clustermesh-apiserver')), 'its Service');
  const [{ nodePort } = { nodePort: 0 }] = (service.spec as { ports: { nodePort: number }[] }).ports;
  const alias = { ips: ['172.18.1.11'], ports: [nodePort], in: 'file' as const };
  setSecret(two, 'cilium-kvstoremesh', {
    'mesh-1': remotePeerFile('mesh-1', { addresses: [`mesh-1.mesh.cilium.io:${nodePort}`], alias } as never, 'mesh-1.'),
  });
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
  const restore = setSecretAside(one, 'clustermesh-apiserver-local-cert');
  const seen = await Promise.all(
    ['status', 'check'].map((command) => meshctl(`clustermesh ${command} --context mesh-1,mesh-2`.split(' '))),
  );
  restore();
  const [status, check] = seen.map(({ stdout }) => stdout);
  expect(status).not.toContain('peer-address-gone');
  expect(check).not.toContain('peers-endpoint');
});

/** Has a Secret be without its data until it is put back. */
function setSecretAside(cluster: SandboxCluster, name: string): () => void {
  const ref = refs.secret(name);
  const { data } = structuredClone(found(cluster.store.get(ref), name));
  const write = (to: unknown) => cluster.store.update(ref, (secret) => Object.assign(secret, { data: to }));
  write({});
  return () => write(data);
}
