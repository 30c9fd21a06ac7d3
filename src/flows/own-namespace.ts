import type { ClusterClient } from '../kube/client.ts';
import { waitForObject } from '../kube/wait.ts';
import { kubectlCommand } from '../mesh/command-line.ts';
import { alreadyExists, MeshctlError } from '../mesh/errors.ts';
import type { Installation } from '../mesh/installation.ts';
import { describeRef, type KubeObject, refOf } from '../mesh/objects/kube-object.ts';
import { namespaceRef } from '../mesh/objects/names.ts';
import { asAdministrator, type GrantPlace, grantingCommands, type PackageRole } from '../mesh/objects/package-roles.ts';
import { isGoing } from '../mesh/plan/going.ts';
import { during, type Flow } from './flow.ts';

export interface OwnNamespaceOptions {
  /** For an earlier one of that name to be gone. */
  waitMs: number;
  /** What grants the right to whoever may not make it, for a hint. */
  rights: LackedRole;
}

/**
 * Waits until a namespace is gone that an earlier run has told to go, and says so; for who makes it in several clusters, before it is
 * made in any. There is nothing to wait for where it is not there, or stays.
 * @throws MeshctlError `Timeout`, with what shows what holds it, and what the API server refuses
 */
export async function awaitFormerGone(
  flow: Pick<Flow, 'signal' | 'progress'>,
  client: ClusterClient,
  namespace: string,
  { waitMs, rights }: OwnNamespaceOptions,
): Promise<void> {
  const ref = namespaceRef(namespace);
  const lacking = (error: unknown): never => {
    throw asLackOf(rights, error);
  };
  // Watching namespaces is a right that only those need who make and delete them.
  if (!isGoing(await client.get(ref).catch(lacking))) return;
  const { context } = client;
  const former = `an earlier ${describeRef(ref)}`;
  const waiting = { timeoutMs: waitMs, signal: flow.signal, waitingFor: `${former} to be gone` };
  await during(
    flow,
    {
      doing: `${context}: waiting until ${former} is gone, which is being deleted`,
      done: `${context}: ${former} is gone`,
    },
    () => waitForObject(client, ref, (live) => (isGoing(live) ? undefined : true), waiting),
  ).catch((error: unknown) => {
    if (!(error instanceof MeshctlError) || error.code !== 'Timeout') return lacking(error);
    const look = kubectlCommand({ context }, ['get', 'namespace', ref.name, '-o', 'yaml']);
    error.hint = `Give another namespace with -n; or see what holds it, in its conditions: ${look}`;
    throw error;
  });
}

/**
 * Makes a namespace where there is none; one that is on its way out is waited for.
 * @returns what was made; undefined where somebody else has made it
 * @throws MeshctlError as {@link awaitFormerGone}
 */
export async function makeNamespace(
  flow: Pick<Flow, 'signal' | 'progress'>,
  client: ClusterClient,
  namespace: KubeObject,
  options: OwnNamespaceOptions,
): Promise<KubeObject | undefined> {
  const ref = refOf(namespace);
  const { rights } = options;
  await awaitFormerGone(flow, client, ref.name, options);
  if (await client.get(ref)) return undefined;
  try {
    return await client.create(namespace);
  } catch (error) {
    // Another run makes it at the same time.
    if (!alreadyExists(error)) throw asLackOf(rights, error);
    return undefined;
  }
}

/** A role of the package that a user may lack, and where it is to hold. */
export interface LackedRole extends GrantPlace {
  role: PackageRole;
  installation: Pick<Installation, 'folder'>;
}

/** Who has not even logged in is granted nothing. */
const ANONYMOUS = 'system:anonymous';

/** What is forbidden, with what grants the whole role to whoever was refused; other errors as they are. */
export function asLackOf(rights: LackedRole, error: unknown): unknown {
  if (!(error instanceof MeshctlError) || error.code !== 'Forbidden' || error.details.user === ANONYMOUS) return error;
  const commands = grantingLine(rights, error);
  // Whoever runs it may not, so no command of theirs would help.
  const hint =
    commands === undefined
      ? `Have a cluster administrator apply ${templatesOf(rights)}, and put whoever runs this into the group that it names; who that is, tells: ${kubectlCommand(rights, ['auth', 'whoami'])}`
      : `To grant all that it takes, ${asAdministrator(rights.role)}: ${commands}`;
  return new MeshctlError('Forbidden', error.message, { hint, cause: error, details: error.details });
}

/** The commands that grant a role to whom an API server has refused; undefined where it does not say whom, or there are no files. */
export function grantingLine(
  { role, installation, ...place }: LackedRole,
  { details }: Pick<MeshctlError, 'details'>,
): string | undefined {
  const { user } = details;
  const { folder } = installation;
  if (typeof user !== 'string' || user === ANONYMOUS || folder === undefined) return undefined;
  return grantingCommands(role, place, user, folder);
}

/**
 * The step that removes what a run could not: where that was for want of a right, this comes first, since the line is for the same user.
 * @param rights that the role has; undefined for one that no role of the package has
 */
export function removalHint(rights: LackedRole | undefined, error: unknown, removal: string): string {
  if (!(error instanceof MeshctlError) || error.code !== 'Forbidden') return removal;
  if (!rights) return typeof error.details.user === 'string' && error.hint ? `${error.hint} && ${removal}` : removal;
  const commands = grantingLine(rights, error);
  return commands === undefined ? removal : `As a cluster administrator: ${commands} && ${removal}`;
}

const templatesOf = ({ role }: LackedRole) => `${role.folder} of meshctl's package`;
