import { apartWords, DoubtfulTime, refusesNew, timeIn } from '../cluster-clocks.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { MeshctlError } from '../errors.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { configuredPeers } from '../peers/peers.ts';
import type { Hazard } from '../plan/agreement.ts';
import { isChange, type Step } from '../plan/plan.ts';
import { CILIUM_VALIDITY_MS, DATED_BACK_MS } from './certificate.ts';
import { presentLifetime } from './kept-lifetime.ts';

interface IssuingPlan {
  /** Of the clusters of the plan. */
  snapshots: readonly ClusterSnapshot[];
  steps: readonly Step[];
  /** The dials that it makes, beside those that there are. */
  dials?: readonly { client: ClusterSnapshot; server: ClusterSnapshot }[];
  /** The context of a cluster that hands a certificate out to another owner, whom it lets in by it. */
  handsOut?: string | undefined;
  now: Date;
}

/**
 * Which clusters would refuse what a plan issues, as their clocks are wrong: not valid yet where one is too far behind, or behind the
 * CA that signs; or over already where one is as far ahead as it is to last. What is issued for a cluster is what is written there; its
 * peers verify that too.
 * @throws MeshctlError `CertificateAuthority` where one cluster and this machine are so far apart that what is valid by the one has
 * expired by the other, and nobody can tell which is right
 */
export function clockHazards({ snapshots, steps, dials = [], handsOut, now }: IssuingPlan): Hazard[] {
  const issuing = steps.filter((step) => isChange(step) && lifetimesOf(step).length > 0);
  const isMadeNow = ({ context }: ClusterSnapshot) =>
    issuing.some(({ cluster, write }) => cluster === context && write?.method === 'authority');
  const isPlanned = (one: string, other: string) =>
    dials.some(({ client, server }) => [client.context, server.context].sort().join() === [one, other].sort().join());
  return snapshots.flatMap((snapshot): Hazard[] => {
    const { context, clockAheadMs = 0 } = snapshot;
    if (clockAheadMs === 0) return [];
    const verified = snapshots.filter(
      (other) => other === snapshot || isPlanned(context, other.context) || arePeers(snapshot, other),
    );
    const written = issuing.filter(({ cluster }) => verified.some((one) => one.context === cluster));
    const handedOut = handsOut === context ? [presentLifetime(snapshot).validityMs ?? CILIUM_VALIDITY_MS] : [];
    const lifetimes = [...written.flatMap(lifetimesOf), ...handedOut];
    if (lifetimes.length === 0) return [];
    const apart = apartWords(clockAheadMs);
    const shown = timeIn(snapshot, now);
    const isBeforeCa = verified.some((one) => one.ca && !isMadeNow(one) && one.ca.certificate.notBefore > shown);
    if (refusesNew(snapshot, now) || (clockAheadMs < 0 && isBeforeCa)) {
      const says = `new certificates are refused there until its clock, which is ${apart} behind, has come to them`;
      return [{ cluster: context, says }];
    }
    const shortestMs = Math.min(...lifetimes);
    if (now instanceof DoubtfulTime && Math.abs(clockAheadMs) + DATED_BACK_MS >= shortestMs)
      throw tooFarApart(context, clockAheadMs, now);
    if (clockAheadMs < shortestMs) return [];
    return [{ cluster: context, says: `new certificates have expired by its clock, which is ${apart} ahead` }];
  });
}

/** No answer helps: who does not know which clock is right, does not know either whom such certificates cut off. */
function tooFarApart(context: string, clockAheadMs: number, now: Date): MeshctlError {
  const [there, here] = [timeIn({ clockAheadMs }, now), now].map((time) => `${time.toISOString().slice(0, 19)}Z`);
  return new MeshctlError(
    'CertificateAuthority',
    `context "${context}": its API server's clock (${there}) and this machine's (${here}) are ${apartWords(clockAheadMs)} apart, and new certificates do not last as long: by one of them they would have expired`,
    {
      hint: 'Set right which is wrong, or name another cluster of the mesh with --context too, whose clock tells which that is.',
      details: { context },
    },
  );
}

function arePeers(one: ClusterSnapshot, other: ClusterSnapshot): boolean {
  return configuredPeers(one).includes(knownAs(other)) || configuredPeers(other).includes(knownAs(one));
}

/** Of what a step issues, for how long each is to last, in milliseconds. */
function lifetimesOf({ write }: Step): number[] {
  if (write?.method === 'authority') return [write.validityMs ?? CILIUM_VALIDITY_MS];
  if (write?.method !== 'issue') return [];
  return write.certificates.map(({ validityMs = CILIUM_VALIDITY_MS }) => validityMs);
}
