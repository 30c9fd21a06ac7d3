import { type CiliumVersion, compareVersions, parseVersion } from '../mesh/cilium/versions/versions.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';
import { CONDITIONS } from './conditions.ts';
import { TEMPLATE_NAMES, type Templates } from './load.ts';
import { patchObject } from './patch.ts';
import type { TemplateCondition, VersionRange } from './template-condition.ts';
import type { RenderValues } from './values.ts';

/**
 * The objects of Cluster Mesh for one cluster, in the order in which they are created, the Deployment last. The certificate
 * Secrets have their keys with nothing in them. Everything is as Cilium's chart would make it for that version, with
 * `app.kubernetes.io/managed-by: meshctl` in place of Helm's labels.
 */
export function renderClusterMesh(templates: Templates, values: RenderValues): KubeObject[] {
  const conditions = CONDITIONS.filter((condition) => applies(condition, values));
  return TEMPLATE_NAMES.flatMap((name) => {
    const patches = conditions.filter(({ template }) => template === name);
    if (patches.some(({ action, path }) => action === 'remove' && path.length === 0)) return [];
    const object = structuredClone(templates[name]);
    const { metadata } = object;
    if (metadata.namespace !== undefined) metadata.namespace = values.namespace;
    metadata.labels = { ...metadata.labels, 'app.kubernetes.io/managed-by': 'meshctl' };
    for (const patch of patches) patchObject(object, patch, values);
    return [object];
  });
}

function applies({ versions, when }: TemplateCondition, values: RenderValues): boolean {
  const inRange = versions === undefined || versions.some((range) => contains(range, values.ciliumVersion));
  return inRange && (when === undefined || when(values));
}

function contains({ since, until }: VersionRange, version: CiliumVersion): boolean {
  return (
    (since === undefined || compareVersions(version, boundary(since)) >= 0) &&
    (until === undefined || compareVersions(version, boundary(until)) < 0)
  );
}

function boundary(text: string): CiliumVersion {
  const version = parseVersion(text);
  if (version === undefined) throw new MeshctlError('Bug', `"${text}" in the table of conditions is not a version`);
  return version;
}
