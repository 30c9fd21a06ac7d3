import { createAuthority } from '../../src/pki/authority.ts';
import { lasting, serverCertificateSpec } from '../support/certificate-specs.ts';
import {
  type CheckMesh,
  type CheckScenario,
  checkScenarios,
  edit,
  restorerOf,
  type Undo,
} from '../support/check-scenarios.ts';
import { showClock } from '../support/in-process-api.ts';
import { keyOfNobody } from '../support/key-of-nobody.ts';
import { found, issueInto, refs, setSecret, setUsers } from '../support/sandbox-mesh.ts';

/** Kubelets look at what is mounted only when they are nudged. */
const NEVER_MS = 3_600_000;

const SERVER = 'clustermesh-apiserver-server-cert';

/** mesh-2's Secret with the server certificate is changed. */
const server = (
  when: string,
  severity: CheckScenario['severity'],
  change: (mesh: CheckMesh) => unknown,
): CheckScenario => ({
  when,
  severity,
  cluster: 'mesh-2',
  async change(mesh): Promise<Undo> {
    const undo = restorerOf(mesh.two, refs.secret(SERVER));
    await change(mesh);
    return undo;
  },
});

/** mesh-2's CA becomes another one. */
async function replaceCa({ two }: CheckMesh, options: Parameters<typeof createAuthority>[0]): Promise<Undo> {
  const undo = restorerOf(two, refs.secret('cilium-ca'));
  const { certificate, privateKey } = await createAuthority(options);
  setSecret(two, 'cilium-ca', { 'ca.crt': certificate, 'ca.key': privateKey });
  return undo;
}

checkScenarios(
  'tls',
  { state: 'connected', options: { timings: { secretSyncMs: NEVER_MS } } },
  {
    'tls-ca': [
      {
        when: 'the CA is gone, and what it signed is there',
        severity: 'warn',
        cluster: 'mesh-2',
        change({ two }) {
          const { metadata, type, data } = found(two.store.get(refs.secret('cilium-ca')), 'the CA');
          two.store.delete(refs.secret('cilium-ca'));
          const { name, namespace = '' } = metadata;
          return () =>
            two.store.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, type, data });
        },
      },
      {
        when: 'the CA cannot be read',
        severity: 'warn',
        cluster: 'mesh-2',
        change({ two }) {
          const undo = restorerOf(two, refs.secret('cilium-ca'));
          setSecret(two, 'cilium-ca', { 'ca.crt': 'nonsense' });
          return undo;
        },
      },
      {
        when: 'the CA is gone, and a certificate has to be issued',
        severity: 'fail',
        cluster: 'mesh-2',
        change({ two }) {
          const undo = ['cilium-ca', 'clustermesh-apiserver-admin-cert'].map((name) => {
            const back = restorerOf(two, refs.secret(name));
            setSecret(two, name, { 'ca.crt': 'nonsense', 'tls.crt': name === 'cilium-ca' ? undefined : 'nonsense' });
            return back;
          });
          return () => undo.map((back) => back());
        },
      },
    ],
    'tls-present': [
      {
        when: 'a certificate is gone that nothing goes by: each peer has one of its own',
        severity: 'warn',
        cluster: 'mesh-2',
        change({ two }) {
          const ref = refs.secret('clustermesh-apiserver-remote-cert');
          const undo = restorerOf(two, ref);
          setSecret(two, ref.name, { 'tls.crt': undefined });
          return undo;
        },
      },
      server('the certificate cannot be read', 'fail', ({ two }) => setSecret(two, SERVER, { 'tls.crt': 'nonsense' })),
      server('there is no certificate', 'fail', ({ two }) => setSecret(two, SERVER, { 'tls.crt': undefined })),
    ],
    'tls-chain': [
      server('the certificate is from the CA of another cluster', 'fail', ({ two, three }) =>
        issueInto(two, SERVER, serverCertificateSpec(two), {}, three),
      ),
      server('the CA that is with the certificate is another', 'fail', ({ two, three }) =>
        setSecret(two, SERVER, { 'ca.crt': found(three.ca, 'a CA').certificate }),
      ),
    ],
    'tls-key': [
      server('the private key is that of another certificate', 'fail', ({ two }) =>
        setSecret(two, SERVER, { 'tls.key': keyOfNobody() }),
      ),
    ],
    'tls-usage': [
      server('the server certificate is for clients', 'fail', ({ two }) =>
        issueInto(two, SERVER, { ...serverCertificateSpec(two), usages: ['client'] }),
      ),
      {
        when: "the administrator's certificate names another user",
        severity: 'fail',
        cluster: 'mesh-2',
        async change({ two }) {
          const secret = 'clustermesh-apiserver-admin-cert';
          const undo = restorerOf(two, refs.secret(secret));
          await issueInto(two, secret, {
            commonName: 'admin-other',
            usages: ['client'],
            dnsNames: ['localhost'],
            ipAddresses: [],
          });
          return undo;
        },
      },
    ],
    'tls-names': [
      server('the address of the load balancer is not covered, which a peer dials', 'fail', ({ two }) =>
        issueInto(two, SERVER, { ...serverCertificateSpec(two), ipAddresses: ['127.0.0.1', '::1'] }),
      ),
      server('the name of the Service is not covered, which the own agents dial', 'fail', ({ two }) =>
        issueInto(two, SERVER, { ...serverCertificateSpec(two), dnsNames: ['localhost'] }),
      ),
    ],
    clocks: [
      {
        when: 'the clock of one is an hour behind, with which all that is new is refused',
        severity: 'fail',
        cluster: 'mesh-2',
        change: ({ two }) => {
          showClock(two.url, -3_600_000);
          return () => showClock(two.url, 0);
        },
      },
    ],
    'tls-expiry': [
      server('ten days are left', 'warn', ({ two }) => issueInto(two, SERVER, serverCertificateSpec(two), lasting(10))),
      server('it has expired', 'fail', ({ two }) => issueInto(two, SERVER, serverCertificateSpec(two), lasting(-1))),
    ],
    'tls-ca-expiry': [
      {
        when: 'ten days of the CA are left',
        severity: 'warn',
        cluster: 'mesh-2',
        change: (mesh) => replaceCa(mesh, lasting(10)),
      },
      {
        when: 'the CA has expired',
        severity: 'fail',
        cluster: 'mesh-2',
        change: (mesh) => replaceCa(mesh, lasting(-1)),
      },
    ],
    'tls-ca-trust': [
      {
        when: 'a peer has a different CA than the one that is trusted',
        severity: 'fail',
        cluster: 'mesh-1',
        args: { peer: 'mesh-2' },
        async change({ two }) {
          const undos = [refs.secret('cilium-ca'), refs.secret(SERVER)].map((ref) => restorerOf(two, ref));
          const ca = await createAuthority();
          setSecret(two, 'cilium-ca', { 'ca.crt': ca.certificate, 'ca.key': ca.privateKey });
          await issueInto(two, SERVER, serverCertificateSpec(two), {}, { ...two, ca });
          return () => {
            for (const undo of undos) undo();
          };
        },
      },
    ],
    'tls-rotation': [
      {
        when: 'the server certificate comes with its CA and with another one that comes first',
        severity: 'warn',
        cluster: 'mesh-2',
        args: { phase: 'trust' },
        async change({ two }) {
          const undo = edit(two, refs.secret(SERVER), () => undefined);
          const { certificate } = await createAuthority();
          const own = two.ca?.certificate ?? '';
          setSecret(two, SERVER, { 'ca.crt': `${certificate}${own}` });
          return undo;
        },
      },
    ],
    'tls-users-made': [
      {
        when: 'the list has a user more than it had when the pod looked last',
        severity: 'fail',
        cluster: 'mesh-2',
        args: { users: ['remote-mesh-9'], problem: 'has no user' },
        change({ two }) {
          const undo = edit(two, refs.configMap('clustermesh-remote-users'), () => undefined);
          setUsers(two, ['remote-mesh-1', 'remote-mesh-9']);
          return undo;
        },
      },
      {
        when: 'etcd lets a user in that the list has no more',
        severity: 'warn',
        cluster: 'mesh-2',
        args: { users: ['remote-mesh-1'], problem: 'still lets in' },
        change({ two }) {
          const undo = edit(two, refs.configMap('clustermesh-remote-users'), () => undefined);
          setUsers(two, []);
          return undo;
        },
      },
    ],
    'tls-orphaned-users': [
      {
        when: 'a user of a cluster that is no peer may log in',
        severity: 'warn',
        contexts: 'mesh-1,mesh-2,mesh-3',
        cluster: 'mesh-2',
        args: { user: 'remote-mesh-3', peer: 'mesh-3' },
        change({ two }) {
          const undo = edit(two, refs.configMap('clustermesh-remote-users'), () => undefined);
          setUsers(two, ['remote-mesh-1', 'remote-mesh-3']);
          return undo;
        },
      },
    ],
  },
);
