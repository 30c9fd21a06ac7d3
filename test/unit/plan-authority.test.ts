import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/kube-object.ts';
import {
  type AuthorityChoice,
  type GivenAuthority,
  planAuthority,
  replacementNotes,
} from '../../src/mesh/plan-authority.ts';
import { caFacts, certificateFacts, snapshotOf } from '../support/snapshots.ts';

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
    expect(plan({}).step.action).toBe('keep');
    expect(plan({ given: given('ca-one') }).step).toMatchObject({
      action: 'keep',
      why: 'the cluster has the CA of context "other"',
    });
    expect(plan({ given: given('ca-one'), replace: true }).step.action).toBe('keep');
  });

  it('adds the key to a CA that has none', () => {
    const ca = { ...caFacts('ca-one'), hasKey: false };
    expect(plan({ given: given('ca-one') }, { ca, live: [secret()] })).toMatchObject({
      step: { action: 'update', why: 'the key of the CA was missing' },
      replaces: false,
    });
  });

  it('replaces another one only when told to', () => {
    expect(() => plan({ given: given('ca-two') })).toThrow(/holds another CA than context "other"/);
    expect(plan({ given: given('ca-two'), replace: true })).toMatchObject({
      step: { action: 'update', why: 'replaced by the CA of context "other"' },
      replaces: true,
    });
    expect(plan({ replace: true })).toMatchObject({ step: { why: 'replaced by a new CA' }, certificate: undefined });
  });

  it('does not fight with cert-manager', () => {
    const live = [secret({ 'cert-manager.io/certificate-name': 'cilium-ca' })];
    expect(() => plan({ replace: true }, { live })).toThrow(
      /made by cert-manager Certificate cilium-ca, which would put/,
    );
    expect(plan({}, { live }).step.action).toBe('keep');
  });
});

describe('replacementNotes', () => {
  it('names the peers that are cut off', () => {
    const notes = replacementNotes(snapshotOf({ remoteUsers: [{ name: 'remote-mesh-2', role: 'remote' }] }));
    expect(notes.join('\n')).toContain('mesh-2 trust the former CA');
    expect(replacementNotes(snapshotOf()).join('\n')).not.toContain('trust the former');
  });
});
