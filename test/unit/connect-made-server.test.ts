import { describe, expect, it } from 'vitest';
import { OWNERSHIP_CHECKS } from '../../src/mesh/checks/ownership.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { requireIdentity } from '../../src/mesh/cilium/identity.ts';
import { parseVersion } from '../../src/mesh/cilium/versions/versions.ts';
import { planDial } from '../../src/mesh/connect/dial-plan.ts';
import { planDirection } from '../../src/mesh/connect/direction.ts';
import type { Member } from '../../src/mesh/connect/member.ts';
import { planServe } from '../../src/mesh/connect/serve-plan.ts';
import type { KubeObject, ObjectMeta } from '../../src/mesh/objects/kube-object.ts';
import { COMMON_PREFIX, cachedPeerFile, remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { foreignHomeNotes } from '../../src/mesh/peers/foreign-homes.ts';
import {
  apiserverDeployment,
  caFacts,
  loadBalancerService,
  NOW,
  secretObject,
  serviceObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

const SERVER = 'clustermesh-apiserver-server-cert';
const CHARTS = ['clustermesh-apiserver.kube-system.svc', '*.mesh.cilium.io'];
const by = (manager: string): Partial<ObjectMeta> => ({
  managedFields: [{ manager, operation: 'Update', fieldsV1: { 'f:data': { 'f:tls.crt': {} } } }],
});
const HELM = { annotations: { 'meta.helm.sh/release-name': 'cilium' }, ...by('helm') };
const CERT_MANAGER = { annotations: { 'cert-manager.io/certificate-name': 'server' }, ...by('cert-manager') };

interface Shape {
  /** Metadata of the Secret with the server certificate. */
  made?: Partial<ObjectMeta>;
  covers?: readonly string[];
  service?: KubeObject;
}

/** mesh-2, at 10.9.0.2, with its CA's key, so that it could make its certificate anew. */
function server({ made = HELM, covers = [], service = loadBalancerService('10.9.0.2') }: Shape = {}): Member {
  const secret = secretObject(SERVER, {});
  const snapshot = snapshotOf({
    context: 'two',
    ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' },
    live: [apiserverDeployment(), service, { ...secret, metadata: { ...secret.metadata, ...made } }],
    ca: caFacts('ca'),
    remoteUsers: [{ name: 'remote-mesh-1', role: 'remote' }],
    tlsSecrets: new Map([
      [SERVER, tlsFacts('ca', { commonName: CHARTS[0] ?? '', dnsNames: CHARTS, ipAddresses: [...covers] })],
    ]),
  });
  const { status } = service as { status?: { loadBalancer?: { ingress?: { ip?: string; hostname?: string }[] } } };
  const hosts = status?.loadBalancer?.ingress?.map(({ ip, hostname }) => ip ?? hostname ?? '') ?? [];
  return { snapshot, identity: requireIdentity(snapshot), endpoints: hosts.map((host) => ({ host, port: 2379 })) };
}

/** mesh-1, which shares the CA. @param file by which it dials mesh-2 already */
function client({ version = 'v1.20.0', told, file }: { version?: string; told?: string; file?: string } = {}): Member {
  const texts = file === undefined ? {} : { 'mesh-2': file };
  const cached = file === undefined ? {} : { 'mesh-2': cachedPeerFile('kube-system') };
  const snapshot = snapshotOf({
    context: 'one',
    agent: { image: `quay.io/cilium/cilium:${version}`, version: parseVersion(told ?? ''), desired: 1, ready: 1 },
    live: [
      apiserverDeployment(),
      secretObject('cilium-kvstoremesh', texts),
      secretObject('cilium-clustermesh', cached),
    ],
    ca: caFacts('ca'),
    tlsSecrets: new Map([
      ['clustermesh-apiserver-remote-cert', tlsFacts('ca', { commonName: 'remote', usages: ['client'] })],
    ]),
  });
  return { snapshot, identity: requireIdentity(snapshot), endpoints: [] };
}

function plan(one: Member, two: Member) {
  const direction = planDirection(one, two, { now: NOW });
  const serve = planServe([direction], NOW).steps.filter(({ object }) => object.name === SERVER);
  return { endpoint: direction.endpoint, serve, dial: planDial([direction], NOW).steps };
}

const DIRECT = remotePeerFile('mesh-2', { addresses: ['10.9.0.2:2379'] }, COMMON_PREFIX);
const ALIAS = { ips: ['10.9.0.2'], ports: [2379], in: 'file' };

describe('a server certificate that could be made anew', () => {
  it.each<[string, Shape, Parameters<typeof client>[0], 'name' | 'address', 'keep' | 'update']>([
    ['by Helm is left, and its name is dialled', {}, {}, 'name', 'keep'],
    ['by cert-manager too', { made: CERT_MANAGER }, {}, 'name', 'keep'],
    ['also by who dialled an address that an upgrade took out of it', {}, { file: DIRECT }, 'name', 'keep'],
    ['is dialled at an address that Helm has put into it', { covers: ['10.9.0.2'] }, {}, 'address', 'keep'],
    ['is made anew for a client whose files have no aliases', {}, { version: 'v1.19.3' }, 'address', 'update'],
    ['but not for one of which no version tells: that is no old one', {}, { version: 'latest' }, 'name', 'keep'],
    ['nor for one whose agents tell a new one', {}, { version: 'latest', told: '1.20.1' }, 'name', 'keep'],
    ['but is for one whose agents tell an old one', {}, { version: 'latest', told: '1.19.3' }, 'address', 'update'],
    [
      'or for a load balancer that has a host name',
      {
        service: serviceObject(
          { type: 'LoadBalancer', ports: [{ port: 2379 }] },
          { loadBalancer: { ingress: [{ hostname: 'a.elb.example' }] } },
        ),
      },
      {},
      'address',
      'update',
    ],
    ["or where it is meshctl's", { made: by('meshctl') }, {}, 'address', 'update'],
    ["or an operator's", { made: by('kubectl-create') }, {}, 'address', 'update'],
  ])('%s', (_what, two, one, dialled, action) => {
    const { endpoint, serve } = plan(client(one), server(two));
    expect(endpoint.alias).toEqual(dialled === 'name' ? ALIAS : undefined);
    expect(serve.map((step) => step.action)).toEqual([action]);
  });

  it('that is left is dialled the same way by the next connect, also where nodes come and go', () => {
    const nodePort = serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 32379 }] });
    const two = server({ service: nodePort });
    const at = (ip: string) => ({ host: ip, port: 32379 });
    const three = { ...two, endpoints: [at('10.0.0.1')] };
    const alias = { ips: ['10.0.0.2'], ports: [32379], in: 'file' as const };
    const file = remotePeerFile('mesh-2', { addresses: ['10.0.0.2:32379'], alias }, COMMON_PREFIX);
    expect(plan(client({ file }), three).dial.map(({ action }) => action)).toEqual(['keep', 'keep']);
    const gone = remotePeerFile('mesh-2', { addresses: [], alias: { ...alias, ips: ['10.0.0.9'] } }, COMMON_PREFIX);
    expect(plan(client({ file: gone }), three).endpoint.alias?.ips).toEqual(['10.0.0.1']);
  });
});

describe('what is told of a server certificate that a tool makes and meshctl has made anew', () => {
  const forGood = (value: string) =>
    `its values must have 10.9.0.2 in ${value}: meshctl clustermesh helm-values --context two`;

  it('by connect is the value that has the names', () => {
    const { serve } = plan(client({ version: 'v1.19.3' }), server());
    expect(foreignHomeNotes(serve)).toEqual([
      'context "two": Secret kube-system/clustermesh-apiserver-server-cert is made by Helm release cilium, whose next sync may ' +
        `undo this (it does not cover 10.9.0.2) → ${forGood(
          'clustermesh.apiserver.tls.auto.server.extraIpAddresses (before Cilium 1.20: clustermesh.apiserver.tls.server.extraIpAddresses)',
        )}`,
    ]);
  });

  const check = (two: Member, ones: readonly Member[]) => {
    const checks = OWNERSHIP_CHECKS.filter(({ id }) => id === 'ownership-peers').map((one) => ({ ...one, saidBy: [] }));
    const clusters = [two, ...ones].map(({ snapshot }) => snapshot);
    const found = runChecks(checks, { clusters, now: NOW, observed: new Map() });
    return found.filter(({ severity }) => severity === 'warn');
  };
  const rewritten = { ...HELM, ...by('meshctl') };
  const named = remotePeerFile('mesh-2', { addresses: [], alias: { ...ALIAS, in: 'file' } }, COMMON_PREFIX);

  it.each<[string, Shape, Member[], boolean]>([
    ['is told where a peer dials what it adds', { made: rewritten }, [client({ file: DIRECT })], true],
    ['and where a peer was not read that may', { made: rewritten }, [], true],
    ['not where all dial its name', { made: rewritten }, [client({ file: named })], false],
    ['nor where Helm has made it', {}, [client({ file: DIRECT })], false],
  ])('by check: %s', (_what, shape, ones, isTold) => {
    const found = check(server({ covers: ['127.0.0.1', '10.9.0.2'], ...shape }), ones);
    expect(found.map(({ args, hint }) => [args.keys, hint])).toEqual(
      isTold
        ? [
            [
              ['tls.crt'],
              `Helm release cilium may undo it at its next sync; ${forGood('clustermesh.apiserver.tls.auto.server.extraIpAddresses')}`,
            ],
          ]
        : [],
    );
  });
});
