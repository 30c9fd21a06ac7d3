import type { FaultEntry } from './fault.ts';
import { ONE } from './fault-mesh.ts';
import { configure, neverJoined, restartApiserver } from './fault-parts.ts';
import { eventually } from './sandbox-mesh.ts';
import { restartAgents } from './wrong-identity.ts';

const COMMON = {
  connect: 'ClusterIdentity',
  /** An operator would know a name and an id that nobody has. */
  fill: { '<name>': 'mesh-2', '<id>': '2' },
} satisfies Partial<FaultEntry>;

/** Who the clusters are does not go together: their names, their ids, or the size of the mesh that they are made for. */
export const IDENTITY_FAULTS: readonly FaultEntry[] = [
  {
    ...COMMON,
    id: 'identity-mode-of-nobody',
    what: 'a connected cluster was given an identity-allocation-mode that Cilium does not know',
    arrange: ({ two }) => configure(two, { 'identity-allocation-mode': 'in-the-cloud' }),
    status: ['identity-mode-unknown'],
    check: ['cluster-identity'],
  },
  {
    id: 'ztunnel-while-connected',
    what: 'a connected cluster was set to encrypt with ztunnel, with which its agents do not start again',
    arrange: ({ two }) => configure(two, { 'enable-ztunnel': 'true' }),
    status: ['ztunnel'],
    check: ['ztunnel'],
    connect: 'ClusterIdentity',
    operator: true,
  },
  {
    id: 'endpoints-not-written',
    what: 'a connected cluster was set to write no CiliumEndpoints, so that peers get to know none of its pods',
    arrange: ({ two }) => configure(two, { 'disable-endpoint-crd': 'true' }),
    status: ['cilium-endpoints'],
    check: ['cilium-endpoints'],
    connect: 'Incompatible',
  },
  {
    ...COMMON,
    id: 'one-name-before-connect',
    what: 'two clusters have one name, and were never connected',
    arrange: async (mesh) => {
      neverJoined(mesh);
      // Agents speak of a peer until they have noticed: that is the mesh before it.
      const status = ['clustermesh', 'status', '--context', ONE, '-o', 'json'];
      await eventually(
        () => mesh.meshctl(status),
        ({ stdout }) => !stdout.includes('"name": "mesh-2"'),
        'mesh-1 speaks of no peer',
        { pollMs: 100 },
      );
      configure(mesh.two, { 'cluster-name': 'mesh-1' });
    },
    status: ['identity-outdated'],
    check: ['cluster-name-unique'],
  },
  {
    ...COMMON,
    id: 'one-name-while-connected',
    what: 'a connected cluster was given the name of its peer',
    arrange: ({ two }) => configure(two, { 'cluster-name': 'mesh-1' }),
    status: ['identity-outdated'],
    check: ['cluster-name-unique'],
  },
  {
    ...COMMON,
    id: 'one-id-while-connected',
    what: 'a connected cluster was given the id of its peer',
    arrange: ({ two }) => configure(two, { 'cluster-id': '1' }),
    status: ['identity-outdated'],
    check: ['cluster-id-unique'],
  },
  {
    ...COMMON,
    id: 'one-id-at-the-next-start',
    what: 'a connected cluster was given the id of its peer, and its clustermesh-apiserver has started with it',
    arrange: async ({ two }) => {
      configure(two, { 'cluster-id': '1' });
      restartApiserver(two);
      await two.settled();
    },
    noticed: true,
    status: ['wrong-cluster', 'identity-outdated'],
    check: ['cluster-id-unique'],
  },
  {
    id: 'agents-of-another-id',
    what: 'agents were started while cilium-config had the id of a peer, which was put back',
    arrange: async ({ two }) => {
      configure(two, { 'cluster-id': '1' });
      await restartAgents(two);
      configure(two, { 'cluster-id': '2' });
    },
    noticed: true,
    status: ['agents-outdated'],
    check: ['identity-running'],
    connect: 'keeps',
  },
  {
    ...COMMON,
    id: 'another-size-while-connected',
    connect: 'Incompatible',
    what: 'a connected cluster was made for another size of the mesh than its peer',
    arrange: ({ two }) => configure(two, { 'max-connected-clusters': '511' }),
    status: ['max-connected-clusters-running'],
    // It makes all what cilium-config says, after it has asked.
    unconcerned: ['enable'],
    check: ['max-connected-clusters-running'],
  },
];
