import { describe, expect, it } from 'vitest';
import type { TlsSecretFacts } from '../../src/mesh/certificates/certificate.ts';
import { requireIdentity } from '../../src/mesh/cilium/identity.ts';
import { usableWithoutSigner } from '../../src/mesh/connect/credentials.ts';
import { apiserverDeployment, caFacts, certificateFacts, NOW, snapshotOf, tlsFacts } from '../support/snapshots.ts';

/** Signed by one CA, beside which others are trusted. */
interface Held {
  signer: string;
  trusts?: string[];
}

function holding({ signer, trusts = [signer] }: Held, certificate: Partial<TlsSecretFacts['certificate']>) {
  const authorities = trusts.map((key) => certificateFacts({ publicKeySha256: key, isCa: true }));
  return { ...tlsFacts(signer, certificate), authorities };
}

const SERVER = 'clustermesh-apiserver-server-cert';

// mesh-2's CA is kept without its key: nobody here could issue another certificate for mesh-1.
function isUsable(client: Held, server: Held, present: Partial<TlsSecretFacts> = {}): boolean {
  const ciliumConfig = (id: number) => ({ 'cluster-name': `mesh-${id}`, 'cluster-id': String(id) });
  const agent = { image: 'quay.io/cilium/cilium:v1.20.0', desired: 1, ready: 1 };
  const own = { ...holding(client, { commonName: 'remote-mesh-1', usages: ['client'] }), ...present };
  const one = snapshotOf({ agent, ciliumConfig: ciliumConfig(1), peerCertificates: new Map([['mesh-2', own]]) });
  const two = snapshotOf({
    agent,
    ciliumConfig: ciliumConfig(2),
    live: [apiserverDeployment()],
    ca: { ...caFacts('new'), hasKey: false },
    remoteUsers: [],
    tlsSecrets: new Map([[SERVER, holding(server, { commonName: 's' })]]),
  });
  const member = (snapshot: typeof one) => ({ snapshot, identity: requireIdentity(snapshot) });
  return usableWithoutSigner(member(one), member(two), NOW);
}

describe('a certificate that nobody can issue anew serves', () => {
  it.each<[string, Held, Held, boolean]>([
    ['with one CA', { signer: 'ca' }, { signer: 'ca' }, true],
    ['with another CA', { signer: 'else' }, { signer: 'ca' }, false],
    [
      'in a rotation: both trust both',
      { signer: 'old', trusts: ['new', 'old'] },
      { signer: 'new', trusts: ['new', 'old'] },
      true,
    ],
    [
      'the server has its new one already',
      { signer: 'old', trusts: ['old', 'new'] },
      { signer: 'new', trusts: ['new', 'old'] },
      true,
    ],
    [
      'the client has its new one already',
      { signer: 'new', trusts: ['old', 'new'] },
      { signer: 'old', trusts: ['old', 'new'] },
      true,
    ],
    [
      'the client was left out, and the server is new',
      { signer: 'old' },
      { signer: 'new', trusts: ['new', 'old'] },
      false,
    ],
    ['the server has let the former CA go', { signer: 'old', trusts: ['old', 'new'] }, { signer: 'new' }, false],
    [
      'a CA of others stands first in the bundle',
      { signer: 'ca', trusts: ['x', 'ca'] },
      { signer: 'ca', trusts: ['y', 'ca'] },
      true,
    ],
  ])('%s', (_what, client, server, expected) => {
    expect(isUsable(client, server)).toBe(expected);
  });

  it('and nothing but a certificate that is in order, for this very user', () => {
    const [client, server] = [{ signer: 'ca' }, { signer: 'ca' }];
    expect(isUsable(client, server, { keyMatches: false })).toBe(false);
    expect(isUsable(client, server, { signedByCa: false })).toBe(false);
    expect(isUsable(client, server, { certificate: certificateFacts({ commonName: 'remote' }) })).toBe(false);
  });
});
