import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { MOST_NAMED } from '../../counted.ts';
import { knownAs } from '../../peers/concerned-peers.ts';
import { withoutNamesakes } from '../../peers/namesakes.ts';
import { areApart, unpairedClusters } from '../../peers/unpaired-clusters.ts';
import { rememberedOf } from '../../remembered.ts';
import { type CheckInput, type Finding, listed } from './check.ts';
import { findingOf, type MeshCheck, type MeshCheckInput, type NodeObservation } from './mesh-input.ts';
import { sampleOf, untoldByAgents } from './subjects.ts';

/** What one agent was asked and answered, and its pod, as far as that is known. */
export type Told<Answer> = { node: string; pod?: string | undefined; answer: readonly Answer[] };

/** What is asked of the agents of each cluster. */
export interface AskedOfNodes<Answer> {
  id: string;
  title: string;
  /** Why the question does not arise in a cluster; undefined where it does. */
  unasked?(cluster: ClusterSnapshot, others: readonly ClusterSnapshot[], input: CheckInput): string | undefined;
  /** What an agent said; undefined where it could not be asked. */
  answer(node: NodeObservation): readonly Answer[] | undefined;
  /** Why there is nothing to judge when no agent answered. */
  silent: string;
  /** What of an answer is judged; all of it by default. `nothing` is the reason when that is nothing. */
  about?(
    answer: Answer,
    cluster: ClusterSnapshot,
    all: readonly ClusterSnapshot[],
    observed: MeshCheckInput['observed'],
  ): Answer | undefined;
  nothing?: string;
  /** What of it is not known beside the answers of silent agents, one clause each. */
  unseen?(
    told: readonly Told<Answer>[],
    cluster: ClusterSnapshot,
    others: readonly ClusterSnapshot[],
    all: readonly ClusterSnapshot[],
  ): string[];
}

/** The same, and how the answers are judged. */
interface NodeQuestion<Answer> extends AskedOfNodes<Answer> {
  severity: 'warn' | 'fail';
  /** What is wrong, one clause each. */
  judge(told: readonly Told<Answer>[], cluster: ClusterSnapshot, others: readonly ClusterSnapshot[]): string[];
  hint(cluster: ClusterSnapshot, others: readonly ClusterSnapshot[], told: readonly Told<Answer>[]): string;
}

/** Who is to dial whom does not hang on who asks. */
export const unpairedIn = rememberedOf(unpairedClusters);

/** The clusters to which packets of a cluster's pods are meant to go, be it as answers. */
export function othersMeant(cluster: ClusterSnapshot, all: readonly ClusterSnapshot[]): ClusterSnapshot[] {
  const pairs = unpairedIn(all);
  const own = knownAs(cluster);
  return withoutNamesakes(cluster, all).filter((other) => !areApart(pairs, own, knownAs(other)));
}

/** What of the answers of a cluster's agents is judged. */
export function toldBy<Answer>(
  { answer, about }: Pick<AskedOfNodes<Answer>, 'answer' | 'about'>,
  cluster: ClusterSnapshot,
  { observed }: MeshCheckInput,
  all: readonly ClusterSnapshot[],
): Told<Answer>[] {
  return (observed.get(cluster.context)?.nodes ?? []).flatMap((node) => {
    const said = answer(node);
    const judged = about ? said?.flatMap((one) => about(one, cluster, all, observed) ?? []) : said;
    return judged ? [{ node: node.node, pod: node.pod, answer: judged }] : [];
  });
}

/** What a check looks at of what the agents of a cluster said. */
export function nodesAsked<Answer>(
  question: AskedOfNodes<Answer>,
): Pick<MeshCheck, 'id' | 'category' | 'title' | 'observes' | 'subject'> {
  const { id, title, unasked, silent, nothing = silent } = question;
  return {
    id,
    category: 'network',
    title,
    observes: true,
    subject(cluster, input) {
      const others = othersMeant(cluster, input.clusters);
      const reason = unasked?.(cluster, others, input);
      if (reason !== undefined) return { things: [], otherwise: reason, isIdle: true };
      const told = toldBy(question, cluster, input, input.clusters);
      const seen = question.nothing === undefined ? told : told.filter((one) => one.answer.length > 0);
      const observation = input.observed.get(cluster.context);
      const answered = told.map(({ node }) => node);
      return {
        things: seen.map(({ node }) => node),
        otherwise: told.length > 0 ? nothing : silent,
        ...untoldByAgents(observation, answered, question.unseen?.(told, cluster, others, input.clusters)),
        sample: sampleOf(observation),
      };
    },
  };
}

/** A check of what the agents of a cluster said. */
export function askNodes<Answer>(question: NodeQuestion<Answer>): MeshCheck {
  const { id, severity, judge, hint } = question;
  return {
    ...nodesAsked(question),
    run: (input, all) =>
      input.clusters.flatMap((cluster): Finding[] => {
        const others = othersMeant(cluster, all);
        const told = toldBy(question, cluster, input, all);
        const cases = judge(told, cluster, others);
        if (cases.length === 0) return [];
        return [findingOf(id, severity, cluster.context, shown(cases), hint(cluster, others, told))];
      }),
    says: ({ args }) =>
      `context "${args.context}": ${listed(args.cases, '; ')}${args.more ? `; and ${args.more} more` : ''}`,
  };
}

/** The first of some cases, and how many more there are, as facts of a finding. */
export function shown(cases: readonly string[]): Finding['args'] {
  return { cases: cases.slice(0, MOST_NAMED), more: Math.max(0, cases.length - MOST_NAMED) };
}
