import { failureTitle } from '../../mesh/probe/advice.ts';
import type { ProbeReport } from '../../mesh/probe/report.ts';
import { type JunitCase, junitXml } from '../junit.ts';
import { notTested } from './probe-view.ts';

/** A case for each kind of packets from cluster to cluster; what the mesh works without does not fail. */
export function probeJunit({ paths, failures, untested, unreachable }: ProbeReport): string {
  const cases = paths.flatMap(({ from, to, cells }) =>
    cells.map(({ kind, protocol, port, verdict, count, tested, required }): JunitCase => {
      const name = `${kind} ${protocol}${port === undefined ? '' : ` ${port}`}`;
      const place = { name, className: `probe.${from} to ${to}` };
      if (verdict === 'open') return place;
      if (verdict === 'not-tested') return { ...place, skipped: untested.map(notTested).join('; ') };
      const concerned = failures.filter(
        (failure) =>
          failure.packets.some((packets) => packets.kind === kind && packets.port === port) &&
          [failure.from, failure.to].sort().join() === [from, to].sort().join(),
      );
      const message = `${verdict}: ${count} of ${tested}`;
      if (!required) return { ...place, skipped: `${message}; the mesh works without it` };
      const text = concerned.flatMap((failure) => [failureTitle(failure), failure.likely, ...failure.hints]).join('\n');
      return { ...place, failure: { type: verdict, message, text } };
    }),
  );
  const silent = unreachable.map(({ context, code, message }) => ({
    name: `context ${context}`,
    className: 'probe.clusters',
    failure: { type: code, message, text: '' },
  }));
  return junitXml([{ name: 'meshctl connectivity probe', cases: [...cases, ...silent] }]);
}
