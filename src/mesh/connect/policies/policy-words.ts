import { firstOf } from '../../counted.ts';

/** `network policy default/a`, `network policies default/a, default/b and 3 more`. @param names `namespace/name` */
export function policiesNamed(names: readonly string[]): string {
  return `network ${names.length === 1 ? 'policy' : 'policies'} ${firstOf(names)}`;
}
