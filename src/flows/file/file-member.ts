import type { FileCluster } from '../../mesh/file/mesh-spec.ts';
import type { Target } from '../flow.ts';

/** A cluster of a file, opened. */
export interface FileMember {
  target: Target;
  wanted: FileCluster;
}
