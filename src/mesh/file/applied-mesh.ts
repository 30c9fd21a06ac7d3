import type { StillEnabled } from '../enable/staying.ts';
import type { Step } from '../plan/plan.ts';
import type { NamedDial } from './topology.ts';

/** What was done to bring clusters to what their files say. */
export interface AppliedMesh {
  /** By name, with its Service's addresses. */
  enabled: readonly { cluster: string; context: string; endpoints: readonly string[] }[];
  connections: readonly { from: string; to: string; credential: string; endpoints: readonly string[] }[];
  /** Dials that ended. */
  parted: readonly NamedDial[];
  /** Dials of clusters to which no context leads: they are let in no more, and nobody has told them. */
  shutOut: readonly NamedDial[];
  /** Names of clusters that have left. */
  disabled: readonly string[];
  /** Those that were to be disabled, and have Cluster Mesh all the same. */
  stillEnabled: readonly ({ cluster: string } & StillEnabled)[];
  steps: readonly Step[];
  warnings: readonly string[];
  /** Whether all of it was seen to have taken effect: every clustermesh-apiserver is up, and who was pruned is shut out. */
  verified: boolean;
  /** Whether some of that was seen not to have, which is more than not seen. */
  failed: boolean;
}
