import type { CiliumConfig } from '../../mesh/cilium/known-keys.ts';
import type { Store } from '../apiserver/storage/object-store.ts';
import { type ConfigMap, typeOf } from '../objects.ts';

/** The data of ConfigMap cilium-config, in whichever namespace Cilium is; empty where it is gone. */
export function ciliumConfigOf(store: Store): CiliumConfig {
  const configMaps = store.list(typeOf('ConfigMap')) as ConfigMap[];
  return configMaps.find(({ metadata }) => metadata.name === 'cilium-config')?.data ?? {};
}
