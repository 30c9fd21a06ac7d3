import { describe, expect, it } from 'vitest';
import {
  joinedPeers,
  partedFrom,
  requireNoneEndangered,
  requireNoneJoined,
  requireSamePeers,
} from '../../src/mesh/peers/joined-peers.ts';
import type { PeerEffect, PeerOutcome } from '../../src/mesh/plan/peer-effects.ts';
import { snapshotOf } from '../support/snapshots.ts';

/** A cluster that lets these in. */
const letting = (...peers: string[]) =>
  snapshotOf({ remoteUsers: peers.map((peer) => ({ name: `remote-${peer}`, role: 'remote' })) });
const effect = (peer: string, becomes: PeerOutcome, cluster = 'one'): PeerEffect => ({
  cluster,
  peer,
  becomes,
  why: '',
});

describe('peers that came after a plan was made', () => {
  const looks = { before: letting('mesh-2', 'mesh-9'), now: letting('mesh-2', 'mesh-3', 'mesh-4') };

  it('are those that were not there before; who has gone is none', () => {
    expect(joinedPeers(looks)).toEqual(['mesh-3', 'mesh-4']);
    expect(joinedPeers({ before: looks.now, now: letting('mesh-2') })).toEqual([]);
  });

  it('are also those from whom it was parted in between, and that are there again', () => {
    const parted = partedFrom('one', [
      { from: 'one', to: 'mesh-2' },
      { from: 'mesh-9', to: 'one' },
      { from: 'mesh-7', to: 'mesh-8' },
    ]);
    expect(parted).toEqual(['mesh-2', 'mesh-9']);
    expect(joinedPeers({ before: looks.before, now: letting('mesh-2'), parted })).toEqual(['mesh-2']);
    expect(joinedPeers({ before: looks.before, now: letting(), parted })).toEqual([]);
  });

  it('are refused by name', () => {
    expect(() => requireNoneJoined([looks])).toThrow(
      expect.objectContaining({
        code: 'Conflict',
        message:
          'context "one": mesh-3, mesh-4 were connected meanwhile, and the plan does not say what becomes of that',
        details: { joined: [{ context: 'one', peers: ['mesh-3', 'mesh-4'] }] },
      }),
    );
    requireNoneJoined([{ before: looks.now, now: looks.before }].map((two) => ({ ...two, now: letting('mesh-2') })));
  });

  it('and those that have gone are refused where a list of peers is handed over', () => {
    requireSamePeers({ before: looks.now, now: looks.now });
    expect(() => requireSamePeers(looks)).toThrow('mesh-3, mesh-4 were connected meanwhile');
    const gone = { before: letting('mesh-2', 'mesh-9'), now: letting('mesh-2') };
    expect(() => requireSamePeers(gone)).toThrow('context "one": mesh-9 was disconnected meanwhile');
  });

  it.each<[string, PeerEffect[], string[]]>([
    ['cut off', [effect('mesh-3', 'cut')], ['mesh-3']],
    ['perhaps cut off', [effect('mesh-4', 'unknown')], ['mesh-4']],
    ['moved or kept', [effect('mesh-3', 'moved'), effect('mesh-4', 'kept')], []],
    ['known before', [effect('mesh-2', 'cut')], []],
    ['cut off by another cluster', [effect('mesh-3', 'cut', 'two')], []],
  ])('count in the middle of a run where they are %s', (_words, effects, refused) => {
    const check = () => requireNoneEndangered([looks], effects);
    if (refused.length === 0) check();
    else expect(check).toThrow(expect.objectContaining({ details: { joined: [{ context: 'one', peers: refused }] } }));
  });
});
