import { meshctlCommand } from '../command-line.ts';
import { rememberedOf } from '../remembered.ts';
import type { KubeObject, ObjectRef } from './kube-object.ts';

/** What to do about a Secret of peers that has no room: where the numbers are. */
export const ROOM_HINT = `Fewer peers, shorter keys, or one CA for several clusters take less; how many it has room for: ${meshctlCommand('explain', {}, ['peer-secret-room'])}`;

/** A Secret without data, to start from. */
export function emptySecret({ namespace, name }: ObjectRef, type: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, ...(namespace ? { namespace } : {}) }, type };
}

/** What a Secret (in base64) or ConfigMap holds, by key; empty for none. */
export function dataOf(object: KubeObject | undefined): Readonly<Record<string, string>> {
  return (object?.data ?? {}) as Record<string, string>;
}

/** The text that a Secret holds under a key; undefined when the Secret or the key is absent. */
export function secretText(secret: KubeObject | undefined, key: string): string | undefined {
  const encoded = dataOf(secret)[key];
  return encoded === undefined ? undefined : decodeText(encoded);
}

/** All of a Secret's values as text, by key. */
export function secretTexts(secret: KubeObject | undefined): Readonly<Record<string, string>> {
  return textsIn(dataOf(secret));
}

/** Each rule about peers asks a Secret that was read who they are: its texts are there for as long as it is. */
const textsIn = rememberedOf(
  (data: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
    Object.fromEntries(Object.entries(data).map(([key, encoded]) => [key, decodeText(encoded)])),
);

/** The keys of a Secret or ConfigMap. */
export function dataKeys(object: KubeObject | undefined): string[] {
  return Object.keys(dataOf(object));
}

/** Text to base64, as a Secret's `data` holds it. */
export function encodeText(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** The text of one `data` value. */
export function decodeText(encoded: string): string {
  return Buffer.from(encoded, 'base64').toString('utf8');
}
