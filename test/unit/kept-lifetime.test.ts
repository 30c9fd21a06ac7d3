import { describe, expect, it } from 'vitest';
import { materialise } from '../../src/flows/write/materialise.ts';
import { DATED_BACK_MS } from '../../src/mesh/certificates/certificate.ts';
import { heldKeySize, presentLifetime } from '../../src/mesh/certificates/kept-lifetime.ts';
import { planAuthority } from '../../src/mesh/certificates/plan-authority.ts';
import { identityOf } from '../../src/mesh/cilium/identity.ts';
import { planDial } from '../../src/mesh/connect/dial-plan.ts';
import { planDirection } from '../../src/mesh/connect/direction.ts';
import type { Member } from '../../src/mesh/connect/member.ts';
import { planServe } from '../../src/mesh/connect/serve-plan.ts';
import { certificateStep } from '../../src/mesh/enable/certificates.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
import { isDueOfOwner } from '../../src/mesh/rotation/due.ts';
import { issueSteps } from '../../src/mesh/rotation/issue.ts';
import type { Lifetime } from '../../src/mesh/rotation/lifetime.ts';
import { clusterOf, type RotationInput } from '../../src/mesh/rotation/rotated-cluster.ts';
import { apiserverDeployment, caFacts, loadBalancerService, NOW, snapshotOf, tlsFacts } from '../support/snapshots.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const CHOSEN: Lifetime = { keySize: 3072, validityMs: 90 * DAY_MS };
const LONG: Lifetime = { keySize: 4096, validityMs: 365 * DAY_MS };
const SERVER = 'clustermesh-apiserver-server-cert';
const ADMIN = 'clustermesh-apiserver-admin-cert';
const name = 'clustermesh-apiserver.kube-system.svc';

const lasting = ({ keySize, validityMs = 0 }: Lifetime) => ({
  keyBits: keySize,
  notBefore: NOW,
  notAfter: new Date(NOW.getTime() + validityMs),
});
const secret = (of: string, manager = 'meshctl'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: of,
    namespace: 'kube-system',
    managedFields: [{ manager, operation: 'Apply', fieldsV1: { 'f:data': { 'f:tls.crt': {} } } }],
    ...(manager === 'meshctl' ? {} : { annotations: { 'cert-manager.io/certificate-name': 'of-another' } }),
  },
});

/** Cluster `mesh-<id>` whose own certificates were issued so. */
function member(id: number, own: Readonly<Record<string, Lifetime>>, manager?: string): Member {
  const ca = `ca-${id}`;
  const facts = (lifetime: Lifetime) =>
    tlsFacts(ca, { ...lasting(lifetime), commonName: name, usages: ['server', 'client'], dnsNames: [name] });
  const snapshot = snapshotOf({
    context: `c${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id) },
    ca: caFacts(ca),
    live: [
      apiserverDeployment(),
      loadBalancerService(`10.9.0.${id}`),
      ...Object.keys(own).map((of) => secret(of, manager)),
    ],
    tlsSecrets: new Map(Object.entries(own).map(([of, lifetime]) => [of, facts(lifetime)])),
    remoteUsers: [],
  });
  const endpoints = [{ host: `10.9.0.${id}`, port: 2379 }];
  return { snapshot, identity: identityOf(snapshot.ciliumConfig ?? {}), endpoints };
}

const issued = ({ write }: Step) => (write?.method === 'issue' ? write.certificates : []);

describe('a new certificate is issued as those that are there', () => {
  it.each<[what: string, own: Record<string, Lifetime>, manager: string | undefined, wanted: Lifetime]>([
    ['the one of the same Secret', { [SERVER]: LONG, [ADMIN]: CHOSEN }, undefined, CHOSEN],
    ['where there is none, as that of the server', { [SERVER]: CHOSEN }, undefined, CHOSEN],
    ['where nobody has chosen, as always', {}, undefined, {}],
    ['whatever another tool issues, as always', { [SERVER]: CHOSEN }, 'cert-manager', {}],
  ])('%s', (_what, own, manager, wanted) => {
    expect(presentLifetime(member(1, own, manager).snapshot, ADMIN)).toEqual(wanted);
  });

  it('by enable, where an option says nothing else; the plan shows both', () => {
    const { snapshot } = member(1, { [SERVER]: CHOSEN });
    const spec = { commonName: 'admin-mesh-1', usages: ['client' as const], dnsNames: [], ipAddresses: [] };
    const plan = (issuing: Lifetime) =>
      certificateStep(
        {
          ...{ snapshot, planned: snapshot, objects: [], certificates: [], possible: [], force: false, now: NOW },
          ...{ authority: planAuthority(snapshot, {}), issuing },
        },
        { secret: ADMIN, spec },
      );
    expect(issued(plan({}))).toMatchObject([CHOSEN]);
    expect(plan({}).changes[0]?.to).toBe('certificate admin-mesh-1 (3072 bit, 90 days)');
    expect(issued(plan({ keySize: 4096 }))).toMatchObject([{ ...CHOSEN, keySize: 4096 }]);
    expect(plan({ keySize: 4096 }).changes[0]?.to).toBe('certificate admin-mesh-1 (3072 bit → 4096 bit, 90 days)');
  });

  it('by connect: the server’s as it was, the client’s as those of the cluster that issues it', () => {
    const [client, server] = [member(1, { [SERVER]: LONG }), member(2, { [SERVER]: CHOSEN })];
    const directions = [planDirection(client, server, { now: NOW })];
    const [serve] = planServe(directions, NOW).steps;
    const [dial] = planDial(directions, NOW).steps;
    expect(serve && issued(serve)).toMatchObject([CHOSEN]);
    expect(dial && issued(dial)).toMatchObject([CHOSEN]);
    expect(dial?.changes.map(({ to }) => to)).toContain(
      'client certificate remote-mesh-1 (3072 bit, 90 days), issued by the CA of mesh-2',
    );
  });

  it('by connect where there was one for the peer: as that', () => {
    const server = member(2, { [SERVER]: CHOSEN });
    const base = member(1, { [SERVER]: LONG });
    const former = tlsFacts('former', { ...lasting(LONG), commonName: 'remote-mesh-1', usages: ['client'] });
    const client = { ...base, snapshot: { ...base.snapshot, peerCertificates: new Map([['mesh-2', former]]) } };
    const [dial] = planDial([planDirection(client, server, { now: NOW })], NOW).steps;
    expect(dial && issued(dial)).toMatchObject([LONG]);
  });

  it('a CA that takes the place of another is as that one was', () => {
    const { snapshot } = member(1, { [SERVER]: CHOSEN });
    const ca = { ...caFacts('ca-1'), certificate: { ...caFacts('ca-1').certificate, ...lasting(LONG) } };
    const { step } = planAuthority({ ...snapshot, ca }, { replace: true });
    expect(step).toMatchObject({ changes: [{ to: 'a new CA (4096 bit, 365 days)' }], write: LONG });
  });
});

describe('a validity that the end of the CA has cut short', () => {
  const MARK = 'meshctl.io/cert-validity-hours';
  const caUntil = (days: number) => {
    const facts = caFacts('ca-1');
    return { ...facts, certificate: { ...facts.certificate, notAfter: new Date(NOW.getTime() + days * DAY_MS) } };
  };
  /** Cluster mesh-1 with a certificate that ends with its CA in 30 days, and with the mark that is given. */
  function cut(mark: string | undefined, ca = caUntil(30)): Member {
    const base = member(1, { [SERVER]: { keySize: 3072, validityMs: 30 * DAY_MS } });
    const { objects, tlsSecrets } = base.snapshot;
    const facts = tlsSecrets.get(SERVER);
    if (!facts?.ca) throw new Error('a certificate with its CA');
    const { metadata, ...rest } = secret(SERVER);
    const annotations = mark === undefined ? {} : { [MARK]: mark };
    const live = new Map(objects);
    for (const [key, object] of objects)
      if (object.metadata.name === SERVER)
        live.set(key, { ...rest, metadata: { ...metadata, annotations } } as KubeObject);
    const served = { ...facts, ca: { ...facts.ca, notAfter: facts.certificate.notAfter } };
    return { ...base, snapshot: { ...base.snapshot, ca, objects: live, tlsSecrets: new Map([[SERVER, served]]) } };
  }
  const peer = member(2, { [SERVER]: LONG });
  /** Each way by which a certificate of the server is issued: to cover another address, and where nothing else is asked for. */
  const WAYS: Record<string, (own: Member, asked?: Lifetime) => Step | undefined> = {
    enable: ({ snapshot }, issuing = {}) =>
      certificateStep(
        {
          ...{ snapshot, planned: snapshot, objects: [], certificates: [], possible: [], force: false, now: NOW },
          ...{ authority: planAuthority(snapshot, {}), issuing },
        },
        { secret: SERVER, spec: { commonName: name, usages: ['server'], dnsNames: [name, 'new'], ipAddresses: [] } },
      ),
    connect: (own) =>
      planServe([planDirection(peer, own, { now: NOW })], NOW).steps.find(({ object }) => object.name === SERVER),
    'certs rotate': (own, asked = {}) => {
      const due = new Set([own.snapshot.tlsSecrets.get(SERVER)?.certificate.sha256 ?? '']);
      const input: RotationInput = {
        ...{ members: [own], replace: new Set<string>(), successors: new Map(), due, asked, force: false, now: NOW },
      };
      return issueSteps(input, [clusterOf(own, input)], ({ secret: of }) => of === SERVER)[0];
    },
  };
  const written = (step: Step | undefined) => (step?.write?.method === 'issue' ? step.write : undefined);

  it('is known of the mark of its Secret alone, and only while it is cut short', () => {
    const known = (mark: string | undefined) => presentLifetime(cut(mark).snapshot).validityMs;
    expect([known('2160'), known(undefined), known('x'), known('0')]).toEqual([
      90 * DAY_MS,
      undefined,
      undefined,
      undefined,
    ]);
    const whole = member(1, { [SERVER]: LONG }).snapshot;
    const [key, object] = [...whole.objects].find(([, { metadata }]) => metadata.name === SERVER) ?? [];
    if (!key || !object) throw new Error('its Secret');
    const marked = { ...object, metadata: { ...object.metadata, annotations: { [MARK]: '2160' } } };
    const objects = new Map([...whole.objects, [key, marked]]);
    expect(presentLifetime({ ...whole, objects }).validityMs).toBe(LONG.validityMs);
  });

  it.each(Object.entries(WAYS))('is kept by what is issued next, and once the CA is another: %s', (_command, way) => {
    const again = written(way(cut('2160')));
    expect(again).toMatchObject({ certificates: [{ validityMs: 90 * DAY_MS }], marks: { [MARK]: '2160' } });
    const longer = way(cut('2160', caUntil(3000)));
    expect(written(longer)).toMatchObject({ certificates: [{ validityMs: 90 * DAY_MS }], marks: { [MARK]: null } });
    expect(longer?.changes).toContainEqual({ path: `metadata.annotations[${MARK}]`, from: '2160', to: '(removed)' });
    expect(written(way(cut(undefined, caUntil(3000))))).not.toHaveProperty('marks');
    // What stays as it is changes nothing.
    expect(way(cut('2160'))?.changes).not.toContainEqual(expect.objectContaining({ from: '2160' }));
  });

  it.each(Object.entries(WAYS))('is taken from the Secret, whoever has set it: %s', async (_command, way) => {
    const step = way(cut('2160', caUntil(3000)));
    const write = written(step);
    if (!step || !write) throw new Error('a certificate that is issued');
    const ready = await materialise({ ...step, write: { ...write, certificates: [] } }, new Map(), NOW);
    expect(ready).toMatchObject({ method: 'patch', patch: { metadata: { annotations: { [MARK]: null } } } });
  });

  it.each(['enable', 'certs rotate'])('is written down where it is asked for: %s', (command) => {
    expect(written(WAYS[command]?.(cut(undefined), { validityMs: 90 * DAY_MS }))?.marks).toEqual({ [MARK]: '2160' });
  });

  it.each(['apply', 'exact', 'patch'] as const)('goes to the Secret with its certificate: %s', async (into) => {
    const step = (action: 'create' | 'update'): Step => {
      const write = { method: 'issue', certificates: [], data: { k: 'v' }, marks: { [MARK]: '2160' }, into } as const;
      const { managedFields: _managed, ...metadata } = secret(SERVER).metadata;
      const bare = { ...secret(SERVER), metadata };
      return {
        cluster: 'c1',
        action,
        object: bare,
        changes: [],
        why: '',
        before: bare,
        write: { ...write, secret: bare },
      } as never;
    };
    for (const action of ['create', 'update'] as const) {
      const ready = await materialise(step(action), new Map(), NOW);
      const sent = ready.method === 'edit' && action === 'update' ? ready.edit(secret(SERVER)) : ready;
      expect(JSON.stringify(sent)).toContain(`"${MARK}":"2160"`);
    }
  });
});

describe('the key for which another owner signs a certificate', () => {
  const { snapshot } = member(1, { [SERVER]: CHOSEN });
  const dialling = (keyBits: number | undefined) => ({
    ...snapshot,
    peerCertificates: new Map([['mesh-2', tlsFacts('ca-2', { keyBits })]]),
  });
  it.each([
    ['as the present one', dialling(4096), 'mesh-2', 4096],
    ['as those of the own cluster: the first of a peer', dialling(4096), 'mesh-3', 3072],
    ['as those of the own cluster: a peer that is not known yet', snapshot, undefined, 3072],
    ['as those of the own cluster: the present one is of another kind', dialling(undefined), 'mesh-2', 3072],
    [
      'as usual: another tool issued the others',
      member(1, { [SERVER]: CHOSEN }, 'cert-manager').snapshot,
      'mesh-2',
      2048,
    ],
    ['no shorter than a request may be for', dialling(1024), 'mesh-2', 2048],
  ])('is %s', (_what, of, peer, bits) => {
    expect(heldKeySize(of, peer)).toBe(bits);
  });

  it.each<[string, number, number, boolean]>([
    ['as old as that', 300, 400, true],
    ['younger, and good for long', 200, 400, false],
    ['younger, and it ends soon', 200, 10, true],
    ['younger, and it has expired', 200, -1, true],
  ])('is asked for anew where the certificate is %s', (_what, age, left, isDue) => {
    const at = (days: number) => new Date(NOW.getTime() + days * DAY_MS - DATED_BACK_MS);
    const facts = tlsFacts('ca-2', { notBefore: at(-age), notAfter: at(left), usages: ['client'] });
    const peerCertificates = new Map([['mesh-2', facts]]);
    expect(isDueOfOwner({ peerCertificates }, 'mesh-2', 300 * DAY_MS, NOW)).toBe(isDue);
    expect(isDueOfOwner({ peerCertificates }, 'mesh-3', 300 * DAY_MS, NOW)).toBe(true);
  });
});
