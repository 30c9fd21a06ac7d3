import { MeshctlError } from '../../mesh/errors.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { decodeText, secretTexts } from '../../mesh/objects/secret-data.ts';
import type { CertificateKeys, ReadyWrite, Step } from '../../mesh/plan/plan.ts';
import type { ClientCertificate } from '../etcd/open-etcd.ts';

/** Writes with their certificates, by step: issued once, proved, then sent. */
export type ReadyWrites = ReadonlyMap<Step, ReadyWrite>;

/** Issues everything that steps need, before the first of them is written. */
export async function prepareWrites(
  steps: readonly Step[],
  make: (step: Step) => Promise<ReadyWrite>,
): Promise<ReadyWrites> {
  const writes = steps.filter(({ write }) => write !== undefined);
  return new Map(await Promise.all(writes.map(async (step): Promise<[Step, ReadyWrite]> => [step, await make(step)])));
}

/** The write that was prepared for a step. */
export function readyWrite(ready: ReadyWrites, step: Step): ReadyWrite {
  const write = ready.get(step);
  if (!write) throw new MeshctlError('Bug', `a write for ${step.object.name} was not prepared`);
  return write;
}

/** What a Secret will hold after a write, by key. @param live as it is; undefined where there is none */
export function textsAfter(live: KubeObject | undefined, write: ReadyWrite | undefined): Record<string, string> {
  const data = { ...secretTexts(live) };
  for (const [key, value] of Object.entries(writtenData(live, write))) {
    if (value === null) delete data[key];
    else data[key] = decodeText(value);
  }
  return data;
}

function dataOf(object: object | undefined): Record<string, string | null> {
  return (object as { data?: Record<string, string | null> } | undefined)?.data ?? {};
}

function writtenData(live: KubeObject | undefined, write: ReadyWrite | undefined): Record<string, string | null> {
  if (write?.method === 'patch') return dataOf(write.patch);
  if (write?.method === 'create') return dataOf(write.object);
  if (write?.method !== 'edit') return {};
  if (!live) return dataOf(write.create);
  const edit = write.edit(live);
  return edit === undefined || edit === 'delete' ? {} : dataOf(edit.patch);
}

/** The credential under some keys of a Secret; empty texts for what is not there. */
export function certificateIn(texts: Readonly<Record<string, string>>, keys: CertificateKeys): ClientCertificate {
  const { [keys.ca]: ca = '', [keys.certificate]: certificate = '', [keys.privateKey]: privateKey = '' } = texts;
  return { ca, certificate, privateKey };
}
