import { meshctlCommand } from '../../mesh/command-line.ts';
import { forget } from '../../mesh/connect/disconnect/dead-cluster.ts';
import { counted } from '../../mesh/counted.ts';
import type { StraySender } from '../../mesh/services/silence.ts';
import type { ClusterLoss, ServiceSurvival } from '../../mesh/services/survival.ts';
import { hintLines } from '../hint-lines.ts';
import type { Cell } from '../table.ts';
import type { Theme } from '../theme.ts';
import type { ReadClusters } from './read-clusters.ts';

/** Whether a loss is survived, as a cell. */
function survivalCell(survives: boolean, stray: readonly StraySender[], theme: Theme): Cell {
  const spans = [...new Set(stray.flatMap((one) => one.for ?? []))];
  if (!survives) return { text: 'NO', style: theme.fail };
  return spans.length === 0
    ? { text: 'yes', style: theme.ok }
    : { text: `after ${spans.join(', ')}`, style: theme.warn };
}

/** The loss of a cluster that is drained: `after 15m` where requests of others, which are not told of it, go there for so long. */
export function drainedCell({ survives, untold = [] }: ClusterLoss, theme: Theme): Cell {
  return survivalCell(survives, untold, theme);
}

/** The same of a cluster that falls silent. */
export function silentCell({ silent: { survives, stray = [] } }: ClusterLoss, theme: Theme): Cell {
  return survivalCell(survives, stray, theme);
}

interface Silence extends Pick<ReadClusters, 'clusters'> {
  services: readonly ServiceSurvival[];
}

/** What a cluster keeps sending where another one is silent. */
interface Straying extends StraySender {
  without: string;
}

/**
 * The Services of which requests are lost where a cluster falls silent, although others would serve them, and what ends that; for how
 * long, where it ends by itself. Nothing where there are none.
 */
export function silentLossLines(report: Silence, theme: Theme, isRequired: boolean): string[] {
  const losing = report.services.flatMap((service) => {
    const straying = service.losses.flatMap(strayingIn);
    return straying.length > 0 ? [{ service, straying }] : [];
  });
  if (losing.length === 0) return [];
  const forGood = losing.flatMap(({ service, straying }) => {
    const left = straying.filter((one) => one.for === undefined);
    return left.length > 0 ? [{ service, straying: left }] : [];
  });
  if (forGood.length === 0) {
    const spans = new Set(losing.flatMap(({ straying }) => straying.flatMap((one) => one.for ?? [])));
    const words = `where one falls silent (power, network), requests to its backends are lost for ${[...spans].join(' or ')} (clustermesh-cache-ttl)`;
    return [theme.dim(words)];
  }
  const total = counted(report.services.length, 'global service');
  const words = `${forGood.length} of ${total} would lose requests where a cluster falls silent (power, network), as the others keep sending them to its backends:`;
  const lines = forGood.map(({ service: { namespace, name }, straying }) => {
    const lost = [...new Set(straying.map(({ without }) => without))];
    return `   ${namespace}/${name}: without ${lost.join(', or without ')}`;
  });
  const hint = silenceHint(
    report,
    forGood.flatMap(({ straying }) => straying),
  );
  return [isRequired ? `❌ ${theme.fail(words)}` : `⚠️  ${theme.warn(words)}`, ...lines, ...hintLines(hint, theme)];
}

function strayingIn({ without, survives, silent: { stray = [] } }: ClusterLoss): Straying[] {
  return survives ? stray.map((one) => ({ ...one, without })) : [];
}

/** Nobody knows which cluster it will be: the commands are for one. */
function silenceHint({ clusters }: Silence, straying: readonly Straying[]): string {
  const ttl =
    "Cilium 1.19 and newer ends that by itself where its chart's value clustermesh.cacheTTL is set, e.g. to 15m (default: 0s, never)";
  const [silent = '', ...more] = [...new Set(straying.map(({ without }) => without))];
  if (more.length > 0) {
    const context = clusters.map((one) => one.context);
    return `${ttl}. What else ends it is told for one cluster: ${meshctlCommand('service failover', { context }, ['--without', silent])}`;
  }
  const those = clusters.filter(({ cluster }) => straying.some((one) => one.cluster === cluster));
  const forgetting = forget(
    those.map(({ context }) => context),
    [silent],
  );
  return `${ttl}. Once ${silent} is gone for good, this ends it: ${forgetting}`;
}
