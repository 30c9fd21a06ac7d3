import type { KubeObject, ObjectRef } from './kube-object.ts';

/** A Secret without data, to start from. */
export function emptySecret({ namespace, name }: ObjectRef, type: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, ...(namespace ? { namespace } : {}) }, type };
}

/** The text that a Secret holds under a key; undefined when the Secret or the key is absent. */
export function secretText(secret: KubeObject | undefined, key: string): string | undefined {
  const encoded = (secret?.data as Record<string, string> | undefined)?.[key];
  return encoded === undefined ? undefined : decodeText(encoded);
}

/** All of a Secret's values as text, by key. */
export function secretTexts(secret: KubeObject | undefined): Record<string, string> {
  const data = (secret?.data as Record<string, string> | undefined) ?? {};
  return Object.fromEntries(Object.entries(data).map(([key, encoded]) => [key, decodeText(encoded)]));
}

/** The keys of a Secret or ConfigMap. */
export function dataKeys(object: KubeObject | undefined): string[] {
  return Object.keys((object?.data as Record<string, string> | undefined) ?? {});
}

/** Text to base64, as a Secret's `data` holds it. */
export function encodeText(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** The text of one `data` value. */
export function decodeText(encoded: string): string {
  return Buffer.from(encoded, 'base64').toString();
}
