import { meshctlCommand } from '../command-line.ts';
import { contestedByHelm } from '../enable/helm/refused-upgrades.ts';
import { describeRef, type KubeObject, keyOf, refOf } from '../objects/kube-object.ts';
import { apiserverDeploymentRef } from '../objects/names.ts';
import { foreignHomes, foreignServer, peerObjects } from '../peers/foreign-homes.ts';
import { FIELD_MANAGER } from '../plan/plan.ts';
import { IDENTITY_OF_CLUSTERS } from './identity.ts';
import { listed } from './shared/check.ts';
import { findingOf, type MeshCheck } from './shared/mesh-input.ts';

/** Whether the objects are as meshctl wrote them, and whether others write to them too. */
export const OWNERSHIP_CHECKS: readonly MeshCheck[] = [
  {
    id: 'ownership-drift',
    category: 'ownership',
    title: 'objects are as enable would write them',
    observes: true,
    saidBy: [...IDENTITY_OF_CLUSTERS, 'cluster-id-unique'],
    subject: ({ context, namespace, objects }, { observed }) => {
      if (!objects.has(keyOf(apiserverDeploymentRef(namespace)))) {
        return { things: [], otherwise: 'Cluster Mesh is not enabled yet', isIdle: true };
      }
      const { drift, driftUnknown, untold } = observed.get(context) ?? {};
      const otherwise = driftUnknown ?? 'it was not planned';
      return { things: drift ? ['plan'] : [], otherwise, isBlind: untold?.has('plan') };
    },
    run: ({ clusters, observed }) =>
      clusters.flatMap(({ context }) => {
        const drift = observed.get(context)?.drift ?? [];
        const hint = `See it: ${meshctlCommand('clustermesh enable', { context }, ['--dry-run'])}`;
        return drift.length > 0 ? [findingOf('ownership-drift', 'warn', context, { changes: drift }, hint)] : [];
      }),
    says: ({ args }) => `context "${args.context}": enable would change ${countedFields(args.changes)}`,
  },
  {
    id: 'ownership-managers',
    category: 'ownership',
    observes: true,
    title: 'no one else has set what enable would write otherwise',
    // Who sets a field to the very value that it has shares it (server-side apply): neither undoes what the other wants.
    subject: ({ context, objects }, { observed }) => {
      const applied = [...objects.values()].filter(isApplied).map((object) => describeRef(refOf(object)));
      const { contested, driftUnknown, untold } = observed.get(context) ?? {};
      if (contested !== undefined) return { things: applied, otherwise: 'there is nothing that meshctl applied' };
      return { things: [], otherwise: driftUnknown ?? 'it was not planned', isBlind: untold?.has('plan') };
    },
    run: ({ clusters, observed }) =>
      clusters.flatMap((snapshot) => {
        const { context } = snapshot;
        const { contested = [], isContestedByForce = true, contestedIn } = observed.get(context) ?? {};
        // The very command that status has for it, where that does.
        const take = meshctlCommand('clustermesh enable', { context }, isContestedByForce ? ['--force-conflicts'] : []);
        const there = contestedIn === undefined ? 'Let only one of them manage the object' : `Change ${contestedIn}`;
        const hint = `Two writers overwrite each other. ${there}, or take the fields over: ${take}`;
        const shared = contestedByHelm(snapshot).map((object) => describeRef(refOf(object)));
        const give = meshctlCommand('clustermesh enable', { context }, ['--via-helm', '--force-conflicts']);
        return [
          ...(contested.length > 0
            ? [findingOf('ownership-managers', 'warn', context, { objects: contested }, hint)]
            : []),
          ...(shared.length > 0
            ? [findingOf('ownership-managers', 'warn', context, { shared }, `Let Helm have all of them: ${give}`)]
            : []),
        ];
      }),
    says: ({ args }) =>
      args.shared === undefined
        ? `context "${args.context}": others have set otherwise what enable would write: ${listed(args.objects)}`
        : `context "${args.context}": Helm applies server-side what meshctl has set fields of, and an upgrade that makes these otherwise is refused, unless it has --force-conflicts: ${listed(args.shared)}`,
  },
  {
    id: 'ownership-peers',
    category: 'ownership',
    title: 'no other tool regenerates the objects that connect wrote to',
    subject: (snapshot, { clusters }) => ({
      things: [
        ...peerObjects(snapshot),
        ...[foreignServer(snapshot, clusters)].flatMap((server) => server?.object ?? []),
      ].map((object) => describeRef(refOf(object))),
      otherwise: 'it has no objects for peers',
    }),
    run: ({ clusters, observed }, all) =>
      clusters.flatMap((snapshot) => {
        const { context } = snapshot;
        const server = foreignServer(snapshot, all);
        return [...foreignHomes(snapshot, observed.get(context)?.rendered), ...(server ? [server] : [])].map(
          ({ object, owner, keys, broughtBack, lasting }) =>
            findingOf(
              'ownership-peers',
              'warn',
              context,
              { object: describeRef(refOf(object)), owner, keys, broughtBack },
              broughtBack.length > 0
                ? `The next sync connects them again; ${lasting}`
                : `${owner} may undo it at its next sync; ${lasting}`,
            ),
        );
      }),
    says: ({ args }) => {
      const object = `context "${args.context}": ${args.object} is made by ${args.owner}`;
      return (args.broughtBack as readonly string[]).length > 0
        ? `${object}, whose source still has ${listed(args.broughtBack)}, taken out of it`
        : `${object}, and meshctl has written ${listed(args.keys)} into it`;
    },
  },
];

/** Few are named; of more the first ones, for the plan shows them all. */
function countedFields(changes: unknown): string {
  const all = changes as readonly string[];
  return all.length <= 2 ? listed(all) : `${listed(all.slice(0, 2))} and ${all.length - 2} more`;
}

function isApplied({ metadata: { managedFields = [] } }: KubeObject): boolean {
  return managedFields.some(({ manager, operation }) => manager === FIELD_MANAGER && operation === 'Apply');
}
