import { isCopiedAuthority } from '../../mesh/certificates/plan-authority.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { caSourceOf } from '../../mesh/file/ca-source.ts';
import { keyOf } from '../../mesh/objects/kube-object.ts';
import { CA_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { authorityOfContext, type BroughtAuthority } from '../enable/given-authority.ts';
import type { Flow } from '../flow.ts';
import type { FileMember } from './file-member.ts';

/**
 * The CAs that clusters without one get from others of the file (`caFrom`), by context. A source that has none itself, and is
 * enabled in the same run, gets the one that others have from it by now, else a new one, which is then theirs too.
 * @throws MeshctlError `CertificateAuthority` for a source that cannot give one
 */
export async function authoritiesFor(
  flow: Flow,
  read: readonly { member: FileMember; enable: ClusterSnapshot }[],
): Promise<Map<string, BroughtAuthority>> {
  const lacking = read.filter(
    ({ member, enable }) =>
      !member.wanted.connectOnly && !enable.objects.has(keyOf(secretRef(enable.namespace, CA_SECRET))),
  );
  const having = read.filter(({ enable }) => isCopiedAuthority(enable));
  const without = lacking.map(({ member }) => member.wanted);
  const sourceOf = ({ member }: { member: FileMember }) => caSourceOf(member.wanted, without);
  const isLacking = (name: string | undefined) => without.some((one) => one.name === name);
  const sources = [...new Set([...lacking.map(sourceOf), ...having.map(sourceOf).filter(isLacking)])];
  const given = new Map<string, BroughtAuthority>();
  for (const name of sources) {
    const source = read.find(({ member }) => member.wanted.name === name);
    if (!source) continue;
    const { keySize } = source.member.wanted.enable;
    const mayGenerate = lacking.includes(source);
    const sharers = having.filter((one) => sourceOf(one) === name).map(({ member }) => member.target);
    const authority = await authorityOfContext(flow, source.member.target, { mayGenerate, keySize, sharers });
    for (const one of lacking) {
      if (one === source || sourceOf(one) === name) given.set(one.enable.context, authority);
    }
  }
  return given;
}
