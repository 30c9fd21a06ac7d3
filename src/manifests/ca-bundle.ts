import type { TemplateCondition } from './template-condition.ts';
import type { RenderValues } from './values.ts';

/**
 * The CAs from a bundle instead of from beside the certificates (Cilium's charts from 1.16 to 1.21, `tls.caBundle` in
 * templates/clustermesh-apiserver/deployment.yaml). A file is optional where its certificate is.
 */
export const CA_BUNDLE_CONDITIONS: readonly TemplateCondition[] = [
  ...caFromBundle('etcd-server-secrets', 0, { path: 'ca.crt' }),
  ...caFromBundle('etcd-admin-client', 0, { path: 'ca.crt' }),
  ...caFromBundle('kvstoremesh-secrets', 1, { path: 'common-etcd-client-ca.crt', optional: true }),
];

/**
 * A file of a volume from the bundle, and no longer from the Secret whose last item it is in the template.
 * @param at the Secret's place in the volume
 */
function caFromBundle(
  volume: string,
  at: number,
  { path, ...optional }: { path: string; optional?: boolean },
): TemplateCondition[] {
  const sources = ['spec', 'template', 'spec', 'volumes', volume, 'projected', 'sources'] as const;
  const isThere = { template: 'deployment', when: ({ caBundle }: RenderValues) => caBundle !== undefined } as const;
  return [
    { ...isThere, path: [...sources, at, 'secret', 'items', 2], action: 'remove' },
    {
      ...isThere,
      path: sources,
      action: 'append',
      value: ({ caBundle }) =>
        caBundle && {
          [caBundle.kind === 'Secret' ? 'secret' : 'configMap']: {
            name: caBundle.name,
            ...optional,
            items: [{ key: caBundle.key, path }],
          },
        },
    },
  ];
}
