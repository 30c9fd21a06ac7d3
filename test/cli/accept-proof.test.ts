import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import type { CliResult } from '../support/cli.ts';
import { eventually, found, refs } from '../support/sandbox-mesh.ts';
import { good, type Owner, startTwoOwners, type TwoOwners } from '../support/two-owners.ts';

let two: TwoOwners;
let a: Owner;
let b: Owner;

beforeAll(async () => {
  // What is mounted changes when a pod is nudged, and by itself not while the test lasts.
  two = await startTwoOwners(2, { timings: { secretSyncMs: 3_600_000 } });
  [a, b] = [found(two.owners['mesh-1'], 'mesh-1'), found(two.owners['mesh-2'], 'mesh-2')];
});
afterAll(() => two?.close());

const accept = (owner: Owner, file: string, ...words: string[]) =>
  owner(['clustermesh', 'accept', file, '-y', ...words]);

/** Runs while the API servers refuse requests of a kind. */
async function whileRefused(
  refused: { verb?: string; resource?: string; subresource?: string },
  work: () => Promise<CliResult>,
) {
  two.clusters.fault = async (request) => {
    const isRefused = Object.entries(refused).every(([key, value]) => request[key as keyof typeof refused] === value);
    if (isRefused) throw new ApiError(403, 'Forbidden', 'not now');
    return undefined;
  };
  const result = await work();
  two.clusters.fault = undefined;
  return result;
}

describe('what could not be proved', () => {
  it('is no success, although the answer is printed; the same message proves it later', async () => {
    await two.save('invitation.yaml', good(await a(['clustermesh', 'invite'])));
    const unproved = await whileRefused({ subresource: 'portforward' }, () =>
      accept(b, 'invitation.yaml', '--wait-duration', '2s'),
    );
    expect(unproved.exitCode).toBe(3);
    expect(parse(unproved.stdout)).toMatchObject({ step: 'reply' });
    expect(unproved.stderr).toContain('no etcd could be asked whether it lets remote-mesh-1 in');
    expect(unproved.stderr).toMatch(/prints it again: meshctl clustermesh accept --context mesh-2 invitation.yaml/);
    const asked = await whileRefused({ subresource: 'portforward' }, () => accept(b, 'invitation.yaml', '--no-proof'));
    expect(asked.exitCode).toBe(0);
    const proved = await accept(b, 'invitation.yaml');
    expect(good(proved)).toBe(unproved.stdout);
    await two.save('reply.yaml', proved.stdout);
  });

  it('is looked at again when a reply is accepted twice', async () => {
    const confirmation = good(await accept(a, 'reply.yaml'));
    const again = await accept(a, 'reply.yaml');
    expect(good(again)).toBe(confirmation);
    expect(again.stderr).toContain('Connected to mesh-2');
    await two.save('confirmation.yaml', confirmation);
    good(await accept(b, 'confirmation.yaml'));
  });

  it('is a new certificate that no pod dials with yet: the connection that stands does not prove it', async () => {
    await two.save('invitation.yaml', good(await a(['clustermesh', 'certs', 'rotate', '--peer', 'mesh-2'])));
    await two.save('reply.yaml', good(await accept(b, 'invitation.yaml')));
    const before = two.clusters.objects();
    const stale = await whileRefused({ verb: 'patch', resource: 'pods' }, () =>
      accept(a, 'reply.yaml', '--wait-duration', '3s'),
    );
    expect(stale).toMatchObject({ exitCode: 1, stdout: '' });
    expect(stale.stderr).toContain('it is still dialled with the former certificate');
    expect(stale.stderr).toContain('mesh-1: is as before');
    expect(two.clusters.objects()).toEqual(before);
    const renewed = await accept(a, 'reply.yaml');
    await two.save('confirmation.yaml', good(renewed));
    expect(renewed.stderr).toContain('Connected to mesh-2');
    const untold = await whileRefused({ subresource: 'exec' }, () =>
      accept(b, 'confirmation.yaml', '--wait-duration', '2s'),
    );
    expect(untold.exitCode).not.toBe(0);
    good(await accept(b, 'confirmation.yaml'));
  });

  it('needs no pod that is ready, nor a certificate that is sound, where nothing is to be proved', async () => {
    const own = found(two.clusters.clusters[1], 'mesh-2');
    const pods = () =>
      own.store
        .list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' })
        .filter(({ metadata }) => metadata.name.startsWith('clustermesh-apiserver'));
    const scale = (replicas: number) =>
      own.store.update(
        refs.deployment('clustermesh-apiserver'),
        ({ spec }) => void Object.assign(spec as object, { replicas }),
      );
    await two.save('invitation.yaml', good(await a(['clustermesh', 'certs', 'rotate', '--peer', 'mesh-2'])));
    scale(0);
    await eventually(pods, (left) => left.length === 0, 'the pods are gone');
    const refused = await accept(b, 'invitation.yaml');
    expect(refused).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('--replicas=1') });
    const answered = await accept(b, 'invitation.yaml', '--no-proof');
    expect(answered.exitCode, answered.stderr).toBe(0);
    expect(parse(answered.stdout)).toMatchObject({ step: 'reply' });
    expect(answered.stderr).toContain('nothing was proved (--no-proof)');
    scale(1);
    await eventually(pods, (left) => left.length > 0, 'a pod is there');
    expect(good(await accept(b, 'invitation.yaml', '--wait-duration', '60s'))).toBe(answered.stdout);
  });
});

it('what an accept has written, and another one has found and proved, stays when the first one fails', async () => {
  await two.save('invitation.yaml', good(await a(['clustermesh', 'certs', 'rotate', '--peer', 'mesh-2'])));
  await two.save('reply.yaml', good(await accept(b, 'invitation.yaml')));
  let other: CliResult | undefined;
  two.clusters.fault = async ({ context, verb, name, subresource }) => {
    if (context !== 'mesh-1') return undefined;
    if (!other && subresource === 'exec') {
      other = { exitCode: -1, stdout: '', stderr: '' };
      other = await accept(a, 'reply.yaml');
      return undefined;
    }
    // By now the first one looks once more at what it has written.
    if (other && other.exitCode !== -1 && verb === 'get' && name === 'clustermesh-remote-users')
      throw new ApiError(403, 'Forbidden', 'not now');
    return undefined;
  };
  const first = await accept(a, 'reply.yaml');
  two.clusters.fault = undefined;
  const confirmation = good(found(other, 'the other run'));
  expect(first).toMatchObject({ exitCode: 3, stdout: '' });
  expect(first.stderr.replaceAll(/\s+/g, ' ')).toMatch(/left as it is, because another run, on \S+, has found there/);
  expect(good(await accept(a, 'reply.yaml'))).toBe(confirmation);
  await two.save('confirmation.yaml', confirmation);
  good(await accept(b, 'confirmation.yaml'));
});
