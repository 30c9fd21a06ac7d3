import { beforeAll, describe, expect, it } from 'vitest';
import { draftFrom } from '../../src/flows/enable/draft-enable.ts';
import { loadTemplates } from '../../src/manifests/load.ts';
import { waysToSign } from '../../src/mesh/certificates/foreign-authority.ts';
import { certificateBlocks } from '../../src/mesh/certificates/pem.ts';
import { isSameKey } from '../../src/mesh/certificates/trust.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import type { MeshCheckInput } from '../../src/mesh/checks/shared/mesh-input.ts';
import { CA_CHECKS, TRUST_CHECKS } from '../../src/mesh/checks/tls/authority.ts';
import { ORPHAN_CHECKS } from '../../src/mesh/checks/tls/orphaned-users.ts';
import { TLS_CHECKS } from '../../src/mesh/checks/tls/tls.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { planDial } from '../../src/mesh/connect/dial-plan.ts';
import { planDirection } from '../../src/mesh/connect/direction.ts';
import { signAnew } from '../../src/mesh/connect/provable.ts';
import { planServe } from '../../src/mesh/connect/serve-plan.ts';
import { planDisable, rotationNotes } from '../../src/mesh/enable/plan-disable.ts';
import { type KubeObject, keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  CA_SECRET,
  configMapRef,
  KVSTOREMESH_PEERS_SECRET,
  REMOTE_USERS_CONFIGMAP,
  SERVER_CERT_SECRET,
  secretRef,
} from '../../src/mesh/objects/names.ts';
import { dataOf, secretText, secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { peerCertificateKeys } from '../../src/mesh/peers/file/peer-config.ts';
import { PEER_SECRETS } from '../../src/mesh/peers/peers.ts';
import { removeUsersEdit } from '../../src/mesh/peers/users/remote-users.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
import {
  finishedBy,
  hasWork,
  numberOfPhase,
  planRotation,
  ROTATION_PHASES,
  titleOfPhase,
} from '../../src/mesh/rotation/phases.ts';
import { certificatesFrom } from '../../src/mesh/rotation/rotated-certificates.ts';
import { scopeRotation } from '../../src/mesh/rotation/scope.ts';
import {
  goesOnWithUnread,
  requireSettledAuthority,
  unfinishedRotations,
} from '../../src/mesh/rotation/unfinished-rotation.ts';
import { rotationText } from '../../src/views/rotation/rotation-view.ts';
import { PLAIN } from '../support/plain-theme.ts';
import {
  authoritiesIn,
  carryOut,
  copyOf,
  loneCluster,
  membersIn,
  meshOf,
  peeringFiles,
  presentCas,
  refusedIn,
  rotateModel,
  textsWritten,
  type World,
} from '../support/rotation-model.ts';
import { CHECKOUT } from '../support/schemas.ts';
import { NOW, snapshotOf } from '../support/snapshots.ts';

/** The mesh after each write of a rotation. */
async function afterEachWrite(mesh: World, ca: boolean): Promise<World[]> {
  const world = copyOf(mesh);
  const states: World[] = [];
  const refused: string[] = [];
  const after = () => {
    refused.push(...refusedIn(world).map((words) => `after write ${states.length + 1}: ${words}`));
    states.push(copyOf(world));
    return true;
  };
  expect(await rotateModel(world, { ca, after })).toBe(true);
  expect(refused).toEqual([]);
  return states;
}

/** Runs it again from where it was cut. */
async function expectGoesOn(cut: World, ca: boolean, where: string, whole = mesh): Promise<void> {
  const world = copyOf(cut);
  const refused: string[] = [];
  const after = () => {
    refused.push(...refusedIn(world));
    return true;
  };
  expect(await rotateModel(world, { ca, after }), where).toBe(true);
  expect(refused, where).toEqual([]);
  // One CA a cluster: nobody trusts another one any more.
  expect(authoritiesIn(world), where).toEqual(new Set(presentCas(world).map((pem) => pem?.trim())));
  expect(peeringFiles(world), where).toEqual(peeringFiles(whole));
}

/** Makes clusters forget one of their peers, which keeps what it has of them. */
function partFrom(world: World, gone: string): void {
  for (const cluster of world) {
    const keys = [gone, ...Object.values(peerCertificateKeys(gone))];
    for (const ref of [KVSTOREMESH_PEERS_SECRET, AGENT_PEERS_SECRET].map((name) => secretRef('kube-system', name))) {
      const secret = cluster.objects.get(keyOf(ref));
      const data = Object.fromEntries(Object.entries(dataOf(secret)).filter(([key]) => !keys.includes(key)));
      if (secret) cluster.objects.set(keyOf(ref), { ...secret, data });
    }
    const users = cluster.objects.get(keyOf(configMapRef('kube-system', REMOTE_USERS_CONFIGMAP)));
    const edit = users && removeUsersEdit([`remote-${gone}`])(users);
    if (!users || !edit || edit === 'delete') throw new Error('no users');
    cluster.objects.set(keyOf(refOf(users)), { ...users, ...edit.patch } as KubeObject);
  }
}

let mesh: World;
let states: World[];
beforeAll(async () => {
  mesh = await meshOf(2);
  states = await afterEachWrite(mesh, true);
});

describe('a rotation of the CAs of two clusters', () => {
  it('writes what it should, and refuses nobody at any moment', () => {
    expect(states).toHaveLength(40);
    const last = states.at(-1) ?? [];
    expect(authoritiesIn(last).size).toBe(2);
    expect(presentCas(last)).not.toEqual(presentCas(mesh));
    expect(peeringFiles(last)).toEqual(peeringFiles(mesh));
  });

  it.each([
    ['with --ca', true, (cut: number) => cut % 2 === 1],
    ['without', false, (cut: number) => cut % 2 === 0],
  ])('goes on after a cut at each write when it is run again %s', async (_name, ca, chosen) => {
    for (const [index, state] of states.entries()) {
      if (chosen(index + 1)) await expectGoesOn(state, ca, `cut after write ${index + 1}`);
    }
  });

  it('finishes what was begun, and begins nothing anew, once the CAs are in place', async () => {
    // After the second phase all CAs are new.
    for (const cut of [16, 30, 39]) {
      const state = states[cut - 1] ?? [];
      const world = copyOf(state);
      await rotateModel(world, { ca: true });
      expect(presentCas(world), `cut after write ${cut}`).toEqual(presentCas(state));
    }
  });
});

describe('a rotation where the CA of a cluster is lost', () => {
  const ca = secretRef('kube-system', CA_SECRET);
  const lose: readonly (readonly [string, (secret: KubeObject) => KubeObject | undefined])[] = [
    ['its Secret is gone', () => undefined],
    ['its Secret is empty', (secret) => ({ ...secret, data: {} })],
    ['its certificate is none', (secret) => ({ ...secret, data: { ...dataOf(secret), 'ca.crt': 'bm9uZQ==' } })],
    ['its key is none', (secret) => ({ ...secret, data: { ...dataOf(secret), 'ca.key': 'bm9uZQ==' } })],
  ];
  const without = (change: (typeof lose)[number][1], index: number, from = mesh) => {
    const world = copyOf(from);
    const secret = world[index]?.objects.get(keyOf(ca));
    const changed = secret && change(secret);
    world[index]?.objects.delete(keyOf(ca));
    if (changed) world[index]?.objects.set(keyOf(ca), changed);
    return world;
  };

  it.each(lose)('cuts nobody off at any moment, and goes on after a cut: %s', async (what, change) => {
    for (const index of what === 'its Secret is gone' ? [0, 1] : [1]) {
      const cut = await afterEachWrite(without(change, index), true);
      const last = cut.at(-1) ?? [];
      expect(authoritiesIn(last)).toEqual(new Set(presentCas(last).map((pem) => pem?.trim())));
      expect(new Set(presentCas(last)).size).toBe(2);
      for (const [write, state] of cut.entries()) {
        if (write % 7 === index) await expectGoesOn(state, true, `cluster ${index + 1}, cut after write ${write + 1}`);
      }
    }
  });

  it.each([
    ['its Secret is gone', 0],
    ['its key is none', 1],
  ] as const)(
    'keeps what it is advised with in the middle of another one, wherever that was cut: %s, cluster %i',
    async (what, index) => {
      const [, change = () => undefined] = lose.find(([name]) => name === what) ?? [];
      let promised = 0;
      for (const [cut, state] of states.entries()) {
        const world = without(change, index, state);
        const snapshots = (await membersIn(world)).map(({ snapshot }) => snapshot);
        const own = snapshots[index];
        const others = snapshots.filter((one) => one !== own);
        if (!own || !waysToSign(own, others).includes('without cutting off a peer')) continue;
        promised += 1;
        // The more is done the less is left by which to go on.
        if (cut % (promised > 16 ? 3 : 8) === index) await expectGoesOn(world, true, `cut after write ${cut + 1}`);
      }
      expect(promised).toBeGreaterThan(20);
    },
  );

  it('is advised with all who hold a certificate of a CA that is replaced by it, also peers of a peer', async () => {
    const hub = await meshOf(3);
    partFrom(hub.slice(0, 1), 'mesh-3');
    partFrom(hub.slice(2), 'mesh-1');
    hub[0]?.objects.delete(keyOf(ca));
    const [one, ...others] = (await membersIn(hub)).map(({ snapshot }) => snapshot);
    const line = 'meshctl clustermesh certs rotate --context mesh-1,mesh-2,mesh-3 --ca';
    expect(one && waysToSign(one, others)).toMatch(new RegExp(`without cutting off a peer: ${line}$`));
  });

  it('is refused where a certificate of the cluster is of another CA: nothing tells then whom all trust', async () => {
    const world = without(() => undefined, 0);
    const server = keyOf(secretRef('kube-system', SERVER_CERT_SECRET));
    const other = world[1]?.objects.get(server);
    if (other) world[0]?.objects.set(server, other);
    const members = await membersIn(world);
    expect(() => scopeRotation(members, { ca: true, force: false }, NOW)).toThrow(
      expect.objectContaining({ code: 'CertificateAuthority' }),
    );
  });
});

/** SHA-256 of the certificates that are from the present CAs of their clusters. */
async function fromPresentCas(world: World): Promise<string[]> {
  const members = await membersIn(world);
  return members.flatMap((member) =>
    certificatesFrom(member, members).flatMap(({ facts }) =>
      facts && isSameKey(facts.ca, member.snapshot.ca?.certificate) ? [facts.certificate.sha256] : [],
    ),
  );
}

describe('a run without --ca that goes on with a rotation', () => {
  it.each([4, 15, 18, 24, 25, 33])('renews nothing that is from the CA that stays: cut after write %i', async (cut) => {
    const world = copyOf(states[cut - 1] ?? []);
    const before = await fromPresentCas(world);
    expect(await rotateModel(world, { ca: false })).toBe(true);
    expect(await fromPresentCas(world)).toEqual(expect.arrayContaining(before));
    // Once it is at its end, all are renewed as ever.
    const finished = await fromPresentCas(world);
    expect(finished).toHaveLength(10);
    await rotateModel(world, { ca: false });
    expect((await fromPresentCas(world)).filter((sha256) => finished.includes(sha256))).toEqual([]);
  });

  it.each([
    ['what is older than asked', { olderThanMs: 0 }, 10],
    ['what has another key than asked', { asked: { keySize: 4096 } }, 10],
    ['nothing that is as asked', { asked: { keySize: 1024 } }, 0],
  ])('renews %s', async (_what, choice, count) => {
    const members = await membersIn(states[29] ?? []);
    expect(scopeRotation(members, { ca: false, force: false, ...choice }, NOW).due.size).toBe(count);
  });

  it.each([false, true])(
    'is told to name its peers without --ca, which it needs no more (asked with: %s)',
    async (ca) => {
      const members = (await membersIn(states[29] ?? [])).slice(0, 1);
      const contexts = new Map([['mesh-2', 'two']]);
      expect(() => scopeRotation(members, { ca, force: false }, NOW, contexts)).toThrow(
        expect.objectContaining({
          hint: expect.stringContaining('together: meshctl clustermesh certs rotate --context mesh-1,two; or'),
        }),
      );
    },
  );
});

it.each([
  ['begun', true, ' --ca', () => mesh],
  ['gone on with', false, '', () => states[29] ?? []],
])('a rotation is %s without a peer that has left the mesh, which is to be forgotten', async (_, ca, flag, world) => {
  const members = (await membersIn(world())).slice(0, 1);
  const gone = snapshotOf({ context: 'two', ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' } });
  const contexts = new Map([['mesh-2', 'two']]);
  expect(() => scopeRotation(members, { ca, force: false, others: [gone] }, NOW, contexts)).toThrow(
    expect.objectContaining({
      hint:
        'Cluster Mesh is not enabled in mesh-2: forget it, and renew what the others hold together: ' +
        `meshctl clustermesh disconnect --context mesh-1 --peer mesh-2 && meshctl clustermesh certs rotate --context mesh-1${flag}`,
    }),
  );
});

const NOTHING = {
  replaced: [],
  staying: [],
  switched: [],
  parted: [],
  unsigned: [],
  left: [],
  unissued: [],
  midway: [],
  isByAge: false,
};

it.each([
  [['mesh-1', 'mesh-2'], [], '✅ The rotation of the CA is finished in mesh-1, mesh-2\n  • No certificate was due'],
  [
    ['mesh-1'],
    ['mesh-1'],
    '✅ The CA was not replaced in mesh-1: what was to replace it is no longer trusted\n  • No certificate was due',
  ],
  [[], [], '✅ No certificate was due'],
])('a run that issues nothing says what it has done: %j, of which %j keep their CA', (contexts, staying, says) => {
  const phase = titleOfPhase('let-go');
  const object = secretRef('kube-system', KVSTOREMESH_PEERS_SECRET);
  const [restart, issue] = [{ method: 'restart' }, { method: 'issue' }];
  const steps = contexts.flatMap((cluster) => [
    { cluster, object, write: issue, phase },
    { cluster, object, write: restart, phase },
  ]);
  // What it holds of its peers is from their CAs.
  const ofPeers = { cluster: 'mesh-3', object, write: issue, phase };
  const finished = finishedBy([...steps, ofPeers] as unknown as Step[]);
  const replaced = finished.filter((one) => !(staying as string[]).includes(one));
  expect(rotationText([], { ...NOTHING, replaced, staying }, PLAIN)).toBe(says);
});

it('a run that leaves what a cluster issues that was not named gives no tick', () => {
  const unissued = [{ context: 'mesh-1', peer: 'mesh-3', says: 'it is due and stays', hint: 'Name it.' }];
  expect(rotationText([], { ...NOTHING, unissued, isByAge: true }, PLAIN)).toBe(
    'No other certificate was due\n✗ mesh-1: it is due and stays\n   → Name it.',
  );
});

it('a run that leaves what nothing can sign says so below what it has done', () => {
  const unsigned = [{ context: 'mesh-2', says: 'it stays', hint: 'Mend it.' }];
  expect(rotationText([], { ...NOTHING, unsigned }, PLAIN)).toBe(
    'No other certificate was due\n✗ mesh-2: it stays\n   → Mend it.',
  );
});

describe('a rotation that has replaced no CA yet, and a plain run without all who take part', () => {
  const marked = (world: World) =>
    peeringFiles(world).map((files) => JSON.stringify(files).includes('# meshctl: rotated'));
  const unfinishedIn = async (world: World) =>
    unfinishedRotations((await membersIn(world)).map(({ snapshot }) => snapshot)).map(
      ({ context, phase }) => `${context} ${phase}`,
    );
  const serversIn = (world: World) =>
    world.map(({ objects }) => secretText(objects.get(keyOf(secretRef('kube-system', SERVER_CERT_SECRET))), 'tls.crt'));

  it('stays as it is and is told of, while certificates are renewed as ever, each time', async () => {
    const world = copyOf(states[13] ?? []);
    const before = copyOf(world);
    for (let run = 1; run <= 2; run++) {
      const servers = serversIn(world);
      const { staying, warnings, notes } = scopeRotation(
        (await membersIn(world)).slice(1),
        { ca: false, force: false },
        NOW,
        new Map([['mesh-1', 'one']]),
      );
      expect([...staying]).toEqual([]);
      expect(notes).toEqual({});
      expect(warnings).toContain(
        'context "mesh-2": the CA in Secret cilium-ca and what was to replace it both stay trusted by a run without mesh-1 → ' +
          'without --ca the present CA stays, with it another successor is made: meshctl clustermesh certs rotate --context mesh-2,one --ca',
      );
      expect(await rotateModel(world.slice(1), { ca: false })).toBe(true);
      expect(refusedIn(world)).toEqual([]);
      expect(serversIn(world)[0]).toBe(servers[0]);
      expect(serversIn(world)[1]).not.toBe(servers[1]);
      expect(authoritiesIn(world)).toEqual(authoritiesIn(before));
      expect(peeringFiles(world)).toEqual(peeringFiles(before));
      expect(await unfinishedIn(world.slice(1))).toEqual(['mesh-2 replace']);
      expect(await unfinishedIn(world)).toEqual(['mesh-1 replace', 'mesh-2 replace']);
    }
    await expectGoesOn(world, true, 'with all of them');
  });

  it('is taken back only in clusters whose peers all take part', async () => {
    // mesh-1 and mesh-3 are connected with mesh-2 alone.
    const world = copyOf((await afterEachWrite(await meshOf(3), true))[20] ?? []);
    expect(await unfinishedIn(world)).toEqual(['mesh-1 replace', 'mesh-2 replace', 'mesh-3 replace']);
    partFrom(world.slice(0, 1), 'mesh-3');
    partFrom(world.slice(2), 'mesh-1');
    const pair = world.slice(0, 2);
    const { staying } = scopeRotation(await membersIn(pair), { ca: false, force: false }, NOW);
    expect([...staying]).toEqual(['mesh-1']);
    const steps: Step[] = [];
    expect(await rotateModel(pair, { ca: false, after: (step) => steps.push(step) > 0 })).toBe(true);
    expect(finishedBy(steps)).toEqual(['mesh-1']);
    expect(await unfinishedIn(world)).toEqual(['mesh-2 replace', 'mesh-3 replace']);
    // By which programs read the CAs again, and others see how far it is.
    expect(marked(world)).toEqual([true, true, true]);
    expect(await rotateModel(world, { ca: false })).toBe(true);
    expect(marked(world)).toEqual([false, false, false]);
    expect(authoritiesIn(world)).toEqual(new Set(presentCas(world).map((pem) => pem?.trim())));
  });
});

describe('in the middle of a rotation', () => {
  /** Each state of which something is left to do, with the phase in which a run would go on. */
  const middles = async (isChosen = (_index: number) => true) => {
    const chosen = states.filter((_, index) => isChosen(index) || isEnd(index));
    const members = await Promise.all(chosen.map(membersIn));
    return members.flatMap((cut, order) => {
      const world = chosen[order] ?? [];
      const index = states.indexOf(world);
      const [one] = cut;
      const rotations = unfinishedRotations(cut.map(({ snapshot }) => snapshot));
      return one ? [{ cut, one: one.snapshot, world, at: `after write ${index + 1}`, rotations }] : [];
    });
  };
  /** What stands beside the server certificate of mesh-1. */
  const served = ([one]: World) =>
    certificateBlocks(
      secretText(one?.objects.get(keyOf(secretRef('kube-system', SERVER_CERT_SECRET))), 'ca.crt') ?? '',
    );
  const isEnd = (index: number) => index >= states.length - 1;

  it('every cluster is in one from the first write to the last, in phases that go on', async () => {
    const seen = await middles();
    const phases = seen.map(({ rotations }) => rotations.map(({ phase }) => ROTATION_PHASES.indexOf(phase)));
    expect(phases.at(-1)).toEqual([]);
    const ofOne = seen.flatMap(({ rotations }) => rotations.filter(({ context }) => context === 'mesh-1'));
    expect([...new Set(ofOne.map(({ phase }) => phase))]).toEqual([...ROTATION_PHASES]);
    for (const [index, { rotations, at }] of seen.entries()) {
      if (isEnd(index)) continue;
      expect(rotations.length, at).toBeGreaterThan(0);
      const ca = rotations.some(({ phase }) => ['trust', 'replace'].includes(phase)) ? ' --ca' : '';
      expect(
        rotations.map(({ hint }) => hint.replace(/^.*: /, '')),
        at,
      ).toEqual(rotations.map(() => `meshctl clustermesh certs rotate --context mesh-1,mesh-2${ca}`));
    }
  });

  it('goes on by force where Helm has taken its certificates over, and not for a peer that only has its own from Helm', async () => {
    // Only mesh-1 has begun: mesh-2, and what mesh-1 holds of it, are as before.
    const world = [...copyOf(states[10] ?? []).slice(0, 1), ...copyOf(mesh).slice(1)];
    for (const key of PEER_SECRETS.map((name) => keyOf(secretRef('kube-system', name)))) {
      const former = mesh[0]?.objects.get(key);
      if (former) world[0]?.objects.set(key, former);
    }
    const [one, two] = (await membersIn(world)).map(({ snapshot }) => snapshot);
    if (!one || !two) throw new Error('no clusters');
    expect(unfinishedRotations([one, two]).map(({ context }) => context)).toEqual(['mesh-1']);
    const fromHelm = (cluster: ClusterSnapshot): ClusterSnapshot => {
      const key = keyOf(secretRef('kube-system', SERVER_CERT_SECRET));
      const secret = cluster.objects.get(key);
      if (!secret) throw new Error('no certificate');
      const managedFields = [{ manager: 'helm', operation: 'Update', fieldsV1: { 'f:data': { 'f:ca.crt': {} } } }];
      const annotations = { 'meta.helm.sh/release-name': 'cilium' };
      const made = { ...secret, metadata: { ...secret.metadata, annotations, managedFields } } as KubeObject;
      return { ...cluster, objects: new Map([...cluster.objects, [key, made]]) };
    };
    const hintOf = (...clusters: ClusterSnapshot[]) =>
      unfinishedRotations(clusters).find(({ context }) => context === 'mesh-1')?.hint;
    expect(hintOf(one, fromHelm(two))).toMatch(/certs rotate --context mesh-1,mesh-2( --ca)?$/);
    expect(hintOf(fromHelm(one), two)).toMatch(/--context mesh-1,mesh-2 --ca --force-conflicts mesh-1$/);
  });

  it('no other owner is let join, whose cluster would have no part in what is left of it', async () => {
    for (const { one, at } of await middles((index) => index % 5 === 0)) {
      const [alone] = unfinishedRotations([one]);
      const joining = () => requireSettledAuthority(one);
      if (alone) expect(joining, at).toThrow(`${alone.says}; with the cluster of another owner`);
      else expect(joining, at).not.toThrow();
    }
  });

  it('a server certificate of the former CA is replaced by going on, and by enable where there is no rotation', async () => {
    for (const { cut, at, rotations } of await middles((index) => index % 5 === 0)) {
      const [one, two] = cut.map(({ snapshot }) => snapshot);
      if (!one || !two) throw new Error('no clusters');
      const mine = rotations.find(({ context }) => context === 'mesh-1');
      const wanted = mine
        ? `Finish the rotation of its CA: ${mine.hint}`
        : 'Reissue it: meshctl clustermesh enable --context mesh-1';
      expect(signAnew(one, [two], [SERVER_CERT_SECRET]), at).toBe(wanted);
    }
  });

  it('a run that goes on counts the phases as check does', async () => {
    for (const { cut, at, rotations } of await middles((index) => index % 3 === 0)) {
      if (rotations.length === 0) continue;
      const ca = rotations.some(({ hint }) => hint.endsWith(' --ca'));
      const scope = scopeRotation(cut, { ca, force: false }, NOW);
      const input = { ...scope, members: cut, successors: new Map(), asked: {}, force: false, now: NOW };
      const planned = planRotation(input).flatMap((phase) => (hasWork(phase) ? [phase.title] : []));
      const numbers = planned.map((title) => numberOfPhase(title, planned));
      const first = ca ? 1 : Math.min(...rotations.map(({ phase }) => ROTATION_PHASES.indexOf(phase) + 1));
      expect(numbers[0], at).toBe(`Phase ${first} of 5`);
      expect(numbers.at(-1), at).toBe('Phase 5 of 5');
      for (const { says } of rotations) expect(says, at).toMatch(/ of 5\b/);
    }
  });

  it.each([
    ['two of certificates', ['leaves', 'peers'], ['Phase 1 of 2', 'Phase 2 of 2']],
    ['the only one of certificates', ['leaves'], [undefined]],
    ['the last of a CA', ['let-go'], ['Phase 5 of 5']],
    ['those of the CA of a cluster without peers', ['trust', 'replace', 'leaves', 'let-go'], [1, 2, 3, 5]],
  ] as const)('the number of a phase: %s', (_which, names, numbers) => {
    const planned = names.map(titleOfPhase);
    const asked = planned.map((title) => numberOfPhase(title, planned));
    expect(asked).toEqual(numbers.map((one) => (typeof one === 'number' ? `Phase ${one} of 5` : one)));
    expect(numberOfPhase('no phase of it', planned)).toBeUndefined();
  });

  it('what is said of a cluster by itself names no phase that all together are not in', async () => {
    const numbersIn = (says = '') => / in phase ([\d or]+) of /.exec(says)?.[1]?.split(' or ');
    const doubtful = new Set<string>();
    for (const { one, at, rotations } of await middles()) {
      const [alone] = unfinishedRotations([one]);
      const all = numbersIn(rotations.find(({ context }) => context === 'mesh-1')?.says);
      const own = numbersIn(alone?.says);
      if (!all || !own) continue;
      expect(own, at).toEqual(expect.arrayContaining(all));
      if (own.length > 1) doubtful.add(own.join());
    }
    expect([...doubtful]).toEqual(['1,2', '4,5']);
  });

  it('a cluster that leaves and keeps its certificates is told how it goes on', async () => {
    const phases = new Set<string>();
    for (const { one, at, rotations } of await middles((index) => index % 4 === 0)) {
      const possible = [...one.objects.values()].map(refOf);
      const { steps } = planDisable({ snapshot: one, possible, keepCertificates: true });
      const notes = rotationNotes(one, steps);
      const mine = rotations.find(({ context }) => context === 'mesh-1');
      // Of one cluster alone it is not always beyond doubt.
      if (notes.length === 0) continue;
      phases.add(mine?.phase ?? '');
      const ca = ['trust', 'replace'].includes(mine?.phase ?? '') ? ' --ca' : '';
      expect(notes, at).toEqual([
        expect.stringMatching(new RegExp(`: meshctl clustermesh certs rotate --context mesh-1${ca}$`)),
      ]);
    }
    expect([...phases]).toEqual(expect.arrayContaining(['leaves', 'peers']));
  });

  it('check warns of it and of nothing else, and enable issues nothing, cuts nobody and names the way on', async () => {
    const templates = await loadTemplates(CHECKOUT);
    for (const { cut, one, at, rotations } of await middles((index) => index % 4 === 0)) {
      const clusters = cut.map(({ snapshot }) => snapshot);
      const checks = [...CA_CHECKS, ...TLS_CHECKS, ...TRUST_CHECKS, ...ORPHAN_CHECKS].filter(
        ({ needs }) => needs === undefined,
      );
      const found = runChecks(checks, { clusters, now: NOW, observed: new Map() } as MeshCheckInput);
      const bad = found.filter(({ severity }) => severity === 'fail' || severity === 'warn');
      expect(
        bad.map(({ id, severity, cluster }) => `${severity} ${id} ${cluster}`),
        at,
      ).toEqual(rotations.map(({ context }) => `warn tls-rotation ${context}`));
      for (const others of [[], clusters.slice(1)]) {
        const draft = draftFrom(one, templates, { waitMs: 0, others }, NOW);
        const certificates = draft.plan.steps.filter(({ object }) => object.kind === 'Secret');
        expect(
          certificates.filter(({ action }) => action !== 'keep'),
          at,
        ).toEqual([]);
        expect(
          draft.effects.filter(({ becomes }) => becomes === 'cut'),
          at,
        ).toEqual([]);
        const [own] = rotations.filter(({ context }) => context === 'mesh-1');
        // The first write by itself may be anybody's, as long as the peers are not read.
        if (others.length === 0 && own?.phase === 'trust') expect(draft.rotation, at).toBeDefined();
        else expect(draft.warnings.filter((text) => text.includes('certs rotate')).length, at).toBe(own ? 1 : 0);
      }
    }
  });

  it('enable issues the server certificate anew where it is lost, and that alone: it trusts what the others are from', async () => {
    const templates = await loadTemplates(CHECKOUT);
    for (const { cut, one, at } of await middles((index) => index % 4 === 0)) {
      const lost = keyOf(secretRef('kube-system', SERVER_CERT_SECRET));
      const lacking = {
        ...one,
        objects: new Map([...one.objects].filter(([key]) => key !== lost)),
        tlsSecrets: new Map([...one.tlsSecrets].filter(([name]) => name !== SERVER_CERT_SECRET)),
      };
      const others = cut.slice(1).map(({ snapshot }) => snapshot);
      const { plan } = draftFrom(lacking, templates, { waitMs: 0, others }, NOW);
      const written = plan.steps.filter(({ action, object }) => object.kind === 'Secret' && action !== 'keep');
      expect(
        written.map(({ object }) => object.name),
        at,
      ).toEqual([SERVER_CERT_SECRET]);
    }
  });

  it('connect changes nothing between its clusters, and gives a new peer all CAs', async () => {
    const lone = await loneCluster('mesh-3', 3);
    for (const { cut, world, at, rotations } of await middles((index) => index % 5 === 1)) {
      const [one, two] = cut;
      const [three] = await membersIn([lone]);
      if (!one || !two || !three) throw new Error('no clusters');
      const between = [planDirection(one, two, { now: NOW }), planDirection(two, one, { now: NOW })];
      const steps = [...planServe(between, NOW).steps, ...planDial(between, NOW).steps];
      expect(
        steps.filter(({ action }) => action !== 'keep'),
        at,
      ).toEqual([]);
      const [dial] = planDial([planDirection(three, one, { now: NOW })], NOW).steps;
      if (!dial) throw new Error('nothing is dialled');
      const texts = await textsWritten([...world, lone], dial);
      const trusted = certificateBlocks(texts['mesh-1.etcd-client-ca.crt'] ?? '');
      const isTrusting = rotations.some(({ context, phase }) => context === 'mesh-1' && phase === 'trust');
      if (!isTrusting) expect(trusted, at).toEqual(expect.arrayContaining(served(world)));
    }
  });
});

it.each([
  ['the same', 0],
  ['a later one', 1],
])(
  'connect puts together what a backup of the middle of a rotation has set apart from a peer in which %s is over',
  async (_, later) => {
    const apart: number[] = [];
    const now = copyOf(states.at(-1) ?? []);
    if (later) await rotateModel(now, { ca: true });
    for (const [index, state] of states.entries()) {
      const world = [...copyOf(now).slice(0, 1), ...copyOf(state).slice(1)];
      if (refusedIn(world).length > 0) apart.push(index + 1);
      const [one, two] = await membersIn(world);
      if (!one || !two) throw new Error('no clusters');
      const between = [planDirection(one, two, { now: NOW }), planDirection(two, one, { now: NOW })];
      await carryOut(world, planDial(between, NOW).steps);
      expect(refusedIn(world), `restored to after write ${index + 1}`).toEqual([]);
      const anew = (await membersIn(world)) as [typeof one, typeof two];
      const again = [planDirection(...anew, { now: NOW }), planDirection(anew[1], anew[0], { now: NOW })];
      const left = planDial(again, NOW).steps.filter(({ action }) => action !== 'keep');
      expect(left, `connected again after write ${index + 1}`).toEqual([]);
    }
    expect(apart.length).toBeGreaterThan(20);
  },
);

describe('a rotation that two clusters finish, which have parted with the third', () => {
  const bundlesOf = (world: World) => world.map((cluster) => authoritiesIn([cluster]).size);
  const seenOf = async (world: World) =>
    unfinishedRotations((await membersIn(world)).map(({ snapshot }) => snapshot)).map(({ context }) => context);
  let begun: World;
  let world: World;
  let scope: string[];

  beforeAll(async () => {
    const cuts = await afterEachWrite(await meshOf(3), true);
    const middle = cuts[26];
    if (!middle) throw new Error('it was not cut');
    begun = middle;
    world = copyOf(middle);
    expect(await seenOf(world)).toEqual(['mesh-1', 'mesh-2', 'mesh-3']);
    partFrom(world.slice(0, 2), 'mesh-3');
    expect(await rotateModel(world.slice(0, 2), { ca: false })).toBe(true);
    const members = await membersIn(world);
    scope = [...scopeRotation(members, { ca: false, force: false }, NOW).warnings];
  });

  it('is gone on with from one that was read alone with the peers of its peers, where those are in it too', async () => {
    const apart = copyOf(begun);
    partFrom(apart.slice(0, 1), 'mesh-3');
    partFrom(apart.slice(2), 'mesh-1');
    const [one, two, three] = (await membersIn(apart)).map(({ snapshot }) => snapshot);
    if (!one || !two || !three) throw new Error('no clusters');
    const goesOn = (others: readonly ClusterSnapshot[]) => unfinishedRotations([three], others)[0]?.hint;
    expect(goesOnWithUnread([three])).toBe(true);
    expect(goesOn([])).toBe("meshctl clustermesh certs rotate --context 'mesh-3,<context of mesh-2>'");
    // Read for who is concerned, without CA and certificates.
    const briefly = (snapshot: ClusterSnapshot): ClusterSnapshot => ({
      ...snapshot,
      ca: undefined,
      tlsSecrets: new Map(),
      unread: new Set([keyOf(secretRef('kube-system', CA_SECRET))]),
    });
    const together = 'meshctl clustermesh certs rotate --context mesh-1,mesh-2,mesh-3';
    for (const others of [
      [one, two],
      [briefly(one), briefly(two)],
    ]) {
      expect(goesOn(others)).toBe(together);
      const members = await membersIn(apart.slice(2));
      expect(() => scopeRotation(members, { ca: false, force: false, others }, NOW)).toThrow(
        expect.objectContaining({
          hint: expect.stringContaining(
            'together: meshctl clustermesh certs rotate --context mesh-3,mesh-2,mesh-1; or forget',
          ),
        }),
      );
    }
    expect(goesOnWithUnread([one, two, three])).toBe(false);
  });

  it('is over for them, whatever the third still holds, and not for the third', async () => {
    expect(bundlesOf(world.slice(0, 2))).toEqual([2, 2]);
    expect(bundlesOf(world.slice(2))[0]).toBeGreaterThan(3);
    expect(await seenOf(world)).toEqual(['mesh-3']);
    expect(await seenOf(world.slice(0, 2))).toEqual([]);
  });

  it('is not begun anew by the third’s: no former CA comes back, and nothing is made that would open nothing', async () => {
    const [before, after] = [world, copyOf(world)];
    const held = secretRef('kube-system', KVSTOREMESH_PEERS_SECRET);
    const ofThird = (one: World) => secretTexts(one[2]?.objects.get(keyOf(held)))['mesh-1.etcd-client.crt'];
    const looks: number[][] = [];
    const written = new Set<string>();
    const look = ({ cluster }: Step) => {
      written.add(cluster);
      return looks.push(bundlesOf(after.slice(0, 2))) > 0;
    };
    expect(await rotateModel(after, { ca: false, after: look })).toBe(true);
    // The line that is printed for the third names the others, of which something may be left: it does nothing there.
    expect([...written]).toEqual(['mesh-3']);
    expect(new Set(looks.flat())).toEqual(new Set([2]));
    expect(ofThird(after)).toBe(ofThird(before));
    expect(await seenOf(after)).toEqual([]);
    expect(scope.map((words) => words.replace(/ → .*/, ''))).toEqual(
      ['mesh-1', 'mesh-2'].map(
        (name) =>
          `context "mesh-3": mesh-3 dials ${name}, which does not let it in any more, so the certificate for dialling ${name} stays`,
      ),
    );
    expect(scope[0]).toMatch(
      /→ connect them again: meshctl clustermesh connect --context mesh-3 --destination-context mesh-1; or disconnect that side too: meshctl clustermesh disconnect --context mesh-3 --peer mesh-1$/,
    );
  });

  it('is not brought back by connecting the third again', async () => {
    const members = await membersIn(world);
    const [one, , three] = members;
    if (!one || !three) throw new Error('no clusters');
    const [dial] = planDial([planDirection(three, one, { now: NOW })], NOW).steps;
    const texts = dial ? await textsWritten(world, dial) : {};
    expect(texts['mesh-1.etcd-client-ca.crt']?.trim()).toBe(presentCas(world)[0]?.trim());
  });
});

it('a rotation of four clusters goes on after cuts in each phase', async () => {
  const four = await meshOf(4);
  const cuts = await afterEachWrite(four, true);
  for (const cut of [9, 40, 78]) {
    await expectGoesOn(cuts[cut - 1] ?? [], cut % 2 === 0, `cut after write ${cut}`, four);
  }
});

it('a plain rotation writes each Secret once', async () => {
  const plain = await afterEachWrite(mesh, false);
  expect(plain).toHaveLength(10);
  expect(presentCas(plain.at(-1) ?? [])).toEqual(presentCas(mesh));
});
