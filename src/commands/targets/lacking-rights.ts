import { parse } from 'yaml';
import type { Target } from '../../flows/flow.ts';
import type { ClusterClient } from '../../kube/client.ts';
import { grantHint } from '../../kube/missing-rights.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { type AccessRule, describeRights, missingRights, type Right } from '../../mesh/objects/access-rules.ts';
import {
  asAdministrator,
  grantingCommands,
  OPERATOR,
  type PackageRole,
  VIEWER,
} from '../../mesh/objects/package-roles.ts';
import type { LackingRights } from '../../views/lacking-view.ts';
import type { CommandContext } from '../command.ts';
import type { CommandSpec } from '../command-spec.ts';
import { readPackageFile } from '../package-file.ts';

/** What of a role holds in Cilium's namespace, and what in the whole cluster. */
async function rulesOf(
  context: CommandContext,
  { folder }: PackageRole,
): Promise<{ inNamespace: AccessRule[]; inCluster: AccessRule[] }> {
  const read = async (file: string) =>
    (parse(await readPackageFile(context, `${folder}/${file}`)) as { rules: AccessRule[] }).rules;
  const [inNamespace, inCluster] = await Promise.all([read('role.yaml'), read('cluster-role.yaml')]);
  return { inNamespace, inCluster };
}

/** The flags of commands that write: whatever they do can be agreed to, or tried. */
const WRITING = /--(yes|dry-run)\b/;

/**
 * A refusal by a cluster in full (`Flow.inFull`); what is no refusal, or is in full already, stays as it is.
 * @param options those that the command has
 */
export async function inFull(
  context: CommandContext,
  { client, namespace }: Target,
  error: MeshctlError,
  { options }: Pick<CommandSpec, 'options'>,
): Promise<MeshctlError> {
  if (error.code !== 'Forbidden' || error.details.missing || context.signal.aborted) return error;
  const writes = options.some(({ flags }) => WRITING.test(flags));
  return withAllLacking(context, error, { client, namespace, reads: !writes });
}

/**
 * A refusal for one right, with all others that the user lacks of those that meshctl needs: who grants one after the other runs
 * the command as often. Unchanged where nobody can list what the user may do, and for rights that are not among those.
 * @param reads whether the command only looks
 */
async function withAllLacking(
  context: CommandContext,
  error: MeshctlError,
  { client, namespace, reads }: { client: ClusterClient; namespace: string; reads: boolean },
): Promise<MeshctlError> {
  const refused = error.details.rule as { apiGroup: string; resource: string; verb: string } | undefined;
  const user = error.details.user as string | undefined;
  const { folder } = context.installation;
  if (error.code !== 'Forbidden' || !refused || user === undefined || folder === undefined) return error;
  const held = await client.rules(namespace).catch((failure: unknown) => {
    if (failure instanceof MeshctlError) return undefined;
    throw failure;
  });
  if (!held) return error;
  const role = reads ? VIEWER : OPERATOR;
  const { inNamespace, inCluster } = await rulesOf(context, role);
  const needed = [...inNamespace, ...inCluster];
  const missing = missingRights(needed, held);
  const isAmong = ({ apiGroup, resource, verbs }: Right) =>
    apiGroup === refused.apiGroup && resource === refused.resource && verbs.includes(refused.verb);
  if (missing.length < 2 || !missing.some(isAmong)) return error;
  const rights = `rights that meshctl needs${reads ? ' to look at a cluster' : ''}`;
  const hasNone = describeAll(missing) === describeAll(missingRights(needed, []));
  const says = lackingWords(user, rights, missing, hasNone);
  const hint = `${says}. ${grantAll(role, { context: client.context, namespace }, user, folder)}`;
  return new MeshctlError('Forbidden', error.message, {
    hint,
    cause: error,
    details: { ...error.details, missing },
  });
}

function lackingWords(user: string, rights: string, missing: readonly Right[], hasNone: boolean): string {
  return hasNone
    ? `User "${user}" has none of the ${rights}`
    : `Of the ${rights}, user "${user}" lacks ${describeRights(missing)}`;
}

function grantAll(
  role: PackageRole,
  place: { context: string; namespace: string },
  user: string,
  folder: string,
): string {
  const commands = grantingCommands(role, { ...place, ciliumNamespace: place.namespace }, user, folder);
  return `To grant them all, ${asAdministrator(role)}: ${commands}`;
}

/**
 * What the user lacks for a look at clusters, of each of which something could not be read, with what grants it. Nothing of clusters
 * where nobody can list what the user may do, or who it is.
 */
export async function lackingToLook(context: CommandContext, targets: readonly Target[]): Promise<LackingRights[]> {
  const { folder } = context.installation;
  if (folder === undefined || context.signal.aborted) return [];
  const { inNamespace, inCluster } = await rulesOf(context, VIEWER);
  const found = await Promise.all(
    targets.map(async ({ client, namespace }): Promise<LackingRights[]> => {
      const asked = await Promise.all([client.rules(namespace), client.user()]).catch((failure: unknown) => {
        if (failure instanceof MeshctlError) return [];
        throw failure;
      });
      const [held, user] = asked;
      if (!held || user === undefined) return [];
      const missing = missingRights([...inNamespace, ...inCluster], held);
      const [only, ...more] = missing;
      if (!only) return [];
      const place = { context: client.context, namespace };
      const isLocal = missingRights(inCluster, held).length === 0;
      const says = lackingWords(user, 'rights that meshctl needs to look at a cluster', missing, false);
      const hint =
        more.length > 0
          ? grantAll(VIEWER, place, user, folder)
          : grantHint({ context: place.context, namespace: isLocal ? namespace : undefined, rights: [only], user });
      return [{ context: client.context, says, hint }];
    }),
  );
  return found.flat();
}

const describeAll = (rights: readonly Right[]): string => JSON.stringify(rights);
