import { describe, expect, it } from 'vitest';
import { parseJoiningPeer } from '../../src/commands/clustermesh/helm-values/joining-values.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';

describe('a cluster that is to be connected yet, as helm-values takes it', () => {
  it.each([
    ['eks', 'eks', []],
    ['eks=203.0.113.7', 'eks', ['203.0.113.7:2379']],
    ['eks=mesh.example.com:32379', 'eks', ['mesh.example.com:32379']],
    ['eks=[2001:db8::7]:2379', 'eks', ['[2001:db8::7]:2379']],
  ])('%s', (text, name, addresses) => {
    expect(parseJoiningPeer(text)).toMatchObject({ name, addresses });
  });

  it.each(['', '=203.0.113.7', 'Eks', 'eks,gke', 'eks=', 'eks=service', 'eks=127.0.0.1', 'eks=fe80::1:2379'])(
    'is refused, with no way out that is none here: %s',
    (text) => {
      let failure: unknown;
      try {
        parseJoiningPeer(text);
      } catch (error) {
        failure = error;
      }
      expect(failure).toBeInstanceOf(MeshctlError);
      const { code, hint = '' } = failure as MeshctlError;
      expect(code).toBe('Usage');
      expect(hint).not.toContain('=service');
    },
  );
});
