import type { KubeObject } from '../../mesh/kube-object.ts';
import type { ResourceType } from './kinds.ts';

export function checkFields(
  _resource: ResourceType,
  _object: KubeObject,
  _query: URLSearchParams,
  _warn: (text: string) => void,
  _isApply = false,
): void {}
