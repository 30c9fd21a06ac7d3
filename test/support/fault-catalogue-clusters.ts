import { createAuthority } from '../../src/pki/authority.ts';
import type { FaultEntry } from './fault.ts';
import { TWO } from './fault-mesh.ts';
import { change, dropSecret, emptySecret, setUsersText, USERS } from './fault-parts.ts';
import { refsOf, setSecret } from './sandbox-mesh.ts';

const CA = 'cilium-ca';

const OF_THE_CA = {
  harmless: true,
  check: ['‼tls-ca'],
  connect: 'keeps',
  operator: true,
  unconcerned: ['connect'],
} satisfies Partial<FaultEntry>;

/** The CA of mesh-2 is broken. All goes on, but nothing can be renewed. */
export const AUTHORITY_FAULTS: readonly FaultEntry[] = [
  {
    ...OF_THE_CA,
    id: 'ca-deleted',
    status: ['ca-missing'],
    what: 'the Secret of the CA is gone',
    arrange: ({ two }) => dropSecret(two, CA),
    certs: [`${TWO} ca ca-missing`],
  },
  {
    ...OF_THE_CA,
    id: 'ca-empty',
    status: ['ca-unreadable'],
    what: 'the Secret of the CA is empty',
    arrange: ({ two }) => emptySecret(two, CA),
    certs: [`${TWO} ca ca-unreadable`],
  },
  {
    ...OF_THE_CA,
    id: 'ca-garbage',
    status: ['ca-unreadable'],
    what: 'the certificate of the CA is no certificate',
    arrange: ({ two }) => setSecret(two, CA, { 'ca.crt': 'not a cert' }),
    certs: [`${TWO} ca ca-unreadable`],
  },
  {
    ...OF_THE_CA,
    id: 'ca-key-garbage',
    status: ['ca-key'],
    what: 'the key of the CA is no key',
    arrange: ({ two }) => setSecret(two, CA, { 'ca.key': 'not a key' }),
    certs: [`${TWO} ca ca-key`],
  },
  {
    ...OF_THE_CA,
    id: 'ca-key-of-another',
    status: ['ca-key'],
    what: 'the key of the CA belongs to another one',
    arrange: async ({ two }) => setSecret(two, CA, { 'ca.key': (await createAuthority()).privateKey }),
    certs: [`${TWO} ca ca-key`],
  },
  {
    ...OF_THE_CA,
    id: 'ca-of-another',
    status: ['ca-foreign'],
    what: 'the Secret of the CA holds another one, which signed none of the certificates',
    async arrange({ two }) {
      const { certificate, privateKey } = await createAuthority();
      setSecret(two, CA, { 'ca.crt': certificate, 'ca.key': privateKey });
    },
    certs: [`${TWO} ca ca-foreign`],
  },
];

/** Something around the mesh is in the way. */
export const CLUSTER_FAULTS: readonly FaultEntry[] = [
  {
    id: 'users-of-helm',
    what: 'Helm made the list of the users, and its last upgrade took the peer out',
    arrange({ two }) {
      setUsersText(two, 'users: []\n');
      change(two, refsOf(two).configMap(USERS), ({ metadata }) => {
        metadata.labels = { ...metadata.labels, 'app.kubernetes.io/managed-by': 'Helm' };
        metadata.annotations = { ...metadata.annotations, 'meta.helm.sh/release-name': 'cilium' };
      });
    },
    noticed: true,
    status: ['permission-denied', 'peer-user-missing'],
    check: ['peers-user'],
    connect: 'changes',
  },
];
