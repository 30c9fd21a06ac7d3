import { describe, expect, it } from 'vitest';
import { type CertificateFacts, DATED_BACK_MS, type TlsSecretFacts } from '../../src/mesh/certificates/certificate.ts';
import { validityWarnings } from '../../src/mesh/certificates/cluster-certificates.ts';
import { identityOf } from '../../src/mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { spanWord } from '../../src/mesh/command-line.ts';
import type { Member } from '../../src/mesh/connect/member.ts';
import type { KubeObject, ManagedFieldsEntry } from '../../src/mesh/objects/kube-object.ts';
import { keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import { rotationEffects } from '../../src/mesh/rotation/effects.ts';
import { expiredIn } from '../../src/mesh/rotation/expiry.ts';
import { describeLifetime, lifetimeOf } from '../../src/mesh/rotation/lifetime.ts';
import { hasWork, planRotation } from '../../src/mesh/rotation/phases.ts';
import { type RotationChoice, scopeRotation } from '../../src/mesh/rotation/scope.ts';
import { parseSpan, parseValidity } from '../../src/mesh/span.ts';
import {
  apiserverDeployment,
  caFacts,
  certificateFacts,
  NOW,
  secretObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const daysAgo = (days: number) => new Date(NOW.getTime() - days * DAY_MS);

const SERVER = 'clustermesh-apiserver-server-cert';
const LEAVES = [SERVER, ...['admin', 'local', 'remote'].map((role) => `clustermesh-apiserver-${role}-cert`)];
const names: Readonly<Record<string, string>> = { [SERVER]: 'clustermesh-apiserver.kube-system.svc' };

interface Shape {
  /** How contexts and CAs of this mesh begin. */
  mesh?: string;
  /** How old each leaf is, in days. */
  age?: number;
  facts?: Partial<CertificateFacts>;
  metadata?: Partial<KubeObject['metadata']>;
  ca?: Partial<KubeObject['metadata']>;
}

const pem = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;

/** Cluster `mesh-<id>` in context `c<id>`, which dials the other of two clusters. */
function member(id: 1 | 2, shape: Shape = {}, peers = [`mesh-${3 - id}`]): Member {
  const { mesh = '' } = shape;
  const caOf = (peer: string) => `${mesh}${peer.replace('mesh', 'ca')}`;
  const key = caOf(`mesh-${id}`);
  const certificate = (commonName: string, sha256: string, caKey = key): TlsSecretFacts =>
    tlsFacts(caKey, {
      commonName,
      sha256,
      usages: ['server', 'client'],
      dnsNames: ['clustermesh-apiserver.kube-system.svc', '*.mesh.cilium.io'],
      ipAddresses: ['127.0.0.1', '::1'],
      notBefore: daysAgo(shape.age ?? 100),
      ...shape.facts,
    });
  const secret = (name: string, data: Record<string, string>, metadata: Shape['metadata'] = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'kube-system', managedFields: [setBy('meshctl')], ...metadata },
    data: Object.fromEntries(Object.entries(data).map(([name, text]) => [name, encodeText(text)])),
  });
  const role = (name: string) => names[name] ?? `${/apiserver-(\w+)-cert/.exec(name)?.[1]}-mesh-${id}`;
  const user = (name: string) => (name.includes('remote') ? 'remote' : role(name));
  const dialled = peers.flatMap((peer) => [
    [peer, 'endpoints:\n- https://10.0.0.1:2379\n'],
    [`${peer}.etcd-client-ca.crt`, pem(caOf(peer))],
    [`${peer}.etcd-client.crt`, pem(`client of ${peer}`)],
  ]);
  const snapshot = snapshotOf({
    context: `${mesh}c${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id) },
    ca: { ...caFacts(key), certificatePem: pem(key) },
    tlsSecrets: new Map(LEAVES.map((name) => [name, certificate(user(name), `${id} ${name}`)])),
    peerCertificates: new Map(
      peers.map((peer) => [peer, certificate(`remote-mesh-${id}`, `${id} ${peer}`, caOf(peer))]),
    ),
    live: [
      apiserverDeployment(),
      secret('cilium-ca', { 'ca.crt': pem(key) }, shape.ca),
      ...LEAVES.map((name) => secret(name, { 'ca.crt': pem(key), 'tls.crt': pem(name) }, shape.metadata)),
      secret('cilium-kvstoremesh', Object.fromEntries(dialled)),
    ],
  });
  return { snapshot, identity: identityOf(snapshot.ciliumConfig ?? {}), endpoints: [] };
}

function setBy(manager: string): ManagedFieldsEntry {
  return { manager, operation: 'Update', fieldsV1: { 'f:data': { 'f:tls.crt': {} } } };
}

const HELM = { annotations: { 'meta.helm.sh/release-name': 'cilium' }, managedFields: [setBy('helm')] };
const BY_HAND = { managedFields: [setBy('kubectl-edit')] };
const CERT_MANAGER = {
  annotations: { 'cert-manager.io/certificate-name': 'mesh-ca' },
  managedFields: [setBy('cert-manager')],
};

function plan(members: readonly Member[], choice: Partial<RotationChoice> = {}) {
  const { asked = {}, ...rest } = choice;
  const whole = { ca: false, force: false, ...rest };
  const scope = scopeRotation(members, whole, NOW);
  const phases = planRotation({
    ...{ members, ...scope, successors: new Map(), asked, force: whole.force, now: NOW },
    ...(whole.peer === undefined ? {} : { peer: whole.peer }),
  });
  return { scope, phases: phases.filter(hasWork), steps: phases.flatMap(({ steps }) => steps) };
}

const written = ({ steps }: ReturnType<typeof plan>) =>
  steps.filter(({ action }) => action !== 'keep').map(({ cluster, object }) => `${cluster} ${object.name}`);

describe('what a rotation makes anew', () => {
  it('is everything, or what is old enough, or what a peer is dialled with', () => {
    const mesh = [member(1, { age: 100 }), member(2, { age: 10 })];
    expect(plan(mesh).phases.map(({ name }) => name)).toEqual(['leaves', 'peers']);
    expect(written(plan(mesh))).toHaveLength(10);
    const old = written(plan(mesh, { olderThanMs: 30 * DAY_MS }));
    expect(old).toEqual([...LEAVES, 'cilium-kvstoremesh'].map((name) => `c1 ${name}`));
    expect(written(plan(mesh, { olderThanMs: 365 * DAY_MS }))).toEqual([]);
    expect(written(plan(mesh, { peer: 'mesh-2' }))).toEqual(['c1 cilium-kvstoremesh']);
  });

  it('is not what was issued just now, and dated back', () => {
    const facts = { notBefore: new Date(NOW.getTime() - DATED_BACK_MS) };
    const mesh = [member(1, { facts }), member(2, { facts })];
    expect(written(plan(mesh, { olderThanMs: 60_000 }))).toEqual([]);
    expect(written(plan(mesh))).not.toEqual([]);
  });

  it('has the key size and the validity that it had, unless told otherwise; what changes is shown', () => {
    const facts = { keyBits: 3072, notAfter: new Date(daysAgo(100).getTime() + 90 * DAY_MS) };
    const mesh = [member(1, { facts: { ...facts, notBefore: daysAgo(100) } }), member(2)];
    const serverOf = (result: ReturnType<typeof plan>) => result.steps.find(({ object }) => object.name === SERVER);
    const kept = serverOf(plan(mesh));
    expect(kept?.changes[0]?.to).toContain('(3072 bit, 90 days)');
    expect(kept?.write).toMatchObject({ certificates: [{ keySize: 3072, validityMs: 90 * DAY_MS }] });
    const asked = serverOf(plan(mesh, { asked: { keySize: 4096, validityMs: 30 * DAY_MS } }));
    expect(asked?.changes[0]?.to).toContain('(3072 bit → 4096 bit, 90 days → 30 days)');
    expect(asked?.write).toMatchObject({ certificates: [{ keySize: 4096, validityMs: 30 * DAY_MS }] });
  });

  it.each([
    ['whole days, dated back by minutes', 90 * DAY_MS + 300_000, undefined, 90 * DAY_MS],
    ['whole days, dated back as meshctl does', 90 * DAY_MS + DATED_BACK_MS, undefined, 90 * DAY_MS],
    ['hours', 36 * 3_600_000, undefined, 36 * 3_600_000],
    ['hours, dated back by half a minute, as Vault does', 30 * DAY_MS + 30_000, undefined, 30 * DAY_MS],
    ['hours, dated back by a minute, as step-ca does', DAY_MS + 60_000, undefined, DAY_MS],
    ['hours, but for the last second', DAY_MS - 1000, undefined, DAY_MS],
    ['no whole hours, as meshctl of old issued it', 36.5 * 3_600_000 + 300_000, undefined, 36 * 3_600_000],
    ['no use to a successor', 601_000, undefined, undefined],
    ['no whole hours, by another tool', 39.97 * DAY_MS, undefined, 959 * 3_600_000],
    ['whole hours, by chance, as long as its CA was left', 36 * 3_600_000, 'ends with it', undefined],
    ['as long as its CA was left', 61.3 * DAY_MS, 'ends with it', undefined],
  ])('a lifetime of %s', (_name, lifetimeMs, ca, validityMs) => {
    const notAfter = new Date(NOW.getTime() + lifetimeMs);
    const leaf = certificateFacts({ notBefore: NOW, notAfter, keyBits: 2048 });
    const authority = certificateFacts({ notAfter });
    expect(lifetimeOf(leaf, ca === undefined ? undefined : authority)).toEqual({ keySize: 2048, validityMs });
    const cut = { ...leaf, notAfter: daysAgo(1), endsWith: 'Issuing', ownNotAfter: notAfter };
    expect(lifetimeOf(cut, ca === undefined ? undefined : authority)).toEqual({ keySize: 2048, validityMs });
  });

  it('knows what has expired, wherever it is, so that nobody is told that nothing is cut off', () => {
    const expired = { notAfter: daysAgo(1), notBefore: daysAgo(2) };
    const says = expiredIn([member(1, { facts: expired }), member(2)], NOW);
    expect(says[0]).toMatch(/^c1: .* in Secret clustermesh-apiserver-server-cert expired on /);
    expect(expiredIn([], NOW)).toEqual([]);
  });

  it.each([
    [90 * DAY_MS, '90d'],
    [36 * 3_600_000, '36h'],
    [5_400_000, '90m'],
    [1500, '1500ms'],
    [0, '0d'],
  ])('%d ms are told as a flag takes them: %s', (spanMs, word) => {
    expect(spanWord(spanMs)).toBe(word);
    expect(parseSpan(word)).toBe(spanMs);
  });

  it.each([
    ['90d', 90 * DAY_MS],
    ['25h30m', 25 * 3_600_000],
    ['1440m', DAY_MS],
    ['1.1d', 26 * 3_600_000],
  ])('a validity of %s is taken in whole hours, and no more than asked', (text, validityMs) => {
    expect(parseValidity(text)).toBe(validityMs);
  });

  it('warns of a validity that is shorter than the time in which certificates are reported', () => {
    expect(validityWarnings(DAY_MS)[0]).toContain('less than 30 days');
    expect([validityWarnings(30 * DAY_MS), validityWarnings(undefined)]).toEqual([[], []]);
  });

  it('says nothing of a lifetime that is not known', () => {
    expect(describeLifetime({}, {})).toBe('');
  });
});

describe("a certificate of another cluster's", () => {
  const mesh = (...users: string[]): Member[] => {
    const [one, two] = [member(1, { facts: { commonName: 'remote-mesh-3' } }), member(2)];
    const remoteUsers = users.map((name) => ({ name, role: 'remote' }));
    return [one, { ...two, snapshot: { ...two.snapshot, remoteUsers } }];
  };
  const issuedFor = ({ steps }: ReturnType<typeof plan>) =>
    steps
      .filter(({ cluster, object }) => cluster === 'c1' && object.name === 'cilium-kvstoremesh')
      .flatMap(({ changes }) => changes.map(({ to }) => to));

  const warningsOf = ({ scope }: ReturnType<typeof plan>) =>
    scope.warnings.filter((warning) => warning.includes('the certificate of'));

  it('is renewed as the right one where that may log in', () => {
    const rotation = plan(mesh('remote-mesh-1', 'remote-mesh-3'));
    expect(issuedFor(rotation)).toEqual([expect.stringMatching(/^certificate remote-mesh-1[ ,]/)]);
    expect(warningsOf(rotation)).toEqual([]);
  });

  it('is left as it is where it may not, with what mends it', () => {
    const rotation = plan(mesh('remote-mesh-3'));
    expect(issuedFor(rotation)).toEqual([]);
    expect(warningsOf(rotation)).toEqual([
      'context "c1": it dials mesh-2 with the certificate of mesh-3, which stays as long as it is good → ' +
        'meshctl clustermesh connect --context c1 --destination-context c2',
    ]);
  });
});

describe('what others own', () => {
  it('stays where it is good, with the owner’s name', () => {
    const mesh = [member(1, { metadata: HELM }), member(2)];
    const { steps } = plan(mesh);
    const own = steps.filter(({ cluster, object }) => cluster === 'c1' && LEAVES.includes(object.name));
    expect(own.map(({ action, why }) => [action, why])).toEqual(
      LEAVES.map(() => ['keep', 'valid until 2029-01-01; made by Helm release cilium, to whom a new one is left']),
    );
    expect(written(plan(mesh, { force: true }))).toContain(`c1 ${SERVER}`);
  });

  it.each<[string, Partial<KubeObject['metadata']>, Partial<RotationChoice>, string[]]>([
    ['is kept where Helm made it', HELM, {}, []],
    ['is kept where somebody put it there', BY_HAND, { olderThanMs: 365 * DAY_MS }, []],
    ['is made anew where Helm is to lose it', HELM, { force: true, olderThanMs: 365 * DAY_MS }, [`c1 ${SERVER}`]],
    ['is made anew where meshctl made it', {}, { olderThanMs: 365 * DAY_MS }, [`c1 ${SERVER}`]],
  ])('is good without the addresses of the Service: %s', (_what, metadata, choice, expected) => {
    const served = { ...member(1, { metadata }), endpoints: [{ host: '203.0.113.7', port: 2379 }] };
    const rotation = plan([served, member(2)], choice);
    expect(rotation.steps.filter(({ conflicts }) => conflicts)).toEqual([]);
    expect(written(rotation).filter((one) => one.includes(SERVER) && one.startsWith('c1'))).toEqual(expected);
  });

  it('is disputed where a new CA makes it no longer good', () => {
    const { steps } = plan([member(1, { metadata: HELM }), member(2)], { ca: true });
    const disputed = steps.filter(({ conflicts }) => conflicts !== undefined);
    expect(disputed.map(({ cluster }) => cluster)).toEqual(disputed.map(() => 'c1'));
    expect(disputed[0]?.conflicts).toEqual([{ path: 'data.ca.crt', manager: 'Helm release cilium' }]);
    expect(
      plan([member(1, { metadata: HELM }), member(2)], { ca: true, force: true }).steps.some((step) => step.conflicts),
    ).toBe(false);
  });

  it('refuses to replace the CA of a tool that would put its own back, unless forced', () => {
    const mesh = [member(1, { ca: CERT_MANAGER }), member(2)];
    expect(() => plan(mesh, { ca: true })).toThrow(
      /made by cert-manager Certificate mesh-ca, which would restore its own CA/,
    );
    expect(written(plan(mesh, { ca: true, force: true }))).toContain('c1 cilium-ca');
    expect(written(plan(mesh))).toHaveLength(10);
  });
});

describe('a cluster whose CA cannot sign', () => {
  const without = (one: Member, ca: ClusterSnapshot['ca']): Member => ({ ...one, snapshot: { ...one.snapshot, ca } });
  const keyless = (one: Member) => {
    const { ca } = one.snapshot;
    return without(one, ca && { ...ca, hasKey: false, keyMatches: false });
  };
  const [one, two] = [member(1), member(2)];
  const year = { olderThanMs: 365 * DAY_MS };
  const ofOne = [...LEAVES.map((name) => `c1 ${name}`), 'c2 cilium-kvstoremesh'];

  it.each<[string, Member[], Partial<RotationChoice>, string[], string[]]>([
    ['nothing is due', [one, keyless(two)], year, [], []],
    ['nothing is due of it alone', [keyless(two)], year, [], []],
    ['its key is elsewhere', [one, keyless(two)], {}, ofOne, ['c2']],
    ['it is lost', [one, without(two, undefined)], {}, ofOne, ['c2']],
    ['another one is dialled', [one, keyless(two)], { peer: 'mesh-1' }, ['c2 cilium-kvstoremesh'], []],
  ])('holds up no other: %s', (_what, members, choice, expected, unsigned) => {
    const { scope, phases, ...rotation } = plan(members, choice);
    expect(written({ scope, phases, ...rotation })).toEqual(expected);
    expect(phases.every(({ name }) => ['leaves', 'peers'].includes(name))).toBe(true);
    expect(scope.unsigned.map(({ context }) => context)).toEqual(unsigned);
    expect(scope.warnings.filter((words) => words.includes('its due certificates are not renewed'))).toHaveLength(
      unsigned.length,
    );
  });

  it('is told how it comes to sign by a line that can be typed', () => {
    expect(plan([one, keyless(two)]).scope.unsigned).toEqual([
      {
        context: 'c2',
        says: 'its due certificates are not renewed: Secret kube-system/cilium-ca has no ca.key',
        hint: expect.stringMatching(
          / give the CA: meshctl clustermesh enable --context c2 --ca-cert '<file>' --ca-key '<file>'$/,
        ),
      },
    ]);
  });

  it.each<[string, Member[], Partial<RotationChoice>]>([
    ['for a new CA', [one, keyless(two)], { ca: true }],
    ['to dial it', [one, keyless(two)], { peer: 'mesh-2' }],
    ['of it alone', [keyless(two)], {}],
    ['of none', [keyless(one), keyless(two)], {}],
  ])('is refused where it is the one to sign: %s', (_what, members, choice) => {
    expect(() => plan(members, choice)).toThrow(expect.objectContaining({ code: 'CertificateAuthority' }));
  });

  it.each([
    ['that is made anew', {}, (server: Member) => server, ['c1 cilium-kvstoremesh']],
    ['that Helm renews', { metadata: HELM }, (server: Member) => server, []],
    ['that nothing can sign', {}, keyless, []],
  ] as const)('a copy of a remote-cert %s', (_which, shape, changed, expected) => {
    const server = changed(member(2, shape));
    const remote = server.snapshot.tlsSecrets.get('clustermesh-apiserver-remote-cert');
    if (!remote) throw new Error('no certificate');
    const client = { ...one, snapshot: { ...one.snapshot, peerCertificates: new Map([['mesh-2', remote]]) } };
    expect(written(plan([client, server])).filter((step) => step.startsWith('c1 cilium'))).toEqual(expected);
  });
});

describe('peers that are not named', () => {
  const mesh = [member(1, {}, ['mesh-2', 'mesh-3']), member(2)];

  it('would be cut off by a new CA: refused, with their names', () => {
    expect(() => plan(mesh, { ca: true })).toThrow(
      /connected to mesh-3, for which no context was given; a new CA cuts off peers left out/,
    );
  });

  it('may be the clusters that do not answer: then those are missing, and each cluster has to forget them', () => {
    const all = [member(1, {}, ['mesh-2', 'mesh-3']), member(2, {}, ['mesh-1', 'mesh-3'])];
    const rotate = () => plan(all, { ca: true, silent: [{ context: 'c3', code: 'ClusterUnreachable' as const }] });
    expect(rotate).toThrow(
      /mesh-3, to which c1, c2 are connected, would be cut off by a new CA: .*"c3", which does not answer/,
    );
    const hint = expect.stringMatching(': meshctl clustermesh disconnect --context c1,c2 --peer mesh-3$');
    expect(rotate).toThrow(expect.objectContaining({ code: 'ClusterUnreachable', hint }));
    expect(() => plan(all, { ca: true })).toThrow(expect.objectContaining({ code: 'Usage', hint }));
  });

  it('keep their certificates otherwise', () => {
    const { scope } = plan(mesh);
    expect(scope.warnings).toContain(
      'context "c1": connected to mesh-3, for which no context was given; certificates for such peers stay as is',
    );
    expect(written(plan(mesh))).toHaveLength(10);
  });

  it('issue what is as old as was asked, and stays: that is named, and of what is young nothing is said', () => {
    const due = plan(mesh, { olderThanMs: 0 }).scope;
    const says =
      'the certificate for dialling mesh-3 is due and stays, since mesh-3 issues it and has no part in this run';
    const hint =
      "Name its context too: meshctl clustermesh certs rotate --context 'c1,<context of mesh-3>' --peer mesh-3";
    expect(due.unissued).toEqual([{ context: 'c1', peer: 'mesh-3', says, hint }]);
    expect(due.warnings).toContain(`context "c1": ${says} → ${hint}`);
    const young = plan(mesh, { olderThanMs: 10 * 365 * DAY_MS }).scope;
    expect(young.unissued).toEqual([]);
    expect(young.warnings.join()).not.toContain('for dialling');
    // Who asks for all gets what the named clusters issue, and is told of the rest.
    expect(plan(mesh).scope.unissued).toEqual([]);
  });

  it('are most likely the cluster of this run that does not answer', () => {
    const { scope, steps } = plan(mesh, { silent: [{ context: 'c3', code: 'ClusterUnreachable' as const }] });
    const effects = rotationEffects(mesh, steps, new Map(), [{ context: 'c3', code: 'ClusterUnreachable' as const }]);
    const maybe = '"mesh-3" may be the cluster of context "c3", which does not answer';
    expect(scope.warnings).toContain(
      `context "c1": connected to mesh-3 (${maybe}); certificates for such peers stay as is`,
    );
    expect(effects.filter(({ peer }) => peer === 'mesh-3')).toMatchObject([
      { becomes: 'unknown', mend: expect.stringMatching(`^${maybe}.*disconnect --context c1 --peer mesh-3$`) },
    ]);
    expect(() =>
      plan(mesh, { peer: 'mesh-3', silent: [{ context: 'c3', code: 'ClusterUnreachable' as const }] }),
    ).toThrow(
      expect.objectContaining({
        hint: `${maybe}. If it is gone for good, forget it: meshctl clustermesh disconnect --context c1 --peer mesh-3`,
      }),
    );
    expect(() => plan(mesh, { peer: 'mesh-3' })).toThrow(
      expect.objectContaining({
        hint: "Name its context too: meshctl clustermesh certs rotate --context 'c1,c2,<context of mesh-3>' --peer mesh-3",
      }),
    );
  });

  it('are asked for new certificates where they belong to another owner', () => {
    const ofOther = mesh.map((one): Member => {
      const secret = secretObject('cilium-clustermesh', {});
      secret.metadata.annotations = { 'meshctl.io/joined.mesh-3': 'invitation' };
      const objects = new Map([...one.snapshot.objects, [keyOf(refOf(secret)), secret]]);
      return one.identity.name === 'mesh-1' ? { ...one, snapshot: { ...one.snapshot, objects } } : one;
    });
    expect(plan(ofOther).scope.warnings).toContain(
      'context "c1": the certificate for dialling mesh-3 stays, since another owner issues it → ask them for a new one: meshctl clustermesh certs rotate --context c1 --peer mesh-3',
    );
    expect(() => plan(ofOther, { peer: 'mesh-3' })).toThrow(
      expect.objectContaining({
        hint: 'Ask them for new ones, from each cluster by itself: meshctl clustermesh certs rotate --context c1 --peer mesh-3',
      }),
    );
  });

  it('cannot be chosen by name without their context, nor at all if nobody dials them', () => {
    expect(() => plan(mesh, { peer: 'mesh-3' })).toThrow(/issued by its CA, and no context was named for it/);
    expect(() => plan(mesh, { peer: 'nope' })).toThrow(/no cluster dials a peer "nope"/);
  });
});

describe('two meshes whose clusters have the same names', () => {
  const prod = [member(1), member(2)];
  const stage = [member(1, { mesh: 's' }), member(2, { mesh: 's' })];
  const rotate = (contexts: string, flags = '') => `meshctl clustermesh certs rotate --context ${contexts}${flags}`;
  const together = [...prod, ...stage].reverse();
  const parted = (flags = '') => `Rotate each mesh by itself: ${rotate('sc2,sc1', flags)} && ${rotate('c2,c1', flags)}`;

  it.each<[string, Member[], Partial<RotationChoice>, string]>([
    ['both', together, {}, parted()],
    ['their CAs', together, { ca: true }, parted(' --ca')],
    ['what is old', together, { olderThanMs: 30 * DAY_MS }, parted(' --older-than 30d')],
    ['for a peer', together, { peer: 'mesh-2' }, parted(' --peer mesh-2')],
    [
      'one and a cluster of the other',
      [...prod, ...stage.slice(1)],
      {},
      `Rotate each mesh by itself: ${rotate('c1,c2')} && ${rotate('sc2')}`,
    ],
    [
      'one and a cluster that is connected to nobody',
      [...prod, member(2, { mesh: 's' }, [])],
      { peer: 'mesh-1' },
      `Rotate each mesh by itself: ${rotate('c1,c2', ' --peer mesh-1')}`,
    ],
  ])('are not rotated together: %s', (_what, members, choice, hint) => {
    expect(() => plan(members, choice)).toThrow(expect.objectContaining({ code: 'Usage', hint }));
  });

  it('are refused without a line where nothing tells which is whose peer', () => {
    const alike = stage.map((one, index): Member => {
      const { context } = one.snapshot;
      return { ...one, snapshot: { ...(prod[index] ?? one).snapshot, context } };
    });
    expect(() => plan([...prod, ...alike])).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/^Which of them .* cannot be told here: /) }),
    );
  });

  it('are rotated where nobody knows the name that they share', () => {
    const lone = [member(1, {}, []), member(1, { mesh: 's' }, [])];
    expect(written(plan(lone))).toHaveLength(8);
  });
});

describe('a CA that two clusters share', () => {
  const shared = (copied: string) =>
    [member(1), member(2)].map((one): Member => {
      const { snapshot } = one;
      const objects = new Map(
        [...snapshot.objects].map(([key, object]) => {
          const how = object.metadata.name === 'cilium-ca' && snapshot.context === copied;
          const annotations = how ? { 'meshctl.io/ca-origin': 'copied' } : {};
          return [key, { ...object, metadata: { ...object.metadata, annotations } }];
        }),
      );
      return { ...one, snapshot: { ...snapshot, objects, ca: { ...caFacts('ca-1'), certificatePem: pem('ca-1') } } };
    });

  it.each([
    ['the copy', 'c1', 'c1', 'c2'],
    ['the copy', 'c2', 'c2', 'c1'],
    ['the last one where neither is known for one', 'nobody', 'c2', 'c1'],
  ])('is rotated once each has its own, which the hint sees to: of %s (%s)', (_which, copied, context, owner) => {
    expect(() => plan(shared(copied), { ca: true })).toThrow(
      expect.objectContaining({
        message: 'contexts "c1" and "c2" share a CA',
        hint: expect.stringMatching(
          new RegExp(
            `: meshctl clustermesh enable --context ${context} --replace-ca && ` +
              `meshctl clustermesh connect --context ${context} --destination-context ${owner} --credentials per-peer$`,
          ),
        ),
      }),
    );
  });
});
