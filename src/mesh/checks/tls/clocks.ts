import { validityFault } from '../../certificates/cluster-certificates.ts';
import { apartWords, DoubtfulTime, refusesNew, timeIn } from '../../cluster-clocks.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { firstOf } from '../../counted.ts';
import { CA_SECRET, REMOTE_CERT_SECRET, SERVER_CERT_SECRET } from '../../objects/names.ts';
import { knownAs } from '../../peers/concerned-peers.ts';
import { withoutNamesakes } from '../../peers/namesakes.ts';
import { configuredPeers } from '../../peers/peers.ts';
import { besideOthers, type Check, type Finding, type Subject } from '../shared/check.ts';
import { findingOf } from '../shared/mesh-input.ts';

/**
 * The certificates that a cluster verifies, with where they are: those of its own programs, by which they know each other, those of
 * the servers that it dials, and those with which peers log in there. What only others verify is not among them.
 */
function verifiedIn(cluster: ClusterSnapshot, others: readonly ClusterSnapshot[]) {
  const { ca, tlsSecrets } = cluster;
  const name = knownAs(cluster);
  const dialled = configuredPeers(cluster);
  const own = [...tlsSecrets].filter(([secret]) => secret !== REMOTE_CERT_SECRET);
  return [
    ...(ca ? [{ at: `Secret ${CA_SECRET}`, facts: ca.certificate }] : []),
    ...own.map(([secret, { certificate }]) => ({ at: `Secret ${secret}`, facts: certificate })),
    ...others.flatMap((other) => {
      const server = dialled.includes(knownAs(other)) ? other.tlsSecrets.get(SERVER_CERT_SECRET) : undefined;
      const client = other.peerCertificates.get(name);
      const at = `of context "${other.context}"`;
      return [
        ...(server ? [{ at: `Secret ${SERVER_CERT_SECRET} ${at}`, facts: server.certificate }] : []),
        ...(client ? [{ at: `the client certificate ${at}`, facts: client.certificate }] : []),
      ];
    }),
  ];
}

/** Of what a cluster verifies, what is good and is refused there for its time, as its clock is wrong. */
function refusedByClock(cluster: ClusterSnapshot, others: readonly ClusterSnapshot[], now: Date): string[] {
  return verifiedIn(cluster, others).flatMap(({ at, facts }) => {
    const isGood = validityFault(facts, now) === undefined;
    return isGood && validityFault(facts, timeIn(cluster, now)) !== undefined ? [at] : [];
  });
}

/** By whose clock that of another one is apart: some cluster's whose own is right, else this machine's. */
function measure(clusters: readonly ClusterSnapshot[]): string {
  const right = clusters.find(({ clockAheadMs }) => clockAheadMs === 0);
  return right ? `that of context "${right.context}"` : "this machine's";
}

/** What both show where nobody can tell which is right. */
function inDoubt(cluster: ClusterSnapshot, now: Date): string {
  if (!(now instanceof DoubtfulTime)) return '';
  const [there, here] = [timeIn(cluster, now), now].map((time) => `${time.toISOString().slice(0, 19)}Z`);
  return ` (${there}, and here ${here})`;
}

const itsClock = ({ clockAheadMs }: ClusterSnapshot): Subject => ({
  things: clockAheadMs === undefined ? [] : ['its clock'],
  otherwise: 'its API server does not tell the time',
});

/**
 * Whether clusters agree on the time: whoever verifies a certificate does it by its own clock. Seen is that of the API server, which
 * stands for the machines of its cluster.
 */
export const CLOCK_CHECKS: readonly Check[] = [
  {
    id: 'clocks',
    category: 'tls',
    title: 'clocks of clusters agree',
    // One alone is compared with this machine's, and named where it is apart from that.
    subject: (cluster, input) => (cluster.clockAheadMs ? itsClock(cluster) : besideOthers(itsClock)(cluster, input)),
    run: ({ clusters, now }, all) =>
      clusters.flatMap((cluster): Finding[] => {
        const { context, clockAheadMs = 0 } = cluster;
        if (clockAheadMs === 0) return [];
        const refused = refusedByClock(cluster, withoutNamesakes(cluster, all), now);
        const isBad = refused.length > 0 || refusesNew(cluster, now);
        const args = {
          apart: `${apartWords(clockAheadMs)} ${clockAheadMs < 0 ? 'behind' : 'ahead of'} ${measure(clusters)}${inDoubt(cluster, now)}`,
          ...(refused.length > 0 ? { refused } : {}),
          ...(refusesNew(cluster, now) ? { refusesNew: true } : {}),
        };
        const whose =
          now instanceof DoubtfulTime
            ? 'this machine, or on all machines of that cluster'
            : 'all machines of that cluster';
        const hint = `Set right the clock that is wrong, as by NTP on ${whose}; no certificate has to be reissued.`;
        return [findingOf('clocks', isBad ? 'fail' : 'warn', context, args, hint)];
      }),
    says: ({ args }) => {
      const refused = Array.isArray(args.refused) ? [`good certificates as not valid (${firstOf(args.refused)})`] : [];
      const refusals = [...refused, ...(args.refusesNew ? ['new certificates until it has come there'] : [])];
      const comes = refusals.length > 0 ? `, and refuses ${refusals.join(', and ')}` : '';
      return `context "${args.context}": the clock of its API server is ${args.apart}${comes}`;
    },
  },
];
