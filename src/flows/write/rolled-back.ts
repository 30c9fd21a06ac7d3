/** What became of a cluster whose writes were taken back, or left: as data, and in words. */
import type { Journal, JournalEntry } from '../../kube/apply.ts';
import type { RollbackResult } from '../../kube/rollback.ts';
import { kubectlCommand } from '../../mesh/command-line.ts';
import { type MeshctlError, warningOf } from '../../mesh/errors.ts';
import { describeRef, type ObjectRef } from '../../mesh/objects/kube-object.ts';
import { unreachableWords } from '../../mesh/status/mesh-status.ts';

/** What became of one cluster after a failure; data for `-o json`. */
export interface ClusterRollback {
  context: string;
  /**
   * `may-change`: as before, but a write that was never answered may still arrive. `left`: by the operator's wish
   * (--no-rollback), because the next run goes on from there, or because others stand on it by now. `untouched`: nothing was
   * written.
   */
  outcome: 'as-before' | 'may-change' | 'incomplete' | 'left' | 'untouched';
  objects: { object: string; outcome: RollbackResult['outcome'] | 'left' | 'unanswered'; error?: string }[];
  /** The command that mends what could not be put back. */
  mend?: string;
}

/** What a rollback of one cluster ends with. */
export interface RolledBackCluster {
  result: ClusterRollback;
  /** What of it is not as one would think. */
  warnings: readonly string[];
  /** `nothing-taken`: all that was written stays there. */
  end: { kind: 'back' | 'not-back' | 'nothing-taken'; says: string };
  /** Where something could not be put back: why, and the command for when it can. */
  mending?: string;
}

/** What mends a cluster; absent for what cannot be typed again. */
interface WayOn {
  command: string | undefined;
  /** Whether that goes on from what was left there, rather than taking it back. */
  resumes: boolean | undefined;
}

/** @param undone of all objects that the run has written to there, or may have */
export function judgeRolledBack(
  context: string,
  undone: readonly RollbackResult[],
  { command, resumes }: WayOn,
): RolledBackCluster {
  const having = (outcome: RollbackResult['outcome']) => undone.filter((one) => one.outcome === outcome);
  const named = (outcome: RollbackResult['outcome']) => namesOf(having(outcome));
  const [failed] = having('failed');
  const [late, overtaken, kept, theirs] = [named('may-arrive'), named('overtaken'), named('kept'), named('left')];
  const areGone = having('overtaken').every(({ removed }) => removed);
  // What others have removed need not be taken back.
  const afterwards = areGone && resumes === false ? undefined : command;
  const warnings = [
    ...(late.length > 0
      ? [`context "${context}": ${lateWords(late)}${command ? ` → if it does: ${command}` : ''}`]
      : []),
    ...(theirs.length > 0 ? [`context "${context}": ${theirWords(theirs)}`] : []),
    ...having('owners').map(
      ({ ref, error }) => `context "${context}": ${foreignFields(ref, error)} → ${lookAtOwners(context, ref)}`,
    ),
    ...(overtaken.length > 0 && !failed
      ? [
          `context "${context}": others have ${areGone ? 'removed' : 'changed'} ${overtaken.join(', ')} meanwhile, so they are not restored${afterwards ? ` → see what others do there, then: ${afterwards}` : ''}`,
        ]
      : []),
    // One reason for all of them.
    ...having('kept')
      .slice(0, 1)
      .flatMap(({ error }) => (error ? [warningOf(error)] : [])),
  ];
  const stays = [
    ...(kept.length > 0 ? [`${kept.join(', ')} ${kept.length === 1 ? 'stays' : 'stay'} as written`] : []),
    ...(overtaken.length > 0
      ? [`${overtaken.join(', ')} ${overtaken.length === 1 ? 'is' : 'are'} as others have left it`]
      : []),
  ];
  const resultOf = (outcome: ClusterRollback['outcome'], mend: string | undefined): ClusterRollback => ({
    context,
    outcome,
    objects: undone.map(({ ref, outcome: became, error }) => ({
      object: describeRef(ref),
      outcome: became,
      ...(error ? { error: error.message } : {}),
    })),
    ...(mend ? { mend } : {}),
  });
  if (failed) {
    const why = unreachableWords({ context, message: failed.error?.message ?? 'unknown' });
    const says = [`${context}: could not roll back ${named('failed').join(', ')}`, ...stays].join('; ');
    return {
      ...{ result: resultOf('incomplete', command), warnings, end: { kind: 'not-back', says } },
      mending: `${why}${command ? ` → once that is put right: ${command}` : ''}`,
    };
  }
  if (stays.length > 0) {
    const says = `${context}: is not as before: ${stays.join('; ')}`;
    const result = resultOf('incomplete', kept.length > 0 ? command : afterwards);
    return { result, warnings, end: { kind: 'not-back', says } };
  }
  const [owners, shared] = [named('owners'), named('shared')];
  const outcome =
    theirs.length + owners.length > 0
      ? 'incomplete'
      : late.length > 0
        ? 'may-change'
        : shared.length > 0
          ? 'left'
          : 'as-before';
  const result = resultOf(outcome, late.length > 0 ? command : undefined);
  const whole = undone.filter((one) => one.whole);
  if (whole.length > 0 && undone.every((one) => one.whole || one.outcome === 'unchanged')) {
    const names = namesOf(whole);
    const says = `${context}: nothing is taken back: ${names.join(', ')} ${names.length === 1 ? 'stays' : 'stay'} there`;
    return { result, warnings, end: { kind: 'nothing-taken', says } };
  }
  const other = [...theirs, ...shared];
  const doubts = [
    ...(other.length > 0 ? [`but for ${other.join(', ')}`] : []),
    ...(owners.length > 0 ? [`but for who owns the fields of ${owners.join(', ')}`] : []),
    ...(late.length > 0 ? ['as far as can be seen'] : []),
  ];
  return { result, warnings, end: { kind: 'back', says: [`${context}: is as before`, ...doubts].join(', ') } };
}

function namesOf(objects: readonly { ref: ObjectRef }[]): string[] {
  return [...new Set(objects.map(({ ref }) => describeRef(ref)))];
}

function lateWords(late: readonly string[]): string {
  return `the API server never confirmed ${late.join(', ')}: it is not there, but may still appear`;
}

function theirWords(theirs: readonly string[]): string {
  const why =
    theirs.length === 1
      ? "stays: it was not there before, and its content is someone else's now"
      : "stay: they were not there before, and their content is someone else's now";
  return `${theirs.join(', ')} ${why}`;
}

/** What follows where an object is as before, and whose its fields are is not: an apply takes away only what is its own. */
function foreignFields(ref: ObjectRef, error: MeshctlError | undefined): string {
  return (
    `${describeRef(ref)} is as before, but the fields restored in it are owned by this rollback now, not by who set them ` +
    `(${error?.message ?? 'unknown'}): a later apply may leave there what it should remove`
  );
}

function lookAtOwners(context: string, { kind, namespace, name }: ObjectRef): string {
  const look = kubectlCommand({ context, namespace }, [
    'edit',
    `${kind.toLowerCase()}/${name}`,
    '--show-managed-fields',
  ]);
  return `remove by hand what a later run leaves there; see who owns which field: ${look}`;
}

/** In which state the objects are that were written to. */
export function writtenWords({ entries }: Journal): string {
  const named = (chosen: (entry: JournalEntry) => boolean) => namesOf(entries.filter(chosen));
  const written = named(({ certain, after }) => certain && after !== undefined);
  const removed = named(({ certain, after }) => certain && after === undefined);
  const unanswered = named(({ certain }) => !certain);
  return [
    ...(written.length > 0 ? [`${written.join(', ')} ${written.length === 1 ? 'stays' : 'stay'} as written`] : []),
    ...(removed.length > 0 ? [`${removed.join(', ')} ${removed.length === 1 ? 'is' : 'are'} gone`] : []),
    ...(unanswered.length > 0
      ? [`${unanswered.join(', ')}: no answer came: it may have been written, or may still be`]
      : []),
  ].join('; ');
}

/** The same of each of them. */
export function leftObjects({ entries }: Journal): ClusterRollback['objects'] {
  return entries.map(({ ref, certain }) => ({ object: describeRef(ref), outcome: certain ? 'left' : 'unanswered' }));
}
