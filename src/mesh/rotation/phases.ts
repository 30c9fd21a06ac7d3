import { CERTIFICATE_SECRETS } from '../certificates/cluster-certificates.ts';
import { isChange, type Step } from '../plan/plan.ts';
import { authoritySteps, issueSteps } from './issue.ts';
import { clusterOf, type RotationInput } from './rotated-cluster.ts';
import { letGoSteps, trustSteps } from './trust.ts';

/** In their order. Between two of them everything works and can stay as it is. */
export const ROTATION_PHASES = ['trust', 'replace', 'leaves', 'peers', 'let-go'] as const;
export type PhaseName = (typeof ROTATION_PHASES)[number];

const TITLES: Readonly<Record<PhaseName, string>> = {
  trust: 'trust the new CA along with the present one',
  replace: 'replace the present CA with the new one',
  leaves: 'issue the certificates of each cluster',
  peers: 'issue the certificates with which clusters dial each other',
  'let-go': 'stop trusting the former CA',
};

/** What a phase does, as in plans. */
export function titleOfPhase(name: PhaseName): string {
  return TITLES[name];
}

/** What only a rotation of a CA has to do. */
const OF_A_CA: readonly string[] = [TITLES.trust, TITLES.replace, TITLES['let-go']];

/**
 * The number of a phase, as everywhere: `Phase 3 of 5`. In a rotation of a CA all are counted, also those that are done or
 * have nothing to do here: so the number is the same in the plan, in each run that goes on with it, and in what `check` says.
 * @param title of the phase
 * @param planned titles of the phases that write something, in their order
 * @returns undefined for one that writes nothing, and where it is the only one
 */
export function numberOfPhase(title: string, planned: readonly string[]): string | undefined {
  const counted = planned.some((one) => OF_A_CA.includes(one))
    ? ROTATION_PHASES.map((name) => TITLES[name])
    : planned.length > 1
      ? planned
      : [];
  const isNumbered = planned.includes(title) && counted.length > 0;
  return isNumbered ? `Phase ${counted.indexOf(title) + 1} of ${counted.length}` : undefined;
}

export interface RotationPhase {
  name: PhaseName;
  title: string;
  /** In their order for each cluster; `keep` for what stays. */
  steps: readonly Step[];
}

/**
 * What is left to do, phase by phase, each made for the clusters as they are now: a cluster of which a phase is done has no
 * step in it. So the plan of a rotation that was interrupted begins where it stopped, and the plan after each phase is the
 * rest of the plan before it.
 */
export function planRotation(input: RotationInput): RotationPhase[] {
  const clusters = input.members.map((issuer) => clusterOf(issuer, input));
  const steps: Readonly<Record<PhaseName, readonly Step[]>> = {
    trust: input.peer === undefined ? trustSteps(input, clusters) : [],
    replace: clusters.flatMap((cluster) => authoritySteps(input, cluster)),
    leaves: input.peer === undefined ? issueSteps(input, clusters, ({ peer }) => peer === undefined) : [],
    peers: issueSteps(input, clusters, ({ peer }) => peer !== undefined && (input.peer ?? peer) === peer),
    'let-go': input.peer === undefined ? letGoSteps(input, clusters) : [],
  };
  return ROTATION_PHASES.map((name) => ({
    name,
    title: TITLES[name],
    steps: steps[name].map((step) => ({ ...step, phase: TITLES[name] })),
  }));
}

/** Whether a phase writes anything. */
export function hasWork({ steps }: RotationPhase): boolean {
  return steps.some(isChange);
}

/**
 * The contexts of whose former CA steps let go, with which its rotation is at its end: their own certificates trust the CA alone,
 * or their pods do. What they hold of peers tells of the peers' CAs.
 */
export function finishedBy(steps: readonly Step[]): string[] {
  const last = steps.filter(
    ({ phase, write, object }) =>
      phase === TITLES['let-go'] &&
      (write?.method === 'restart' || (write?.method === 'issue' && CERTIFICATE_SECRETS.includes(object.name))),
  );
  return [...new Set(last.map(({ cluster }) => cluster))];
}
