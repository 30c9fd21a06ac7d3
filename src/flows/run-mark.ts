import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { HOLD_MS, type Hold } from '../mesh/hold.ts';
import type { Flow, Target } from './flow.ts';

/** What a run marks by where it is at work. */
export interface RunMark {
  run: string;
  host: string;
  since: Date;
}

/** The mark of a run that begins. */
export function beginRun(flow: Pick<Flow, 'now'>): RunMark {
  return { run: randomBytes(4).toString('hex'), host: hostname(), since: flow.now() };
}

/** The mark for a cluster, by its own clock: good until it has to be said anew. */
export function markedBy({ run, host, since }: RunMark, { client }: Pick<Target, 'client'>): Hold {
  return { run, host, since, until: new Date(client.now().getTime() + HOLD_MS) };
}
