/** What a check saw in part: what is wrong is said all the same, and that all is well is not. */
import { describe, expect, it } from 'vitest';
import { describeFindings, MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { type Check, type Finding, runChecks, type Subject } from '../../src/mesh/checks/shared/check.ts';
import type { ClusterObservation } from '../../src/mesh/checks/shared/mesh-input.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { cachedPeerFile, remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { checkJunit, checkText } from '../../src/views/checks/check-view.ts';
import { MESH, type SubjectMesh } from '../support/check-subjects.ts';
import { apiserverDeployment, NOW, secretObject, snapshotOf } from '../support/snapshots.ts';

const THEME = { ok: String, warn: String, fail: String, dim: String, bold: String } as never;

describe('the rule', () => {
  const clusters = ['one', 'two'].map((context) => snapshotOf({ context }));

  function outcome(subject: Partial<Subject>, found: readonly Pick<Finding, 'severity' | 'cluster'>[] = []): Finding[] {
    const check: Check = {
      id: 'c',
      category: 'x',
      title: 't',
      subject: ({ context }) => ({ things: ['thing'], otherwise: 'nothing', ...(context === 'one' ? subject : {}) }),
      run: () => found.map((finding) => ({ id: 'c', args: {}, ...finding })),
      says: () => 'wrong',
    };
    return runChecks([check], { clusters, now: NOW });
  }

  it.each<[string, Partial<Subject>, string[]]>([
    ['all was seen', {}, ['pass']],
    ['nothing was seen', { things: [] }, ['pass two', 'skip one: nothing']],
    [
      'a part was seen',
      { unseen: ['a did not answer', 'b neither'] },
      ['pass two', 'skip one: a did not answer; b neither'],
    ],
    [
      'what was not seen says nothing where nothing was',
      { things: [], unseen: ['a'] },
      ['pass two', 'skip one: nothing'],
    ],
    ['a sample was seen', { sample: '2 of 9 agents asked' }, ['pass [one: 2 of 9 agents asked]']],
  ])('%s', (_when, subject, expected) => {
    const words = outcome(subject).map(({ severity, cluster, args: { reason, contexts, samples } }) =>
      severity === 'skip'
        ? `skip ${cluster}: ${reason}`
        : [severity, contexts, samples && `[${samples}]`].filter((word) => word !== undefined).join(' '),
    );
    expect(words).toEqual(expected);
  });

  it.each(['one', 'two'])('what is wrong in %s is said beside what was not seen in the other, or there', (cluster) => {
    const findings = outcome({ unseen: ['a did not answer'] }, [{ severity: 'fail', cluster }]);
    expect(findings.map(({ severity }) => severity)).toEqual(['fail', 'skip']);
  });

  it('a JUnit report fails what counts, and tells of a warning that does not, under no name that says that all is well', () => {
    const entries = describeFindings(
      [{ id: 'c', category: 'x', title: 'all is well', says: () => 'it ends in two days' }],
      [{ id: 'c', severity: 'warn', cluster: 'one', args: {}, hint: 'Renew it.' }],
    );
    const words = 'it ends in two days\n→ Renew it.';
    const counted = checkJunit(entries, () => true);
    expect(counted).toContain(`<failure type="c" message="it ends in two days">${words}</failure>`);
    const uncounted = checkJunit(entries, () => false);
    expect(uncounted).toContain(' failures="0"');
    expect(uncounted).toContain(`name="warning: all is well (one)">\n      <system-out>${words}</system-out>`);
  });

  it('a sample is told in text and in JUnit reports', () => {
    const entries = describeFindings(
      [{ id: 'c', category: 'x', title: 't', says: () => '' }],
      outcome({ sample: '2 of 9 agents asked' }),
    );
    expect(checkText(entries, { short: false }, THEME)).toContain('t (one: 2 of 9 agents asked)\n');
    expect(checkJunit(entries, () => false)).toContain('<system-out>one: 2 of 9 agents asked</system-out>');
  });
});

describe('checks', () => {
  const { wellMesh, withClusters } = MESH;

  const observing = (change: (seen: ClusterObservation) => Partial<ClusterObservation>) => (mesh: SubjectMesh) => ({
    ...mesh,
    observed: new Map(
      [...mesh.observed].map(([context, seen]) => [context, context === 'one' ? { ...seen, ...change(seen) } : seen]),
    ),
  });
  const inOne = (change: (cluster: ClusterSnapshot) => Partial<ClusterSnapshot>) => (mesh: SubjectMesh) =>
    withClusters(mesh, (cluster) => [cluster.context === 'one' ? { ...cluster, ...change(cluster) } : cluster]);

  /** The first cluster dials a third one, too. */
  const withThirdPeer = inOne(({ objects, peerCertificates }) => {
    const dialled = { 'cilium-clustermesh': cachedPeerFile('kube-system') };
    const file = remotePeerFile('mesh-3', { addresses: ['172.18.3.11:30003'] }, 'mesh-3.');
    const files: Record<string, string> = { ...dialled, 'cilium-kvstoremesh': file };
    const added = new Map(objects);
    for (const [name, text] of Object.entries(files)) {
      const key = `Secret/kube-system/${name}`;
      const secret = objects.get(key) ?? secretObject(name, {});
      const data = { ...(secret.data as object), 'mesh-3': Buffer.from(text).toString('base64') };
      added.set(key, { ...secret, data });
    }
    const [held] = peerCertificates.values();
    return {
      objects: added,
      peerCertificates: new Map([...peerCertificates, ...(held ? [['mesh-3', held] as const] : [])]),
    };
  });
  const withoutKvstoremesh = inOne(({ objects }) => ({
    objects: new Map([
      ...objects,
      ['Deployment/kube-system/clustermesh-apiserver', apiserverDeployment({ kvstoremesh: false })],
    ]),
  }));
  const oneSilent = observing(({ nodes }) => ({ nodes: [...nodes, { node: 'node-7' }] }));
  const rangesUnread = inOne(({ ciliumConfig }) => ({
    ciliumPodCidrs: undefined,
    ciliumConfig: { ...ciliumConfig, 'cluster-pool-ipv4-cidr': '10.1.0.0/16' },
  }));

  type Case = [id: string, when: string, change: (mesh: SubjectMesh) => SubjectMesh, reason: RegExp];

  it.each<Case>([
    ...['node-health', 'bgp-sessions', 'bgp-pod-cidrs', 'native-routes', 'identity-running'].map(
      (id): Case => [id, 'one agent is silent', oneSilent, /the agents of node-7 did not answer/],
    ),
    ...[[], [{ peer: '10.0.0.1', state: 'active' }]].map(
      (bgpSessions): Case => [
        'bgp-pod-cidrs',
        `a node of several has ${bgpSessions.length === 0 ? 'no BGP peer' : 'lost its BGP session'}`,
        observing(({ nodes }) => ({ nodes: [...nodes, { node: 'node-7', bgpSessions, bgpAdvertised: { 4: [] } }] })),
        /^no BGP session of node-7 is established$/,
      ],
    ),
    ...['peers-mutual', 'peers-endpoint', 'peers-user', 'tls-ca-trust', 'peer-renamed'].map(
      (id): Case => [id, 'the cluster of a peer was not read', withThirdPeer, /^mesh-3: not among the clusters/],
    ),
    ['cluster-id-unique', 'the id of a peer is not known', withThirdPeer, /the ids of its peers mesh-3 are/],
    ['peer-identity', 'a peer is not in the record', withThirdPeer, /its KVStoreMesh has no record of mesh-3 yet/],
    [
      'peer-identity',
      'nothing makes a record of a peer',
      (mesh) => withoutKvstoremesh(withThirdPeer(mesh)),
      /only KVStoreMesh keeps a record of mesh-3, and it is off/,
    ],
    ...['pod-cidr-overlap', 'node-address-overlap'].map(
      (id): Case => [id, 'CiliumNodes were not read', rangesUnread, /its CiliumNodes could not be listed/],
    ),
    [
      'tls-orphaned-users',
      'a user is of nobody',
      inOne(({ remoteUsers = [] }) => ({ remoteUsers: [...remoteUsers, { name: 'remote-mesh-9', role: 'remote' }] })),
      /remote-mesh-9 may belong/,
    ],
    ['tls-users-made', 'one etcd is silent', observing(() => ({ etcdsUnasked: ['pod-2'] })), /etcd of pod-2 did not/],
  ])('%s is a skip where %s', (id, _when, change, reason) => {
    const check = MESH_CHECKS.filter((one) => one.id === id).map((one) => ({ ...one, needs: undefined }));
    const findings = runChecks(check, change(wellMesh()));
    expect(findings).toContainEqual(
      expect.objectContaining({
        severity: 'skip',
        cluster: 'one',
        args: expect.objectContaining({ reason: expect.stringMatching(reason) }),
      }),
    );
    const passed = findings.flatMap(({ severity, args }) => (severity === 'pass' ? (args.contexts ?? ['one']) : []));
    expect(passed).not.toContain('one');
  });

  it.each(['service-address-overlap', 'native-routing-cidr'])(
    '%s names the clusters whose ranges it does not know',
    (id) => {
      const mesh = wellMesh();
      const third = snapshotOf({ context: 'three', ciliumConfig: { 'cluster-name': 'mesh-3', 'cluster-id': '3' } });
      const check = MESH_CHECKS.filter((one) => one.id === id);
      const findings = runChecks(check, {
        ...mesh,
        clusters: [...mesh.clusters, { ...third, ciliumPodCidrs: undefined }],
      });
      expect(findings).toContainEqual(
        expect.objectContaining({
          severity: 'skip',
          cluster: 'one',
          args: expect.objectContaining({ reason: 'no pod ranges of three are known' }),
        }),
      );
    },
  );

  it('what is moot for a peer is none of it: who logs in as all do has no certificate of its own', () => {
    const check = MESH_CHECKS.filter((one) => one.id === 'peers-user');
    const mesh = inOne(({ peerCertificates }) => ({
      peerCertificates: new Map(
        [...peerCertificates].map(([peer, facts]) => [
          peer,
          { ...facts, certificate: { ...facts.certificate, commonName: 'remote' } },
        ]),
      ),
    }))(wellMesh());
    expect(runChecks(check, mesh)).toMatchObject([
      { severity: 'pass', args: { contexts: ['two'] } },
      { severity: 'skip', cluster: 'one', args: { reason: 'it logs in as the user that every cluster has' } },
    ]);
  });
});

describe('what could not be read', () => {
  const reasonsOf = (findings: readonly Finding[]) => [
    ...new Set(findings.map(({ args }) => args.reason ?? args.needs)),
  ];

  it('is why nothing was looked at, whatever needs what', () => {
    const input = { clusters: [], observed: new Map(), now: NOW, unreadClusters: ['one', 'two'] };
    expect(reasonsOf(runChecks(MESH_CHECKS, input))).toEqual(['one, two could not be read']);
  });

  it('is why there is nothing to compare a cluster with', () => {
    const { clusters, observed, now } = MESH.wellMesh();
    const input = { clusters: clusters.slice(0, 1), observed, now };
    const alone = runChecks(MESH_CHECKS, input).filter(({ args }) => /no other cluster/.test(`${args.reason}`));
    expect(alone).not.toEqual([]);
    const unread = runChecks(MESH_CHECKS, { ...input, unreadClusters: ['two'] });
    for (const { id } of alone)
      expect(reasonsOf(unread.filter((one) => one.id === id))).toEqual(['two could not be read']);
  });

  it('is said of all that goes by what a cluster shows, where nobody could look', () => {
    const { clusters, now } = MESH.wellMesh();
    const unlooked = { containers: [], nodes: [], unlooked: { isRefused: true } };
    const observed = new Map(clusters.map(({ context }) => [context, unlooked]));
    const checks = MESH_CHECKS.filter(({ observes }) => observes).map((check) => ({ ...check, needs: [], saidBy: [] }));
    expect(checks.length).toBeGreaterThan(8);
    for (const finding of runChecks(checks, { clusters, observed, now })) {
      if (finding.blind) expect(finding).toMatchObject({ severity: 'skip' });
      // What does not arise needs nobody to look.
      else expect(`${finding.args.reason}`).not.toMatch(/could|was found|has started|reported|told|were not|was not/);
    }
  });
});
