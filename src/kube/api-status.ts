import { type Shape, shaped } from './shape.ts';

/** `metav1.Status`, as far as messages need it. */
export interface KubeStatus {
  kind?: string;
  status?: string;
  message?: string;
  reason?: string;
  code?: number;
  details?: {
    name?: string;
    group?: string;
    kind?: string;
    causes?: { reason?: string; message?: string; field?: string }[];
    retryAfterSeconds?: number;
  };
}

const STATUS: Shape = {
  kind: 'text',
  status: 'text',
  message: 'text',
  reason: 'text',
  code: 'number',
  details: {
    name: 'text',
    group: 'text',
    kind: 'text',
    causes: [{ reason: 'text', message: 'text', field: 'text' }],
    retryAfterSeconds: 'number',
  },
};

/** A `Status` without what has not the type that it should have; a kubelet leaves its kind out. */
export function soundStatus(value: unknown): KubeStatus | undefined {
  return shaped(value, STATUS) as KubeStatus | undefined;
}

/** The `Status` in a body, if it is one. */
export function parseStatus(body: string): KubeStatus | undefined {
  try {
    const status = soundStatus(JSON.parse(body));
    return status?.kind === 'Status' ? status : undefined;
  } catch {
    return undefined;
  }
}
