import { describe, expect, it } from 'vitest';
import { authorityState } from '../../src/mesh/certificates/authority.ts';
import { CERTIFICATE_SECRETS } from '../../src/mesh/certificates/cluster-certificates.ts';
import { signerInUse } from '../../src/mesh/certificates/foreign-authority.ts';
import {
  type AuthorityChoice,
  authorityWarnings,
  type GivenAuthority,
  planAuthority,
} from '../../src/mesh/certificates/plan-authority.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { caFacts, certificateFacts, snapshotOf, tlsFacts } from '../support/snapshots.ts';

const secret = (annotations: Record<string, string> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'cilium-ca', namespace: 'kube-system', annotations },
});
const given = (key: string): GivenAuthority => ({
  key: `given:${key}`,
  origin: 'context "other"',
  certificate: certificateFacts({ publicKeySha256: key, isCa: true }),
});
const plan = (choice: AuthorityChoice, overrides: Parameters<typeof snapshotOf>[0] = { live: [secret()] }) =>
  planAuthority(snapshotOf(overrides), choice);

describe('planAuthority', () => {
  it('generates one where there is none, and takes the one that is given', () => {
    const none = { ca: undefined };
    expect(plan({ keySize: 4096 }, none)).toMatchObject({
      step: { action: 'create', write: { method: 'authority', keySize: 4096 } },
      certificate: undefined,
      replaces: false,
    });
    expect(plan({ given: given('new') }, none)).toMatchObject({
      step: { action: 'create', write: { given: 'given:new' }, why: 'taken from context "other"' },
      certificate: { publicKeySha256: 'new' },
    });
  });

  it('keeps the one that is there, also when the same one is given', () => {
    expect(plan({}).step?.action).toBe('keep');
    expect(plan({ given: given('ca-one') }).step).toMatchObject({
      action: 'keep',
      why: 'the cluster has the CA of context "other"',
    });
    expect(plan({ given: given('ca-one'), replace: true }).step?.action).toBe('keep');
  });

  it('adds the key to a CA that has none', () => {
    const ca = { ...caFacts('ca-one'), hasKey: false };
    expect(plan({ given: given('ca-one') }, { ca, live: [secret()] })).toMatchObject({
      step: { action: 'update', why: 'the key of the CA was missing' },
      replaces: false,
    });
  });

  it('replaces another one only when told to', () => {
    expect(() => plan({ given: given('ca-two') })).toThrow(/holds a different CA than context "other"/);
    expect(plan({ given: given('ca-two'), replace: true })).toMatchObject({
      step: { action: 'update', why: 'replaced by the CA of context "other"' },
      replaces: true,
    });
    expect(plan({ replace: true })).toMatchObject({ step: { why: 'replaced by a new CA' }, certificate: undefined });
  });

  it('does not fight with cert-manager', () => {
    const live = [secret({ 'cert-manager.io/certificate-name': 'cilium-ca' })];
    expect(() => plan({ replace: true }, { live })).toThrow(
      /made by cert-manager Certificate cilium-ca, which would restore/,
    );
    expect(plan({}, { live }).step?.action).toBe('keep');
  });
});

describe('a CA that is not as it should be', () => {
  const certified = { tlsSecrets: new Map([['clustermesh-apiserver-server-cert', tlsFacts('ca-one', {})]]) };
  const withData = (data: Record<string, string>): KubeObject => ({ ...secret(), data });
  const garbage = withData({ 'ca.crt': btoa('garbage') });
  const wrongKey = { ca: { ...caFacts('ca-one'), keyMatches: false }, live: [withData({ 'ca.crt': 'x' })] };

  it.each([
    ['missing', { ca: undefined }],
    ['empty', { ca: undefined, live: [withData({})] }],
    ['empty', { ca: undefined, live: [withData({ 'ca.crt': '', 'ca.key': '' })] }],
    ['unreadable', { ca: undefined, live: [garbage] }],
    ['wrong-key', wrongKey],
    ['no-key', { ca: { ...caFacts('ca-one'), hasKey: false, keyMatches: false }, live: [secret()] }],
    ['usable', { live: [secret()] }],
  ])('is told apart: %s', (state, overrides) => {
    expect(authorityState(snapshotOf(overrides))).toBe(state);
  });

  it.each([
    ['missing', { ca: undefined }],
    ['empty', { ca: undefined, live: [withData({})] }],
    ['unreadable', { ca: undefined, live: [garbage] }],
  ])('is lost where certificates of it are there (%s): none is made, and it is said', (_state, overrides) => {
    const snapshot = snapshotOf({ ...certified, ...overrides });
    const lost = planAuthority(snapshot, {});
    expect(lost).toEqual({
      certificate: expect.objectContaining({ publicKeySha256: 'ca-one' }),
      replaces: false,
      makes: false,
    });
    expect(authorityWarnings(snapshot, lost).join()).toContain(
      ' → restore Secret kube-system/cilium-ca from backup; or replace it (cuts peers off until reconnected): meshctl clustermesh enable --context one --replace-ca',
    );
    expect(planAuthority(snapshot, { replace: true })).toMatchObject({ replaces: true, makes: true });
    expect(planAuthority(snapshot, { given: given('ca-one') })).toMatchObject({
      step: { why: 'the CA that signed the certificates is restored' },
      replaces: false,
    });
    expect(() => planAuthority(snapshot, { given: given('ca-two') })).toThrow(
      /the certificates are from a different CA than context "other"/,
    );
  });

  it('is made in an empty Secret where nothing was signed, and never over garbage unasked', () => {
    const empty = snapshotOf({ ca: undefined, live: [withData({})] });
    expect(planAuthority(empty, {})).toMatchObject({ step: { action: 'update', why: 'the Secret is empty' } });
    const unreadable = snapshotOf({ ca: undefined, live: [garbage] });
    expect(planAuthority(unreadable, {}).step?.action).toBe('keep');
    expect(planAuthority(unreadable, { replace: true })).toMatchObject({ step: { action: 'update' }, replaces: true });
    expect(() => planAuthority(unreadable, { given: given('ca-two') })).toThrow(/holds no readable certificate/);
  });

  it('is kept with a warning when its key is another one', () => {
    const snapshot = snapshotOf(wrongKey);
    const kept = planAuthority(snapshot, {});
    expect(kept.step?.action).toBe('keep');
    expect(authorityWarnings(snapshot, kept).join()).toContain('unreadable or belongs to a different CA');
  });
});

describe('a CA that signed none of the certificates in use', () => {
  const inUse = (...keys: string[]) =>
    new Map(keys.map((key, index) => [CERTIFICATE_SECRETS[index] ?? '', tlsFacts(key, {})]));
  const remoteUsers = [{ name: 'remote-two', role: 'remote' }];
  const snapshot = snapshotOf({ live: [secret()], tlsSecrets: inUse('former', 'former'), remoteUsers });
  const holder = (key: string) => snapshotOf({ context: 'two', ca: caFacts(key) });

  it.each([
    ['all are from another', inUse('former', 'former'), 'former'],
    ['one is from it', inUse('former', 'ca-one'), undefined],
    ['they are from two others', inUse('former', 'older'), undefined],
    ['there are none', inUse(), undefined],
    ['all are from it', inUse('ca-one', 'ca-one'), undefined],
  ])('is told apart: %s', (_title, tlsSecrets, signer) => {
    expect(signerInUse(snapshotOf({ tlsSecrets }))?.publicKeySha256).toBe(signer);
  });

  it('gives way to the one that signed, and to no other without --replace-ca', () => {
    expect(planAuthority(snapshot, { given: given('former') })).toMatchObject({
      step: { why: 'the CA that signed the certificates is restored' },
      replaces: false,
      makes: true,
    });
    expect(() => planAuthority(snapshot, { given: given('third') })).toThrow(/holds a different CA than/);
  });

  it('is told with who has a copy of the right one, as long as somebody trusts that', () => {
    const kept = planAuthority(snapshot, {});
    const told = (...others: ClusterSnapshot[]) => authorityWarnings(snapshot, kept, others).join();
    expect(told(holder('former'))).toContain('--ca-from-context two; or switch to ');
    expect(told(holder('third'))).toContain('from backup; or switch to ');
    const alone = snapshotOf({ live: [secret()], tlsSecrets: inUse('former') });
    expect(authorityWarnings(alone, planAuthority(alone, {}))).toEqual([]);
  });
});
