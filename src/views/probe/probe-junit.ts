import { failureTitle, whyUnneeded } from '../../mesh/probe/advice.ts';
import { isBroken, variantWords } from '../../mesh/probe/paths.ts';
import type { ProbeReport } from '../../mesh/probe/report.ts';
import { isUntestedIn, notTested } from '../../mesh/probe/untested.ts';
import { type JunitCase, junitXml, leftoverCase, unreachableCases } from '../junit.ts';

/**
 * A case for each kind of packets from cluster to cluster. What the mesh works without does not fail; what it needs and
 * nobody could test does, unless something that is known to be wrong there fails anyway.
 */
export function probeJunit({ paths, failures, untested, unseen = [], unreachable, left = [] }: ProbeReport): string {
  const cases = paths.flatMap((path) => {
    const { from, to, cells } = path;
    return cells.map((cell): JunitCase => {
      const { kind, protocol, port, sender, verdict, count, tested, required } = cell;
      const name = `${kind} ${protocol}${port === undefined ? '' : ` ${port}`}${variantWords(cell)}`;
      const place = { name, className: `probe.${from} to ${to}` };
      if (verdict === 'open') return place;
      if (verdict === 'not-tested') {
        const own = untested.filter((one) => one.from === from && one.to === to && isUntestedIn(one, cell));
        const why = own.map(notTested).join('; ') || 'not tested';
        if (!required || isBroken(path)) return { ...place, skipped: why };
        return { ...place, failure: { type: verdict, message: 'not tested, so not proved', text: why } };
      }
      const concerned = failures.filter(
        (failure) =>
          (failure.family === undefined || failure.family === cell.family) &&
          failure.packets.some((packets) => packets.kind === kind && packets.port === port) &&
          [failure.from, failure.to].sort().join() === [from, to].sort().join(),
      );
      const message = `${verdict}: ${count} of ${tested}`;
      if (!required) {
        const lostAt = concerned.find((failure) => failure.from === from && failure.lostAt === 'pod')?.lostAt;
        return { ...place, skipped: `${message}; ${whyUnneeded(verdict, [cell], sender && lostAt)}` };
      }
      const text = concerned.flatMap((failure) => [failureTitle(failure), failure.likely, ...failure.hints]).join('\n');
      return { ...place, failure: { type: verdict, message, text } };
    });
  });
  const unproved = unseen.map(({ cluster, node, why = 'nothing was seen there' }) => ({
    name: `something is seen of ${node}`,
    className: `probe.nodes of ${cluster}`,
    failure: { type: 'not-tested', message: 'nothing was seen from or to it, so it is not proved', text: why },
  }));
  const silent = unreachableCases('probe', unreachable);
  const kept = left.map((one) => leftoverCase('probe', one));
  return junitXml([{ name: 'meshctl connectivity probe', cases: [...cases, ...unproved, ...silent, ...kept] }]);
}
