import { describe, expect, it } from 'vitest';
import { allHearOf, linksByContext } from '../../src/mesh/status/links.ts';
import { evaluateMesh } from '../../src/mesh/status/mesh-status.ts';
import { type RemoteClusterReport, remoteClusters } from '../../src/mesh/status/remote-cluster-report.ts';
import type { FailureReason } from '../../src/mesh/status/status.ts';
import { createTally } from '../../src/mesh/status/status-tally.ts';

/** As agents have it in JSON: nothing is left out that is not judged by. */
const CONNECTED = { name: 'mesh-2', ready: true, connected: true, 'num-shared-services': 1 };
/** Its client gets no connection any more. */
const HOLDING = { name: 'mesh-2', 'num-shared-services': 1 };
/** It gets one, to a cache that has nothing of the peer any more. */
const UNREAD = { ...HOLDING, connected: true, config: { required: true } };
/** Restarted since, or the time to live of what it knew is over. */
const EMPTY = { name: 'mesh-2' };
const SILENT = undefined;

/** What a program says of its peer, and what came of a new connection that it was to make. */
interface Answer {
  /** Undefined where no answer came in time. */
  says: object | 'does not run' | undefined;
  anew?: FailureReason;
}

const silence = (says: 'does not run' | undefined) =>
  says
    ? { error: 'pod replica is not running', idle: true as const }
    : { error: 'no answer in time', unasked: true as const };

function brokenLinks(agents: readonly (object | undefined)[], replicas?: readonly Answer[], anew?: FailureReason) {
  const tally = createTally({
    ...{ context: 'one', namespace: 'kube-system', clusterName: 'mesh-1', clusterId: 1 },
    ...{ peers: ['mesh-2'], enabled: true, kvstoremesh: replicas !== undefined },
  });
  replicas?.forEach(({ says, anew: failure }, index) => {
    tally.add('kvstoremesh', {
      name: `replica-${index}`,
      ...(typeof says === 'object' ? { clusters: remoteClusters([says]) } : silence(says)),
      failingDials: new Map(failure ? [['mesh-2', failure]] : []),
    });
  });
  agents.forEach((agent, index) => {
    const clusters: readonly RemoteClusterReport[] | undefined = agent && remoteClusters([agent]);
    const failingDials = new Map(anew && index === 0 ? [['mesh-2', anew]] : []);
    tally.add('agent', { name: `node-${index}`, clusters, failingDials, ...(clusters ? {} : { error: 'no answer' }) });
  });
  return linksByContext(evaluateMesh([tally.report()], [])).get('one')?.broken;
}

describe('a connection by what the agents of a cluster say', () => {
  it.each<[string, (object | undefined)[], object[]]>([
    ['all are connected', [CONNECTED, CONNECTED], []],
    ['none is, and each goes on with what it last heard', [HOLDING, UNREAD], [{ state: 'lost' }]],
    ['one is not, and goes on', [CONNECTED, HOLDING], [{ state: 'lost' }]],
    ['one was restarted since', [HOLDING, EMPTY], [{ state: 'disconnected', using: 1, unheard: true }]],
    ['one is connected, and one knows nothing', [CONNECTED, EMPTY], [{ state: 'disconnected', using: 1 }]],
    ['one says nothing', [HOLDING, SILENT], [{ state: 'disconnected', using: 1, unheard: true }]],
    ['all were restarted since', [EMPTY, EMPTY], [{ state: 'disconnected' }]],
  ])('%s', (_, agents, links) => {
    const found = brokenLinks(agents)?.map(({ peer: _peer, reason: _reason, ...link }) => link);
    expect(found).toEqual(links);
  });
});

// Agents are connected to their own cache, and say so whatever becomes of the peer.
describe('a connection of which all agents say that it is there', () => {
  const FAILS = { class: 'timed-out' as const, message: 'i/o timeout' };
  const DENIED = { class: 'permission-denied' as const, message: 'permission denied' };
  const UNTRIED = { class: 'agent-unreachable' as const, message: 'no answer in time' };
  const WELL: Answer = { says: CONNECTED };
  const IDLE: Answer = { says: 'does not run' };
  it.each<[string, replicas: Answer[] | undefined, anew: FailureReason | undefined, unheard: true | undefined]>([
    ['KVStoreMesh has lost the peer', [{ says: EMPTY }], undefined, true],
    ['one of two replicas has lost it', [WELL, { says: HOLDING }], undefined, true],
    ['no replica runs', [], undefined, true],
    ['the only replica does not run', [IDLE], undefined, true],
    ['one does not run, and the other one gets no new connection', [{ ...WELL, anew: FAILS }, IDLE], undefined, true],
    ['one does not run, and the other one has lost it', [{ says: HOLDING }, IDLE], undefined, true],
    ['one does not run, and of the other one nothing is known', [{ says: undefined }, IDLE], undefined, undefined],
    ['KVStoreMesh has not noticed, and gets no new connection', [{ ...WELL, anew: FAILS }], undefined, true],
    ['an agent has not noticed', undefined, FAILS, true],
    ['KVStoreMesh would not be let in again, and is connected', [{ ...WELL, anew: DENIED }], undefined, undefined],
    ['KVStoreMesh could not try', [{ ...WELL, anew: UNTRIED }], undefined, undefined],
    ['nobody knows of KVStoreMesh', [{ says: undefined }], undefined, undefined],
  ])('%s', (_, replicas, anew, unheard) => {
    const [link] = brokenLinks([CONNECTED, CONNECTED], replicas, anew) ?? [];
    expect(link?.state).toBe('at-risk');
    expect(link?.unheard).toBe(unheard);
  });

  it('is sound where KVStoreMesh is connected', () => {
    expect(brokenLinks([CONNECTED], [WELL, WELL])).toEqual([]);
  });

  it('is sound where a replica of KVStoreMesh does not run, and the others are connected', () => {
    expect(brokenLinks([CONNECTED], [WELL, IDLE])).toEqual([]);
  });
});

describe('a peer whose own cluster was not read, by those that have it', () => {
  const reportOf = (context: string, agent: object | undefined, peers = ['mesh-2']) => {
    const tally = createTally({
      ...{ context, namespace: 'kube-system', clusterName: `mesh-${context}`, clusterId: 1 },
      ...{ peers, enabled: true, kvstoremesh: false },
    });
    const told = agent ? { clusters: remoteClusters([agent]) } : silence(undefined);
    tally.add('agent', { name: 'node', ...told, failingDials: new Map() });
    return tally.report();
  };
  const how = { connected: CONNECTED, 'not connected': EMPTY, 'not asked': SILENT };
  const kinds = Object.keys(how) as (keyof typeof how)[];
  const verdict = (...held: (keyof typeof how)[]) =>
    held.includes('not connected') ? false : held.includes('not asked') ? undefined : true;

  it.each(kinds)('%s, alone and beside each other one', (kind) => {
    const one = reportOf('one', how[kind]);
    expect(allHearOf([one], 'mesh-2', ['one'])).toBe(verdict(kind));
    for (const other of kinds)
      expect(allHearOf([one, reportOf('two', how[other])], 'mesh-2', ['one', 'two'])).toBe(verdict(kind, other));
  });

  it('is not known of one that was not asked, or that only dials', () => {
    expect(allHearOf([], 'mesh-2', ['one'])).toBeUndefined();
    expect(allHearOf([reportOf('one', { ...CONNECTED, name: 'mesh-3' }, [])], 'mesh-2', ['one'])).toBeUndefined();
    expect(allHearOf([reportOf('one', CONNECTED)], 'mesh-2', ['one', 'two'])).toBeUndefined();
  });
});
