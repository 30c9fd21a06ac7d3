import type { KubeObject } from '../../mesh/kube-object.ts';
import type { ResourceType } from './kinds.ts';

export function validateCreate(_resource: ResourceType, _object: KubeObject): void {}
export function validateUpdate(_resource: ResourceType, _before: KubeObject, _after: KubeObject): void {}
