/** What `status` calls unhealthy makes `check` fail, in its own words where no other check finds it; what is sound passes both. */
import { describe, expect, it } from 'vitest';
import type { CheckEntry } from '../../src/mesh/checks/catalogue.ts';
import { COMMAND_LINES } from '../../src/mesh/command-line.ts';
import { describeFault, type Fault, type FaultId } from '../../src/mesh/faults/fault.ts';
import { FAULT_IDS } from '../../src/mesh/faults/fault-advice.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { cachedPeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { evaluateMesh } from '../../src/mesh/status/mesh-status.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import { reasonsOf } from '../../src/mesh/status/status-reasons.ts';
import { howToBegin } from '../../src/mesh/status/whom-to-join.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { generateEcKey } from '../../src/pki/certificate.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import { meshStatusText } from '../../src/views/status/matrix-view.ts';
import { statusJunit } from '../../src/views/status/status-junit.ts';
import { statusText } from '../../src/views/status/status-view.ts';
import {
  certificateTexts,
  dropSecrets,
  lookAt,
  objectAt,
  peerFiles,
  putTexts,
  type WorldCluster,
} from '../support/mesh-world.ts';

const made = (commonName: string) => createAuthority({ commonName, key: generateEcKey() });
const [A, B, C] = await Promise.all(['A', 'B', 'C'].map(made));
if (!A || !B || !C) throw new Error('no CAs');

/** Cluster 1 of the CA A and cluster 2 of B, which dial each other with certificates for each other alone. */
const one = (more: Partial<WorldCluster> = {}): WorldCluster => ({ id: 1, ca: A, dials: { 2: { by: B } }, ...more });
const two = (more: Partial<WorldCluster> = {}): WorldCluster => ({ id: 2, ca: B, dials: { 1: { by: A } }, ...more });
const three = (more: Partial<WorldCluster> = {}): WorldCluster => ({ id: 3, ca: C, dials: { 1: { by: A } }, ...more });

const PLAIN = { bold: String, dim: String, ok: String, warn: String, fail: String };

const failing = (entries: readonly CheckEntry[]) =>
  entries.flatMap(({ severity, id, message }) => (severity === 'fail' ? [[id, message]] : []));

describe('what another peer, or another Secret, has', () => {
  it('is not why a peer is not connected: it is named with its own next step', async () => {
    const wrongKey = async (objects: KubeObject[]) => {
      const [files, other] = await Promise.all([peerFiles('mesh-3', 'mesh-1', { by: C }), certificateTexts(C, {})]);
      putTexts(objects, 'cilium-kvstoremesh', { ...files, 'mesh-3.etcd-client.key': other['tls.key'] ?? '' });
      putTexts(objects, 'cilium-clustermesh', { 'mesh-3': cachedPeerFile('kube-system') });
    };
    const { check } = await lookAt(
      [
        one({ beside: [A, B], dials: { 2: {} }, letsIn: [2, 3], change: wrongKey }),
        two({
          dials: {},
          letsIn: [1],
          annotations: { certificates: {}, peers: { 'meshctl.io/mode.mesh-1': 'served' } },
        }),
        three(),
      ],
      { c1: { failing: { 'mesh-2': 'remote error: tls: bad certificate' } } },
    );
    expect(failing(check())).toEqual([
      [
        'peers-connected',
        'context "c1", peer mesh-2: the client certificate is from a CA that mesh-2 does not accept (Secret cilium-kvstoremesh, key mesh-2)',
      ],
      ['peers-certificate', 'context "c1", peer mesh-3: the private key belongs to a different certificate'],
    ]);
  });
});

const CERT_MANAGER = {
  certificates: { 'cert-manager.io/certificate-name': 'one', 'cert-manager.io/issuer-name': 'issuer' },
  peers: {},
};
const withoutKey = ({ certificate }: { certificate: string }) => ({ certificate });
const COMMON = { dials: { 2: {} } };
const COMMON_BACK = { dials: { 1: {} } };

describe('a mesh that is sound', () => {
  it.each<[what: string, clusters: WorldCluster[]]>([
    ['with a certificate for each peer', [one(), two()]],
    ['the same without KVStoreMesh', [one({ kvstoremesh: false }), two({ kvstoremesh: false })]],
    ['with one CA', [one(COMMON), two({ ca: A, ...COMMON_BACK })]],
    ["with each other's CA beside", [one({ beside: [A, B], ...COMMON }), two({ beside: [B, A], ...COMMON_BACK })]],
    ['with a bundle of both CAs', [one({ bundle: [A, B], ...COMMON }), two({ bundle: [A, B], ...COMMON_BACK })]],
    ['with CAs whose keys are kept elsewhere', [one({ ownCa: withoutKey(A) }), two({ ownCa: withoutKey(B) })]],
    [
      'with certificates of cert-manager',
      [one({ ownCa: 'none', annotations: CERT_MANAGER }), two({ ownCa: 'none', annotations: CERT_MANAGER })],
    ],
    ['with a hub', [one({ dials: { 2: { by: B }, 3: { by: C } } }), two(), three()]],
    [
      'one-way, as chosen',
      [
        one({ letsIn: [], annotations: { certificates: {}, peers: { 'meshctl.io/mode.mesh-2': 'unicast' } } }),
        two({
          ...{ dials: {}, letsIn: [1] },
          annotations: { certificates: {}, peers: { 'meshctl.io/mode.mesh-1': 'served' } },
        }),
      ],
    ],
  ])('%s: passes both', async (_what, clusters) => {
    const { isHealthy, reports, check } = await lookAt(clusters);
    expect(reports.flatMap(({ faults }) => faults)).toEqual([]);
    expect(isHealthy).toBe(true);
    expect(failing(check())).toEqual([]);
  });
});

describe('a CA that is lost, which no connection needs before something has to be issued', () => {
  it.each<[what: string, cluster: WorldCluster]>([
    ['is gone', one({ ownCa: 'none' })],
    ['has the key of another one', one({ ownCa: { ...A, privateKey: B.privateKey } })],
    ['signed none of the certificates', one({ ownCa: C })],
  ])('%s: both tell of it, and neither fails', async (_what, cluster) => {
    const { isHealthy, reports, check } = await lookAt([cluster, two()]);
    expect(reports.flatMap(({ faults }) => faults.map(({ outage }) => outage))).toEqual([false]);
    expect(isHealthy).toBe(true);
    const entries = check();
    expect(failing(entries)).toEqual([]);
    expect(entries.filter(({ severity }) => severity === 'warn').map(({ id }) => id)).toEqual(['tls-ca']);
  });

  it('is none the worse for a certificate that is gone too, and that nothing goes by', async () => {
    const change = (objects: KubeObject[]) => dropSecrets(objects, 'clustermesh-apiserver-remote-cert');
    const { isHealthy, check } = await lookAt([one({ ownCa: 'none', change }), two()]);
    expect(isHealthy).toBe(true);
    expect(failing(check())).toEqual([]);
    const needed = (objects: KubeObject[]) => dropSecrets(objects, 'clustermesh-apiserver-admin-cert');
    const bad = await lookAt([one({ ownCa: 'none', change: needed }), two()]);
    expect(bad.isHealthy).toBe(false);
    expect(failing(bad.check()).map(([id]) => id)).toEqual(expect.arrayContaining(['tls-ca', 'tls-present']));
  });
});

describe('a CA that is lost, of a cluster that needs a certificate', () => {
  it.each([
    'x509: certificate has expired or is not yet valid',
    'x509: certificate signed by unknown authority',
    'x509: certificate specifies an incompatible key usage',
    'no such host',
  ])('is replaced without a cut by whatever is printed, also where peers say "%s"', async (message) => {
    const lost = two({ ownCa: 'none', change: (objects) => dropSecrets(objects, 'clustermesh-apiserver-local-cert') });
    const { reports, check } = await lookAt([one(), lost], { c1: { failing: { 'mesh-2': message } } });
    const off = reports.map((report) => ({ ...report, enabled: false, problems: [] }));
    const hints = [
      ...reasonsOf({ clusters: reports }).map(({ hint }) => hint),
      ...check().flatMap(({ severity, hint }) => (severity === 'skip' ? [] : (hint ?? []))),
      ...off.map((report) => howToBegin(report, off)),
    ];
    const rotate = 'meshctl clustermesh certs rotate --context c2,c1 --ca';
    expect(hints.filter((hint) => hint?.includes(rotate)).length).toBeGreaterThan(2);
    expect(hints.filter((hint) => hint?.includes('--replace-ca'))).toEqual([]);
  });
});

describe('a certificate that was refused for its time, and is valid by the time of the clusters', () => {
  const EXPIRED = 'x509: certificate has expired or is not yet valid: current time 2020-01-01T00:00:00Z is before';
  const HOUR_MS = 60 * 60 * 1000;
  it.each([
    [1, 'as the clock of context "c1" is 49 hours behind', -49 * HOUR_MS],
    [2, 'as the clock of context "c2" is 3 hours ahead', 3 * HOUR_MS],
    [3, 'valid by the time of the clusters', 0],
  ])('is not to be renewed: the clock of c%d', async (id, says, clockAheadMs) => {
    const clusters = [one(), two()].map((cluster) => (cluster.id === id ? { ...cluster, clockAheadMs } : cluster));
    const { reports } = await lookAt(clusters, { c1: { failing: { 'mesh-2': EXPIRED } } });
    const [reason] = reasonsOf({ clusters: reports });
    expect(reason).toMatchObject({ id: 'tls-expired', says: expect.stringContaining(says) });
    expect(reason?.hint).not.toMatch(/clustermesh (enable|connect|certs)/);
    const look = 'meshctl clustermesh check --context c1,c2 --category tls';
    expect(reason?.hint).toContain(clockAheadMs === 0 ? 'meshctl clustermesh status --context c1 --wait' : look);
  });

  it('may have to be where the peer was not read', async () => {
    const { reports } = await lookAt([one()], { c1: { failing: { 'mesh-2': EXPIRED } } });
    expect(reasonsOf({ clusters: reports })[0]?.hint).toContain(
      "meshctl clustermesh enable --context '<context of mesh-2>'",
    );
  });
});

describe('a peering that has lost both halves, of two clusters that are connected to a third one', () => {
  const world = (lost: readonly number[]): WorldCluster[] => [
    { ...one(), dials: { 3: { by: C } }, letsIn: lost.includes(1) ? [2, 3] : [3] },
    { ...two(), dials: { 3: { by: C } }, letsIn: lost.includes(2) ? [1, 3] : [3] },
    three({ dials: { 1: { by: A }, 2: { by: B } } }),
  ];
  const firstLine = (reports: StatusReport[]) => meshStatusText(evaluateMesh(reports, []), PLAIN).split('\n')[0];

  it('fails both, and is said once: no global Service of one has the pods of the other', async () => {
    const { reports, check } = await lookAt(world([1, 2]));
    expect(reports.map(({ healthy }) => healthy)).toEqual([false, false, true]);
    expect(evaluateMesh(reports, []).matrix.filter(({ state }) => state === 'disconnected')).toMatchObject([
      { from: 'mesh-1', to: 'mesh-2' },
      { from: 'mesh-2', to: 'mesh-1' },
    ]);
    expect(firstLine(reports)).toBe(
      '❌ 2 of 3 clusters are not connected to all clusters (peering lost: mesh-1 and mesh-2)',
    );
    expect(failing(check({ invited: [] }))).toEqual([
      ['tls-orphaned-users', expect.stringContaining('their peering has lost both halves')],
    ]);
  });

  it.each([[[1, 2]], [[1]], [[2]]])(
    'is not to be locked out where only peering files are gone, in c%s: it is to be connected again',
    async (lost) => {
      const change = (objects: KubeObject[]) => {
        for (const name of ['cilium-clustermesh', 'cilium-kvstoremesh']) {
          const data = objectAt(objects, name).data as Record<string, string>;
          for (const peer of ['mesh-1', 'mesh-2']) delete data[peer];
        }
      };
      const ofBoth = { 1: { by: A }, 2: { by: B }, 3: { by: C } };
      const dials = (id: number, of: 1 | 2) =>
        lost.includes(id) ? { [of]: ofBoth[of], 3: ofBoth[3] } : { 3: ofBoth[3] };
      const { check } = await lookAt([
        one({ dials: dials(1, 2), letsIn: [2, 3], change }),
        two({ dials: dials(2, 1), letsIn: [1, 3], change }),
        three({ dials: { 1: { by: A }, 2: { by: B } } }),
      ]);
      const entries = check({ invited: [] });
      expect(entries.map(({ hint }) => hint).filter((hint) => hint?.includes('clustermesh disconnect'))).toEqual([]);
      const of = (id: string) => entries.filter((entry) => entry.id === id);
      expect([...new Set(of('peering-file-missing').map(({ cluster }) => cluster))]).toEqual(
        lost.map((id) => `c${id}`),
      );
      expect(of('tls-orphaned-users').map(({ severity, message }) => [severity, message])).toEqual([
        ['skip', expect.stringContaining('(peering-file-missing)')],
        ['skip', expect.stringContaining('(peering-file-missing)')],
      ]);
    },
  );

  it('is none of two that were never joined', async () => {
    const { reports, isHealthy } = await lookAt(world([]));
    expect(isHealthy).toBe(true);
    expect(firstLine(reports)).toContain('not peers of each other: mesh-1 and mesh-2');
  });
});

const lookedAt = lookAt([one(), two()]);

/** What never is an outage. */
const HARMLESS: readonly FaultId[] = [
  ...(['ca-missing', 'ca-unreadable', 'ca-key', 'ca-foreign', 'choice-half-recorded'] as const),
];

describe('a fault that nobody has noticed, and that no other check finds', () => {
  const faultOf = (id: FaultId): Fault => ({
    ...{
      id,
      context: 'c1',
      namespace: 'kube-system',
      component: 'agent',
      peer: 'mesh-2',
      outage: !HARMLESS.includes(id),
    },
    ...{ object: 'Secret some', key: 'key', says: `it has ${id}`, hint: `Mend ${id}.` },
  });
  const seen = lookedAt.then(({ check, reports }) => {
    const faults = FAULT_IDS.map(faultOf);
    const reasons = reasonsOf({ clusters: reports.map((report) => ({ ...report, faults })) });
    return { reasons, found: check({ more: { c1: { faults } } }).filter(({ severity }) => severity === 'fail') };
  });

  it.each(FAULT_IDS)('%s: fails where it is an outage, with the words and the next step of status', async (id) => {
    const { reasons, found } = await seen;
    const fault = faultOf(id);
    const { lead, hint } = reasons.find((reason) => reason.id === id) ?? {};
    const words = [...(lead ? [lead] : []), describeFault(fault)].join(': ');
    expect(
      found
        .filter(({ message }) => message?.includes(fault.says))
        .map((entry) => [entry.id, entry.message, entry.hint]),
    ).toEqual(fault.outage ? [['peers-connected', `context "c1", peer mesh-2: ${words}`, hint]] : []);
  });

  it('is not said where the check that looks for it is suppressed', async () => {
    const { check } = await lookedAt;
    const fault: Fault = {
      ...{ id: 'certificate-expired', context: 'c1', namespace: 'kube-system', component: 'apiserver' },
      ...{ outage: true, object: 'Secret clustermesh-apiserver-admin-cert', says: 'it expired' },
    };
    const faults: Fault[] = [fault, { ...fault, id: 'certificate-key' }];
    const asked = { more: { c1: { faults } } };
    const connected = (entries: CheckEntry[]) =>
      entries.filter(({ id }) => id === 'peers-connected').map(({ severity }) => severity);
    expect(connected(check(asked))).toEqual(['fail', 'fail']);
    // In the cluster that has it, and in the one that dials that.
    expect(connected(check({ ...asked, suppressed: ['tls-expiry'] }))).toEqual(['skip', 'skip', 'fail']);
  });
});

const SERVER_CERT = 'clustermesh-apiserver-server-cert';
const ISSUED = { ownCa: 'none', annotations: CERT_MANAGER } as const;
const peersMarked = (peers: Record<string, string>) => ({ annotations: { certificates: {}, peers } });
const CONNECT = 'meshctl clustermesh connect --context c1 --destination-context c2';
const NOT_ACCEPTED = ['peers-connected', 'c1', CONNECT];
const OF_FORMER_CA = ['peers-certificate', 'c1', CONNECT];

/** What agents read with KVStoreMesh on, of a move that stopped: the peer itself, with another key than the certificate's. */
const dialDirectly = async (objects: KubeObject[]): Promise<void> => {
  const [files, other] = await Promise.all([peerFiles('mesh-2', 'mesh-1', { by: B }), certificateTexts(B, {})]);
  putTexts(objects, 'cilium-clustermesh', { ...files, 'mesh-2.etcd-client.key': other['tls.key'] ?? '' });
};

const fromElsewhere = (secret: string, commonName: string) => async (objects: KubeObject[]) =>
  putTexts(objects, secret, await certificateTexts(C, { commonName }));

const configured = (settings: Record<string, string>) => (objects: KubeObject[]) => {
  Object.assign(objectAt(objects, 'cilium-config', 'ConfigMap').data as object, settings);
};

describe('settings with which agents do not start again', () => {
  it.each<[id: string, clusters: WorldCluster[]]>([
    ['ztunnel', [one({ change: configured({ 'enable-ztunnel': 'true' }) }), two()]],
    [
      'cluster-id-of-eni',
      [
        { ...one({ change: configured({ ipam: 'eni' }) }), id: 200 },
        { ...two(), dials: { 200: { by: A } } },
      ],
    ],
  ])('%s: fails both, and is said once', async (id, clusters) => {
    const { isHealthy, reports, check } = await lookAt(clusters);
    expect(isHealthy).toBe(false);
    expect(reasonsOf({ clusters: reports })).toMatchObject([{ id, lead: 'connected, but not after a restart' }]);
    expect(failing(check()).map(([found]) => found)).toEqual([id]);
  });

  it('are said otherwise where connections go on, and peers know none of its pods', async () => {
    const { isHealthy, reports, check } = await lookAt([
      one({ change: configured({ 'disable-endpoint-crd': 'true' }) }),
      two(),
    ]);
    expect(isHealthy).toBe(false);
    expect(reasonsOf({ clusters: reports })).toMatchObject([
      {
        ...{ id: 'cilium-endpoints', lead: 'connected, but its pods are not known to peers' },
        hint: expect.stringMatching(/"disable-endpoint-crd":"false".* && kubectl .*rollout restart/),
      },
    ]);
    expect(reports.flatMap(({ warnings = [] }) => warnings)).toEqual([]);
    expect(failing(check()).map(([found]) => found)).toEqual(['cilium-endpoints']);
  });

  it('are none that agents of an older Cilium pass over', async () => {
    const set = one({ change: configured({ 'enable-ztunnel': 'true' }) });
    const { reports } = await lookAt([set, two()], { c1: { running: ['1.18.2'] } });
    expect(reports.flatMap(({ faults }) => faults)).toEqual([]);
  });
});

describe('what is in the way of no connection, and not as it should be', () => {
  it.each<[what: string, cluster: WorldCluster, said: Parameters<typeof lookAt>[1], says: RegExp]>([
    [
      'a choice that nobody knows',
      one(peersMarked({ 'meshctl.io/mode.mesh-2': 'sideways' })),
      {},
      /is not known to this meshctl.*mode\.mesh-2 "sideways"$/,
    ],
    [
      'agents of two versions',
      one(),
      { c1: { running: ['1.19.0', '1.20.0'] } },
      /agents of 1\.19 and 1\.20 run side by side.* → meshctl clustermesh check --context c1 --category versions$/,
    ],
  ])('%s: status warns of it, and is well', async (_what, cluster, said, says) => {
    const { isHealthy, reports } = await lookAt([cluster, two()], said);
    expect(isHealthy).toBe(true);
    expect(reports.map(({ warnings }) => warnings)).toEqual([[expect.stringMatching(says)], undefined]);
    const [words = ''] = (reports[0]?.warnings ?? []).flatMap((warning) => warning.split(' → '));
    const [first] = reports;
    const texts = [
      meshStatusText(evaluateMesh(reports, []), PLAIN),
      first ? statusText(first, PLAIN) : '',
      statusJunit(reports),
    ];
    for (const text of texts) expect(text.replaceAll('&quot;', '"')).toContain(words);
  });
});

describe('what runs and would not come back', () => {
  it.each<[what: string, clusters: WorldCluster[], found: unknown[][], said?: Parameters<typeof lookAt>[1]]>([
    [
      "a peer's etcd has lost the CA of the common certificate",
      [
        one({ beside: [A, B], ...COMMON }),
        two({
          ...{ beside: [A, B], ...COMMON_BACK },
          change: (objects) => putTexts(objects, SERVER_CERT, { 'ca.crt': B.certificate }),
        }),
      ],
      [NOT_ACCEPTED],
    ],
    [
      'a peer has let go of the former CA, which issued the certificate for it',
      [one({ dials: { 2: { by: B, trusts: [B, C] } } }), two({ ca: C })],
      [OF_FORMER_CA],
    ],
    [
      'the same of a CA that is not in its cluster',
      [one({ dials: { 2: { by: B, trusts: [B, C] } } }), two({ ca: C, ...ISSUED })],
      [OF_FORMER_CA],
    ],
    [
      'a peer that is known by the common certificate has another CA',
      [
        one({ ...COMMON, letsIn: [] }),
        two({ dials: {}, letsIn: [1], ...peersMarked({ 'meshctl.io/mode.mesh-1': 'served' }) }),
      ],
      [NOT_ACCEPTED],
    ],
    [
      'one of the certificates is from a CA that the own etcd does not accept',
      [one({ ...ISSUED, change: fromElsewhere('clustermesh-apiserver-local-cert', 'local-mesh-1') }), two()],
      [['tls-chain', 'c1', expect.stringContaining('cert-manager')]],
    ],
    [
      'the Service is being deleted',
      [
        one({
          change: (objects) => {
            objectAt(objects, 'clustermesh-apiserver', 'Service').metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
          },
        }),
        two(),
      ],
      [
        [
          'apiserver-address',
          'c1',
          expect.stringMatching(/wait --for=delete .* && meshctl clustermesh enable --context c1$/),
        ],
      ],
    ],
    [
      'agents have peers that no Secret names',
      [one(), two()],
      [
        [
          'peers-connected',
          'c1',
          expect.stringContaining("connect --context c1 --destination-context '<context of mesh-3>'"),
        ],
      ],
      { c1: { strangers: ['mesh-3'] } },
    ],
    [
      'agents dial a peer themselves with the wrong key, while KVStoreMesh does with the right one',
      [one({ change: dialDirectly }), two()],
      [['peers-connected', 'c1', CONNECT]],
    ],
    [
      'a one-way connection is lost on the side that was to dial',
      [
        one({ dials: { 3: { by: C } }, ...peersMarked({ 'meshctl.io/mode.mesh-2': 'unicast' }) }),
        two({
          ...{ dials: { 3: { by: C } }, letsIn: [1] },
          ...peersMarked({ 'meshctl.io/mode.mesh-1': 'served', 'meshctl.io/mode.mesh-3': 'unicast' }),
        }),
        three({ letsIn: [1, 2], ...peersMarked({ 'meshctl.io/mode.mesh-2': 'served' }) }),
      ],
      [['peers-mutual', 'c1', expect.stringMatching(/^connect them again: .*; or disconnect that side too: /)]],
    ],
    [
      'half of a peering is lost, which no one chose, beside another one',
      [one(), two({ dials: { 3: { by: C } }, letsIn: [1, 3] }), three({ dials: { 2: { by: B } } })],
      [
        [
          'peers-mutual',
          'c1',
          `both ways: ${CONNECT}; or one-way, if that is meant: ${CONNECT} --connection-mode unicast`,
        ],
      ],
    ],
    [
      'a peer has parted with a cluster whose file for it cannot be read',
      [
        one({ change: (objects) => putTexts(objects, 'cilium-kvstoremesh', { 'mesh-2': 'endpoints: [' }) }),
        two({ dials: { 3: { by: C } } }),
        three({ dials: { 2: { by: B } } }),
      ],
      ['peers-user', 'peering-file-unreadable'].map((id) => [
        ...[id, 'c1'],
        expect.stringMatching(/^connect them again: .*; or disconnect that side too: /),
      ]),
    ],
    [
      'a peer has parted with a cluster and has another CA by now',
      [one(), two({ ca: C, dials: { 3: { by: C } } }), three({ dials: { 2: { by: C } } })],
      ['tls-ca-trust', 'peers-user'].map((id) => [
        ...[id, 'c1'],
        expect.stringMatching(/^connect them again: .*; or disconnect that side too: /),
      ]),
    ],
  ])('%s: fails both, and is said once', async (_what, clusters, expected, said) => {
    const { isHealthy, check } = await lookAt(clusters, said);
    expect(isHealthy).toBe(false);
    const found = check().filter(({ severity }) => severity === 'fail');
    expect(found.map(({ id, cluster, hint }) => [id, cluster, hint])).toEqual(expected);
    // Whoever asks only for peers hears of it, too.
    expect(failing(check({ categories: ['peers'] }))).not.toEqual([]);
  });
});

describe('a server certificate that has expired', () => {
  it.each([
    ['that meshctl made', 'meshctl', ''],
    ['that somebody put over it', 'kubectl-edit', ' --force-conflicts'],
    ['that somebody made', 'kubectl-create', ' --force-conflicts'],
  ])('%s: status and check say one command', async (_what, manager, force) => {
    const long = new Date(Date.now() - 2 * 24 * 60 * 60 * 1000);
    const expired = async (objects: KubeObject[]) => {
      const spec = { commonName: 'clustermesh-apiserver', usages: ['server', 'client'] as const };
      const whole = { ...spec, dnsNames: [], ipAddresses: ['127.0.0.1'] };
      const validity = { now: long, validityMs: 60 * 60 * 1000, key: generateEcKey() };
      const { certificate, privateKey } = await issueCertificate(B, whole, validity);
      const secret = 'clustermesh-apiserver-server-cert';
      putTexts(objects, secret, { 'tls.crt': certificate, 'tls.key': privateKey });
      const { metadata } = objectAt(objects, secret);
      const fields = { 'f:data': { 'f:tls.crt': {}, 'f:tls.key': {} } };
      const made =
        manager === 'kubectl-create' ? [] : [{ manager: 'meshctl', fieldsV1: { 'f:data': { 'f:ca.crt': {} } } }];
      metadata.managedFields = [{ manager, operation: 'Update', fieldsV1: fields }, ...made];
    };
    const { reports, check } = await lookAt([one(), two({ change: expired })]);
    const enable = `meshctl clustermesh enable --context c2${force}`;
    const [reason] = reasonsOf({ clusters: reports }).filter(({ id }) => id === 'certificate-expired');
    const [entry] = check().filter(({ id, severity }) => id === 'tls-expiry' && severity === 'fail');
    const commands = [reason?.hint, entry?.hint].map((hint) => hint?.match(COMMAND_LINES));
    expect(commands).toEqual([[enable], [enable]]);
  });
});
