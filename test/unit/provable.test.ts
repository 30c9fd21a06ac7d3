import { describe, expect, it } from 'vitest';
import type { CertificateFacts, TlsSecretFacts } from '../../src/mesh/certificates/certificate.ts';
import type { Credential } from '../../src/mesh/connect/credentials.ts';
import type { Direction } from '../../src/mesh/connect/direction.ts';
import { requireSoundServers } from '../../src/mesh/connect/provable.ts';
import type { MeshctlError } from '../../src/mesh/errors.ts';
import { keyOf } from '../../src/mesh/objects/kube-object.ts';
import { secretRef } from '../../src/mesh/objects/names.ts';
import { emptySecret, encodeText } from '../../src/mesh/objects/secret-data.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
import { caFacts, certificateFacts, NOW, snapshotOf, tlsFacts as tlsFactsOf } from '../support/snapshots.ts';

const SERVER = 'clustermesh-apiserver-server-cert';
const REMOTE = 'clustermesh-apiserver-remote-cert';

const COVERED = { dnsNames: ['clustermesh-apiserver.kube-system.svc'], ipAddresses: ['10.0.0.9'] };
const tlsFacts = (ca: string, certificate: Partial<CertificateFacts>) => tlsFactsOf(ca, { ...COVERED, ...certificate });

/** From one cluster to another that serves with a certificate; the other's cilium-ca has the key `ca`. */
function direction(serving: TlsSecretFacts | undefined, kind: Credential['kind'] = 'per-peer'): Direction {
  const server = snapshotOf({
    context: 'two',
    ca: caFacts('ca'),
    tlsSecrets: new Map([...(serving ? [[SERVER, serving] as const] : []), [REMOTE, tlsFacts('old', {})]]),
  });
  const member = (snapshot: typeof server, name: string) => ({ snapshot, identity: { name } });
  return {
    client: member(snapshotOf({ context: 'one' }), 'mesh-1'),
    server: member(server, 'mesh-2'),
    credential: { kind },
    endpoint: { addresses: ['10.0.0.9:2379'] },
  } as unknown as Direction;
}

const step = (action: Step['action'], cluster = 'two') =>
  ({ cluster, action, object: { name: SERVER } }) as unknown as Step;
const refusedFor = (one: Direction, steps: readonly Step[] = []): unknown => {
  try {
    requireSoundServers([one], steps, NOW);
    return undefined;
  } catch (error) {
    return (error as { details: { reason: string } }).details.reason;
  }
};

const root = (key: string) => certificateFacts({ sha256: key, publicKeySha256: key, isCa: true });
/** Signed by one CA, while another is trusted there as well. */
const replacing = (signer: string, other: string): TlsSecretFacts => ({
  ...tlsFacts(signer, {}),
  authorities: [root(signer), root(other)],
});
const intermediate = certificateFacts({ commonName: 'issuing', publicKeySha256: 'issuing', isCa: true });
const day = (offset: number) => new Date(NOW.getTime() + offset * 86_400_000);

describe('a server certificate that no wait mends is refused before anything is written', () => {
  it.each<[string, TlsSecretFacts | undefined, string | undefined]>([
    ['from the CA that peers are given', tlsFacts('ca', {}), undefined],
    ['from another CA', tlsFacts('other', {}), 'tls-unknown-ca'],
    ['without the name of its Service', tlsFacts('ca', { dnsNames: ['*.mesh.cilium.io'] }), 'tls-name'],
    ['without the address that is dialled', tlsFacts('ca', { ipAddresses: ['10.0.0.8'] }), 'tls-name'],
    ['expired', tlsFacts('ca', { notAfter: day(-1) }), 'tls-expired'],
    ['not valid yet', tlsFacts('ca', { notBefore: day(1) }), 'tls-expired'],
    ['from another CA, which is not handed out beside the present one', replacing('new', 'ca'), 'tls-unknown-ca'],
    ['from an intermediate CA, whose root may be trusted', { ...tlsFacts('x', {}), ca: intermediate }, undefined],
    ['signed by nobody who is with it', { ...tlsFacts('other', {}), signedByCa: false }, undefined],
    ['that is not there: that is told by others', undefined, undefined],
  ])('%s', (_what, serving, reason) => {
    expect(refusedFor(direction(serving))).toBe(reason);
  });

  it('is from the other one of two CAs while they are both handed out', () => {
    const one = direction(replacing('new', 'ca'));
    const { snapshot } = one.server;
    const pem = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';
    const secret = {
      ...emptySecret(secretRef('kube-system', SERVER), 'Opaque'),
      data: { 'ca.crt': encodeText(pem + pem) },
    };
    const objects = new Map([[keyOf(secretRef('kube-system', SERVER)), secret]]);
    const both = { ...snapshot, objects, ca: { ...caFacts('ca'), certificatePem: pem } };
    expect(refusedFor({ ...one, server: { ...one.server, snapshot: both } })).toBeUndefined();
  });

  it('goes by the CA of the credential that is handed out', () => {
    expect(refusedFor(direction(replacing('ca', 'old'), 'legacy'))).toBe('tls-unknown-ca');
    expect(refusedFor(direction(tlsFacts('old', {}), 'legacy'))).toBeUndefined();
    expect(refusedFor(direction(tlsFacts('ca', {}), 'legacy'))).toBe('tls-unknown-ca');
  });

  it('says how it is renewed by whoever made it', () => {
    const made = (kind: Credential['kind']) => {
      const { server, ...rest } = direction(tlsFacts('other', {}), kind);
      const metadata = {
        ...{ name: SERVER, namespace: 'kube-system' },
        annotations: { 'cert-manager.io/certificate-name': 'server' },
      };
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata };
      const objects = new Map([[`Secret/kube-system/${SERVER}`, secret]]);
      return { ...rest, server: { ...server, snapshot: { ...server.snapshot, objects } } } as Direction;
    };
    const hintOf = (one: Direction) => {
      try {
        requireSoundServers([one], [], NOW);
        return undefined;
      } catch (error) {
        return (error as MeshctlError).hint;
      }
    };
    expect(hintOf(direction(tlsFacts('other', {})))).toBe('Reissue it: meshctl clustermesh enable --context two');
    expect(hintOf(made('per-peer'))).toMatch(/kubectl --context two -n kube-system delete secret \S+server-cert$/);
    expect(hintOf(made('legacy'))).toMatch(/delete secret \S+server-cert \S+remote-cert$/);
  });

  it('lets the plan renew it', () => {
    const foreign = direction(tlsFacts('other', {}));
    expect(refusedFor(foreign, [step('update')])).toBeUndefined();
    expect(refusedFor(foreign, [step('keep')])).toBe('tls-unknown-ca');
    expect(refusedFor(foreign, [step('update', 'one')])).toBe('tls-unknown-ca');
  });
});
