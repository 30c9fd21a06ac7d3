import { parse } from 'yaml';
import { MeshctlError } from '../mesh/errors.ts';
import type { Installation } from '../mesh/installation.ts';
import { type KubeObject, type ObjectRef, refOf } from '../mesh/objects/kube-object.ts';
import { remembered } from '../mesh/remembered.ts';

/** The files of `templates/clustermesh/`, in the order in which their objects are created. */
export const TEMPLATE_NAMES = [
  'service-account',
  'cluster-role',
  'cluster-role-binding',
  'service',
  'metrics-service',
  'server-cert',
  'admin-cert',
  'local-cert',
  'remote-cert',
  'agent-peers',
  'kvstoremesh-peers',
  'remote-users',
  'pod-disruption-budget',
  'service-monitor',
  'deployment',
] as const;

export type TemplateName = (typeof TEMPLATE_NAMES)[number];

/** The objects as they are in the files; rendering works on copies. */
export type Templates = Readonly<Record<TemplateName, KubeObject>>;

export type TemplateSource = Pick<Installation, 'read'>;

/**
 * Reads the templates of the installed package.
 * @throws MeshctlError `Bug` when one is missing or is no object: the package is damaged
 */
export async function loadTemplates(installation: TemplateSource): Promise<Templates> {
  const entries = await Promise.all(
    TEMPLATE_NAMES.map(
      async (name) => [name, await readTemplate(installation, `templates/clustermesh/${name}.yaml`)] as const,
    ),
  );
  return Object.fromEntries(entries) as Record<TemplateName, KubeObject>;
}

/** A check plans an enable for each cluster, all by the same templates. */
const objectIn = remembered((text: string) => parse(text) as KubeObject, 50);

/**
 * Reads one template; the same text gives the same object, which is not to be changed.
 * @param path in the package
 * @throws MeshctlError `Bug` when it is missing, or no YAML
 */
export async function readTemplate(installation: TemplateSource, path: string): Promise<KubeObject> {
  try {
    return objectIn(await installation.read(path));
  } catch (cause) {
    throw new MeshctlError('Bug', `the template ${path} of this package is not readable`, {
      hint: 'Reinstall meshctl.',
      cause,
    });
  }
}

/** The objects that the templates can make in a namespace, whatever the options. */
export function templateRefs(templates: Templates, namespace: string): ObjectRef[] {
  return Object.values(templates).map((template) => {
    const ref = refOf(template);
    return ref.namespace === undefined ? ref : { ...ref, namespace };
  });
}
