import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { type JsonObject, objectAt, objectsAt, valueAt } from '../fields/json.ts';

/** One column: a heading and how an object fills it. Columns of priority 1 show with `-o wide`. */
export interface Column {
  name: string;
  type?: string;
  format?: string;
  priority?: number;
  cell: (object: KubeObject, now: Date) => unknown;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
export const NONE = '<none>';

/** A span as kubectl shows it: `5s`, `3m20s`, `12m`, `5h3m`, `3d4h`, `40d`. */
function humanDuration(seconds: number): string {
  const [minutes, hours, days] = [Math.floor(seconds / MINUTE), Math.floor(seconds / HOUR), Math.floor(seconds / DAY)];
  const pair = (whole: string, rest: number, unit: string): string => (rest > 0 ? `${whole}${rest}${unit}` : whole);
  if (seconds < 2 * MINUTE) return `${Math.max(0, Math.floor(seconds))}s`;
  if (minutes < 10) return pair(`${minutes}m`, Math.floor(seconds % MINUTE), 's');
  if (hours < 3) return `${minutes}m`;
  if (hours < 8) return pair(`${hours}h`, minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  if (days < 8) return pair(`${days}d`, hours % 24, 'h');
  return `${days}d`;
}

export function since(time: unknown, now: Date): string {
  const from = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return Number.isNaN(from) ? '<unknown>' : humanDuration((now.getTime() - from) / 1000);
}

export const text = (value: unknown, absent = NONE): string =>
  value === undefined || value === null || value === '' ? absent : String(value);

export const NAME: Column = { name: 'Name', format: 'name', cell: (object) => object.metadata.name };
export const AGE: Column = { name: 'Age', cell: (object, now) => since(object.metadata.creationTimestamp, now) };

export const at = (name: string, path: string, options: Partial<Column> = {}): Column => ({
  name,
  ...options,
  cell: (object) => text(valueAt(object, ...path.split('.'))),
});
export const count = (name: string, path: string): Column => ({
  name,
  type: 'integer',
  cell: (object) => Number(valueAt(object, ...path.split('.')) ?? 0),
});
export const wide = (column: Column): Column => ({ ...column, priority: 1 });

/** The pod spec in a workload's template. */
export const podSpecOf = (object: KubeObject): JsonObject | undefined => objectAt(object, 'spec', 'template', 'spec');
export const CONTAINERS: Column = wide({
  name: 'Containers',
  cell: (object) =>
    text(
      objectsAt(podSpecOf(object), 'containers')
        .map((container) => container.name)
        .join(','),
    ),
});
export const IMAGES: Column = wide({
  name: 'Images',
  cell: (object) =>
    text(
      objectsAt(podSpecOf(object), 'containers')
        .map((container) => container.image)
        .join(','),
    ),
});
/** Labels or a selector as `a=b,c=d`. */
export const labelsText = (labels: JsonObject | undefined): string =>
  text(
    Object.entries(labels ?? {})
      .map(([key, value]) => `${key}=${String(value)}`)
      .join(','),
  );
export const SELECTOR: Column = wide({
  name: 'Selector',
  cell: (object) => labelsText(objectAt(object, 'spec', 'selector', 'matchLabels')),
});
