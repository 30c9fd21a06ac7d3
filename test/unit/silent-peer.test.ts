/** For which peers that do not answer it is said what ends the requests that they are sent. */
import { describe, expect, it } from 'vitest';
import type { FailureClass } from '../../src/mesh/status/failure-reason.ts';
import { ADVICE } from '../../src/mesh/status/failure-reason.ts';
import { endOfRequests } from '../../src/mesh/status/silent-peer.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';

interface Seen {
  connected?: number;
  holding?: number;
  keptFor?: string;
}

function report(name: string, { connected = 0, holding, keptFor }: Seen = {}, peer = 'lost'): StatusReport {
  const agents = { configured: 1, connected, total: 1, ...(holding === undefined ? {} : { holding }) };
  return {
    ...{ context: `c-${name}`, namespace: 'kube-system', cluster: { name, id: 1 }, healthy: false, enabled: true },
    nodes: { total: 1, connected },
    kvstoremesh: { enabled: true, replicas: 1, connected: 0 },
    ...{ peers: [{ name: peer, agents }], serves: [], problems: [], faults: [] },
    ...(keptFor === undefined ? {} : { keptFor }),
  };
}

const lack = (of: StatusReport, kind: FailureClass = 'timed-out', peer = 'lost') => ({
  report: of,
  problem: { peer, component: 'kvstoremesh' as const, class: kind, message: '', nodes: ['a'] },
});

describe('what a silent cluster is still sent', () => {
  it.each<[string, Seen, boolean]>([
    ['agents are connected to the cache of their own cluster', { connected: 1 }, true],
    ['agents hold what they last heard', { holding: 1 }, true],
    ['agents have been restarted since', {}, false],
  ])('while %s', (_when, seen, isSaid) => {
    const of = report('a', seen);
    const hint = endOfRequests('look', [lack(of)], [of]);
    expect(hint.endsWith('meshctl clustermesh disconnect --context c-a --peer lost')).toBe(isSaid);
    expect(hint.startsWith('look')).toBe(true);
  });

  it('is only of those that do not answer, and not where the cluster itself was read', () => {
    const of = report('a', { connected: 1 });
    const said = (Object.keys(ADVICE) as FailureClass[]).filter(
      (kind) => endOfRequests('look', [lack(of, kind)], [of]) !== 'look',
    );
    expect(said.sort()).toEqual(['cannot-resolve', 'refused', 'timed-out']);
    expect(endOfRequests('look', [lack(of)], [of, report('lost')])).toBe('look');
  });

  it('is said with each cluster that sends it, and for how long where that has an end', () => {
    const [a, b] = [report('a', { connected: 1, keptFor: '5m' }), report('b', { holding: 1, keptFor: '5m' })];
    const hint = endOfRequests('look', [lack(a), lack(b)], [a, b]);
    expect(hint).toContain('for 5m, which are lost: ');
    expect(hint).toMatch(/meshctl clustermesh disconnect --context c-a,c-b --peer lost$/);
    const forGood = report('c', { connected: 1 });
    expect(endOfRequests('look', [lack(a), lack(forGood)], [a, forGood])).not.toContain('5m');
  });

  it('is not said where one cluster lacks several peers, and not twice how the peer is forgotten', () => {
    const of = report('a', { connected: 1 });
    const other = { ...of, peers: [...of.peers, { name: 'too', agents: { configured: 1, connected: 1, total: 1 } }] };
    expect(endOfRequests('look', [lack(other), lack(other, 'timed-out', 'too')], [other])).toBe('look');
    const forget = 'If it is gone for good, forget it: meshctl clustermesh disconnect --context c-a --peer lost';
    expect(endOfRequests(forget, [lack(of)], [of])).toBe(
      `A cluster that is silent is still sent its share of requests, which are lost. ${forget}`,
    );
  });
});
