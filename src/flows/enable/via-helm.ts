import { ExecaError, execa } from 'execa';
import { stringify } from 'yaml';
import { asPlanned, type Journal } from '../../kube/apply.ts';
import { serviceEndpoints } from '../../mesh/apiserver/endpoints.ts';
import { formatVersion } from '../../mesh/cilium/versions/versions.ts';
import { counted } from '../../mesh/counted.ts';
import { awaitsAddress } from '../../mesh/enable/certificates.ts';
import { releaseOf } from '../../mesh/enable/helm/hand-over.ts';
import { helmPeers } from '../../mesh/enable/helm/peers.ts';
import { withReleasePeers } from '../../mesh/enable/helm/release-peers.ts';
import { type HelmValues, helmValues } from '../../mesh/enable/helm/values.ts';
import { helmWords } from '../../mesh/enable/helm/words.ts';
import { settleImage } from '../../mesh/enable/settings.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { REMOTE_USERS_CONFIGMAP } from '../../mesh/objects/names.ts';
import type { JoiningPeer } from '../../mesh/objects/source-advice.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { awaitOwnDrained } from '../connect/await-own-drained.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { requireNoRotation } from '../rotation/rotation-hold.ts';
import { tellWhatStands } from '../write/roll-back.ts';
import { writeSteps } from '../write/write-steps.ts';
import { awaitAddress, awaitRollout } from './await-apiserver.ts';
import type { EnableDraft, EnableOptions } from './draft-enable.ts';

export interface HelmOptions {
  /** Default: as the DaemonSet's annotation says, else `cilium`. */
  release?: string | undefined;
  /** Name in the repository, a path or an `oci://` address. */
  chart: string;
  /** Absent for a chart that needs none. */
  repository?: string | undefined;
  /** Let Helm, where it applies server-side, take over fields that others have set. */
  force?: boolean | undefined;
  /** Only ask Helm what it would do. */
  dryRun?: boolean | undefined;
  kubeconfig?: string | undefined;
  as?: string | undefined;
  asGroup?: readonly string[] | undefined;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
}

/** The values for one cluster, from its plan. @param release as the operator named it @param joining clusters that are to be connected yet */
export function helmValuesOf(
  { snapshot, identity, install, settings, releasePeers }: EnableDraft,
  options: EnableOptions,
  release?: string,
  joining?: readonly JoiningPeer[],
): HelmValues {
  return helmValues({
    snapshot,
    identity,
    install,
    settings,
    image: settleImage(snapshot, options.image, install.apiserverImage, install.version),
    serviceAddresses: serviceEndpoints(snapshot)?.hosts ?? [],
    release: releaseOf(snapshot, release),
    handed: releasePeers.map(({ name }) => name),
    joining: joining?.filter(({ name }) => name !== identity.name),
  });
}

/** The command line that applies values from its standard input. */
export function helmCommand(
  { client, namespace }: Target,
  draft: EnableDraft,
  { release, chart, repository, force, dryRun, kubeconfig, as, asGroup = [] }: HelmOptions,
): string[] {
  return [
    'upgrade',
    releaseOf(draft.snapshot, release),
    chart,
    ...(repository ? ['--repo', repository] : []),
    ...['--version', formatVersion(draft.install.version)],
    ...['--namespace', namespace],
    ...['--kube-context', client.context],
    ...(kubeconfig ? ['--kubeconfig', kubeconfig] : []),
    ...(as ? ['--kube-as-user', as] : []),
    ...asGroup.flatMap((group) => ['--kube-as-group', group]),
    '--reuse-values',
    ...(force ? ['--force-conflicts'] : []),
    // A dry run prints all objects, and in Secret cilium-ca the key of the CA.
    ...(dryRun ? ['--dry-run=server', '--hide-secret'] : []),
    ...['--values', '-'],
  ];
}

/**
 * Lets the operator's `helm` make the mesh, then waits for the load balancer and the pods. What Helm says is
 * shown, but for its objects and values.
 * @throws MeshctlError `HelmFailed` with Helm's reason, `Timeout` when nothing comes up
 */
export async function enableViaHelm(
  flow: Flow,
  target: Target,
  draft: EnableDraft,
  { waitMs, ...options }: EnableOptions,
  helm: HelmOptions,
): Promise<void> {
  if (!helm.dryRun) {
    await requireNoRotation(flow, [target]);
    // Which pods it replaces, only its chart knows.
    const held = await awaitOwnDrained(flow, target, draft.snapshot, { waitMs, others: options.others });
    for (const warning of held ?? []) flow.progress.warn(warning);
  }
  const { values, notes, gives } = helmValuesOf(draft, { ...options, waitMs }, helm.release);
  for (const note of notes) flow.progress.info(note);
  const journal = helm.dryRun ? undefined : await makeUsers(flow, target, draft);
  try {
    const args = helmCommand(target, draft, helm);
    const says = `${target.client.context}: helm ${args.join(' ')}`;
    await during(flow, { doing: says, done: says }, () =>
      runHelm(
        flow,
        args,
        stringify(withReleasePeers(values, draft.releasePeers)),
        helm,
        options.forcing?.(target.client.context),
      ),
    );
    if (helm.dryRun) return;
    await giveFields(flow, target, gives);
    if (draft.settings.exposure.type === 'LoadBalancer' && awaitsAddress(draft.planned)) {
      await awaitAddress(flow, target, waitMs);
    }
    await awaitRollout(flow, target, waitMs);
  } catch (error) {
    if (journal) tellWhatStands(flow, [journal], error);
    throw error;
  }
}

/**
 * What of a plan Helm does not do: the list of users is made before it runs, and meshctl's fields are given to it afterwards.
 * @param values those of the plan ({@link helmValuesOf})
 */
export function stepsBesideHelm(draft: EnableDraft, { gives }: Pick<HelmValues, 'gives'>): Step[] {
  return [...usersBesideHelm(draft), ...gives];
}

/** Pods cannot start without the list of users, which the chart may leave to others. One that it makes it would not adopt. */
function usersBesideHelm({ snapshot, install, plan }: EnableDraft): Step[] {
  if (helmPeers(snapshot, install).usersAreMade) return [];
  return plan.steps.filter(({ action, object }) => action === 'create' && object.name === REMOTE_USERS_CONFIGMAP);
}

async function makeUsers(flow: Flow, { client }: Target, draft: EnableDraft): Promise<Journal | undefined> {
  const users = usersBesideHelm(draft);
  if (users.length === 0) return undefined;
  const { error, journal } = await writeSteps(flow, client, users, {
    materialise: asPlanned,
  });
  if (!error) return journal;
  tellWhatStands(flow, [journal], error);
  throw error;
}

/** Once Helm has made them: objects that it has not made by then stay meshctl's. */
async function giveFields(flow: Flow, { client }: Target, steps: readonly Step[]): Promise<void> {
  if (steps.length === 0) return;
  const { context } = client;
  const says = `${context}: giving Helm the fields of ${counted(steps.length, 'object')}`;
  await during(flow, { doing: says, done: says }, async () => {
    const made = steps.map(async (step) => ({
      ...step,
      before: await client.get(step.object, { signal: flow.signal }),
    }));
    const there = (await Promise.all(made)).filter(({ before }) => before !== undefined);
    const { error } = await writeSteps(flow, client, there, {
      materialise: asPlanned,
    });
    if (error) throw error;
  });
}

/** @param forcing this run's command line with --force-conflicts */
async function runHelm(
  flow: Flow,
  args: readonly string[],
  input: string,
  helm: HelmOptions,
  forcing = '--force-conflicts',
): Promise<void> {
  const wordsOf = helmWords();
  const said: string[] = [];
  try {
    const running = execa('helm', args, {
      input,
      env: helm.env,
      extendEnv: false,
      cwd: helm.cwd,
      all: true,
      cancelSignal: flow.signal,
      // Helm stops at what it is doing and says so.
      forceKillAfterDelay: 30_000,
    });
    for await (const line of running.iterable({ from: 'all' })) {
      const words = wordsOf(line);
      if (words === undefined) continue;
      said.push(words);
      flow.progress.info(`helm: ${words}`);
    }
    await running;
  } catch (error) {
    flow.signal.throwIfAborted();
    throw helmError(error, said, args, forcing);
  }
}

/** What Helm stumbles over, and the way on. */
const HELM_TROUBLES: readonly [pattern: RegExp, hint: string][] = [
  [
    /unknown flag: --hide-secret/,
    'Helm before 3.15 prints private keys in a dry run. Use a newer one, or --dry-run, which runs no Helm.',
  ],
  [
    /invalid ownership metadata|cannot be imported into the current release/,
    'Others made objects that Helm would make: it takes over what has its label app.kubernetes.io/managed-by=Helm and its annotations meta.helm.sh/release-name and release-namespace.',
  ],
  [
    /unknown flag: --force-conflicts|forceConflicts enabled when serverSideApply disabled/,
    'Helm applies this release client-side, which writes over what others have set without being forced: leave --force-conflicts out.',
  ],
  [
    /another operation .* is in progress/,
    'Helm was interrupted there: see helm history, then helm rollback to the last deployed revision.',
  ],
  [
    /has no deployed releases|release: not found/,
    'Name the release that installed Cilium with --helm-release (see helm list -A).',
  ],
  [
    /repo .* not found|not a valid chart repository|failed to download|no cached repo|chart .* not found|no such host/,
    'Name the chart that installed Cilium with --helm-chart and --helm-repo.',
  ],
  [/timed out waiting/, 'Helm timed out: look at the pods in the namespace, then run the same command again.'],
  [/forbidden/i, 'Helm needs the rights to everything in the chart, and to its Secrets of type helm.sh/release.v1.'],
];

/** Helm 4 applies what it has installed server-side. */
const HELM_CONFLICT = /Apply failed with \d+ conflicts?\b/;

/** @param lines what Helm said, without secrets: its own error has all that it printed, and --debug would show it */
function helmError(error: unknown, lines: readonly string[], args: readonly string[], forcing: string): MeshctlError {
  if (!(error instanceof ExecaError)) throw error;
  if (error.code === 'ENOENT') {
    return new MeshctlError('HelmFailed', 'helm is not installed, or not in PATH', {
      hint: 'Install it (https://helm.sh), or leave --via-helm out: meshctl needs no Helm.',
      cause: error,
    });
  }
  const said = (
    lines.find((line) => line.startsWith('Error: ')) ?? lines.filter((line) => /error|fail/i.test(line)).at(-1)
  )?.replace(/^Error: |:\s*$/g, '');
  const [, known] = HELM_TROUBLES.find(([pattern]) => lines.some((line) => pattern.test(line))) ?? [];
  const isConflict = lines.some((line) => HELM_CONFLICT.test(line));
  const hint = isConflict
    ? `Helm changes fields that others have set, which it names above, only by force. Let it take them over: ${forcing}`
    : known;
  return new MeshctlError(
    'HelmFailed',
    `helm ${args[0]} ${args[1]} ended with exit code ${error.exitCode ?? 'none'}${said ? `: ${said.trim()}` : ''}`,
    { hint: hint ?? 'What Helm said is above: see to that, then run the same command again.' },
  );
}
