import { alikeWarnings } from '../../mesh/alike-warnings.ts';
import { counted, enumerated } from '../../mesh/counted.ts';
import { countDifferences, type MeshDifferences, type Pair } from '../../mesh/file/differences.ts';
import type { ExtraDial } from '../../mesh/file/extra.ts';
import { sourceName } from '../../mesh/file/fault.ts';
import { unservedHint } from '../../mesh/file/made-elsewhere.ts';
import { missingServicesHint } from '../../mesh/file/services.ts';
import { describeRef } from '../../mesh/objects/kube-object.ts';
import { hintLines } from '../hint-lines.ts';
import { type JunitCase, junitXml, unreachableFailure, withNextStep } from '../junit.ts';
import { countActions, stepData } from '../plan/plan-data.ts';
import { planBlocks } from '../plan/plan-view.ts';
import { printable } from '../printable.ts';
import type { Theme } from '../theme.ts';
import { NOTHING_READ } from '../unreachable-view.ts';
import { type DiffReport, halvesLeft, isPiped, nextSteps, pipeAgain } from './diff-hints.ts';

/** The differences as data. */
export function diffData({ clusters, differences, agreement, warnings }: DiffReport): Record<string, unknown> {
  const { steps, unconnected, missingServices, unserved, extra } = differences;
  const pair = ({ clusters: names, oneWay }: Pair) => ({ clusters: names, oneWay });
  return {
    summary: { ...countDifferences(differences), ...countActions(steps) },
    clusters: clusters.map(({ name, context }) => ({
      name: printable(name),
      context,
      steps: steps.filter(({ cluster }) => cluster === context).map(stepData),
    })),
    unconnected: printable(unconnected.map(pair)),
    missingServices: printable(
      missingServices.map((one) => ({
        service: one.service,
        clusters: one.clusters,
        hint: missingServicesHint([one]),
      })),
    ),
    ...(unserved.length > 0
      ? {
          notEnabled: printable(
            unserved.map(({ mend, ...one }) => ({ ...one, hint: unservedHint([{ ...one, mend }]) })),
          ),
        }
      : {}),
    ...(agreement.length > 0 ? { agreement } : {}),
    ...(warnings.length > 0 ? { warnings: printable(warnings) } : {}),
    notInFile: printable({
      connections: extra.pairs.map(pair),
      letIn: extra.letIn.map((dial) => ({
        cluster: dial.to,
        peer: dial.from,
        isLost: dial.restore !== undefined,
        isParted: dial.parted !== undefined,
        ...hintOf(halvesLeft({ letIn: [dial] })),
      })),
      peers: extra.strangers,
      services: extra.services,
      ...(extra.halfLeft.length > 0 ? { halfLeft: extra.halfLeft } : {}),
    }),
  };
}

function hintOf([half]: readonly { hint: string }[]): { hint?: string } {
  return half ? { hint: half.hint } : {};
}

/** The differences for people. */
export function diffText(report: DiffReport, theme: Theme): string {
  const { differences, files, clusters, unreachable } = report;
  const { differences: count, notInFile } = countDifferences(differences);
  if (clusters.length === 0) return NOTHING_READ;
  if (count + notInFile === 0) {
    const read = unreachable.length > 0 ? `Of those that could be read, ` : '';
    return `✅ ${read}${agreement(clusters, files, theme)}`;
  }
  const { make, halves, prune } = nextSteps(report);
  // In one sentence.
  const piped = isPiped(report) && make.length > 0 && prune.length > 0;
  const hints = piped ? [pipeAgain(count, notInFile), ...halves] : [...make, ...halves, ...prune];
  return [
    ...planBlocks({ steps: differences.steps }, theme),
    ...section('In the file, not in the clusters:', missingLines(differences, theme)),
    ...section('In the clusters, not in the file:', extraLines(differences, theme)),
    ...section(
      'apply asks for confirmation:',
      report.agreement.map((says) => `  ${theme.warn('!')} ${says}`),
    ),
    `${[
      ...(count > 0 ? [counted(count, 'difference')] : []),
      ...(notInFile > 0 ? [`${counted(notInFile, 'thing')} that no file has`] : []),
    ].join(', ')}.`,
    ...hints.flatMap((hint) => hintLines(hint, theme, 2)),
  ].join('\n');
}

/** So many can be read in a line. */
const MOST_NAMES = 6;

/** `a and b are as mesh.yaml says`. */
export function agreement(clusters: readonly { name: string }[], files: readonly string[], theme: Theme): string {
  const names = printable(clusters.map(({ name }) => name)).map((name) => theme.bold(name));
  const who = names.length > MOST_NAMES ? `all ${names.length} clusters` : enumerated(names);
  return `${who} ${names.length === 1 ? 'is' : 'are'} as ${files.map(sourceName).join(', ')} ${files.length === 1 ? 'says' : 'say'}`;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length > 0 ? [title, ...lines] : [];
}

function missingLines({ unconnected, missingServices, unserved }: MeshDifferences, theme: Theme): string[] {
  return [
    ...printable(unserved).map(({ says }) => `  ${theme.fail('!')} ${says}`),
    ...unconnected.map((pair) => `  ${theme.ok('+')} ${pairWords(pair)}, once they are as the file says`),
    ...printable(missingServices).map(
      ({ service, clusters }) => `  ${theme.fail('!')} there is no Service ${service} in ${enumerated(clusters)}`,
    ),
  ];
}

function extraLines({ extra }: MeshDifferences, theme: Theme): string[] {
  return [...extraWords(extra), ...printable(extra.halfLeft).map(halfLeftWords)].map(
    (words) => `  ${theme.fail('-')} ${words}`,
  );
}

/** Each thing that is in the clusters and in no file, in words. */
export function extraWords(extra: MeshDifferences['extra']): string[] {
  return [
    ...extra.pairs.map(pairWords),
    ...extra.letIn.map(letInWords),
    ...printable(extra.strangers).map(strangerWords),
    ...printable(extra.services).map(
      ({ service, clusters }) => `Service ${service} is global in ${enumerated(clusters)}`,
    ),
  ];
}

/** `apply` says the same of it, as a warning. */
function halfLeftWords(peer: string): string {
  return `${peer} was disconnected by an apply --prune that did not come to its end, and may not be disabled yet`;
}

/** `peer c of a and b`, with what `--prune` does to it beside that; whether it has other peers is read by that alone. */
function strangerWords({ peer, knownBy, mayLeave }: MeshDifferences['extra']['strangers'][number]): string {
  const words = `peer ${peer} of ${enumerated(knownBy)}`;
  if (!mayLeave) return words;
  return `${words} (--prune also disables Cluster Mesh there, where meshctl enabled it and it has no other peer)`;
}

/** `b lets a in`, with what is known of a. */
function letInWords({ from, to, isDialling, restore, parted }: ExtraDial): string {
  const says = printable(`${to} lets ${from} in`);
  if (isDialling === 'unread') return says;
  if (parted) return `${says}, but ${printable(from)} neither dials it nor lets it in any more`;
  const isLost = restore === undefined ? '' : ', and no one chose that: half of a peering is lost';
  return `${says}, but ${printable(from)} does not dial it${isLost}`;
}

/** `a and b dial each other`, `a dials b`. */
export function pairWords(pair: Pair): string {
  const [from, to] = printable(pair.clusters);
  return pair.oneWay ? `${from} dials ${to}` : `${from} and ${to} dial each other`;
}

/**
 * A case for each cluster, and one each for what the files have and clusters do not, for the other way round, and for what
 * has to be agreed to before it is mended, where that is something. What was read of a part of the clusters, and shows nothing, is
 * a skip.
 */
export function diffJunit(report: DiffReport): string {
  const { clusters, differences, agreement: asked, unreachable } = report;
  const { make, halves, prune } = printable(nextSteps(report));
  const plain: Theme = { ok: same, warn: same, fail: same, dim: same, bold: same };
  const own = clusters.map(({ name, context }): JunitCase => {
    const steps = differences.steps.filter(({ cluster }) => cluster === context);
    const unserved = differences.unserved.filter((one) => one.context === context);
    const changed = `${counted(steps.length, 'object')} differ: ${steps.map(({ object }) => describeRef(object)).join(', ')}`;
    const messages = [...printable(unserved).map(({ says }) => says), ...(steps.length > 0 ? [changed] : [])];
    const hints = unserved.map((one) => printable(unservedHint([one])));
    const failure =
      messages.length === 0
        ? undefined
        : {
            type: 'drift',
            message: messages.join('; '),
            text: withNextSteps(
              (steps.length > 0 ? planBlocks({ steps }, plain) : messages).join('\n'),
              hints.length > 0 ? hints : make,
            ),
          };
    return { className: 'cluster', name: printable(name), failure };
  });
  const listCase = (name: string, lines: readonly string[], hints: readonly string[] = []): JunitCase => ({
    className: 'mesh',
    name,
    ...(lines.length > 0
      ? {
          failure: {
            type: 'drift',
            message: lines.map((line) => line.trim()).join('; '),
            text: withNextSteps(lines.join('\n'), hints),
          },
        }
      : unreachable.length > 0
        ? { skipped: clusters.length === 0 ? NOTHING_READ : 'Not all clusters could be read' }
        : {}),
  });
  const silent = unreachable.map(
    (cluster): JunitCase => ({ className: 'cluster', name: cluster.context, failure: unreachableFailure(cluster) }),
  );
  const cases = [
    ...own,
    ...silent,
    listCase('what the file has is there', missingLines(differences, plain), make),
    listCase('what is there, the file has', extraLines(differences, plain), [...halves, ...prune]),
    ...(asked.length > 0 ? [listCase('apply asks for nothing before it makes it so', asked)] : []),
  ];
  return junitXml([{ name: 'meshctl diff', cases, warnings: printable(alikeWarnings(report.warnings)) }]);
}

function withNextSteps(message: string, hints: readonly string[]): string {
  return hints.reduce((text, hint) => withNextStep(text, hint), message);
}

function same(text: string): string {
  return text;
}
