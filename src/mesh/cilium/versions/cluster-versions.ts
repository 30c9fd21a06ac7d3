import type { ProgramVersion, RunningVersion } from './versions.ts';

/** That of most pods that run; of none, or where they may not be read (`pods` is absent), the one that the Deployment has. */
export interface ApiserverVersion extends ProgramVersion {
  pods?: number | undefined;
  /** What else runs. */
  others?: readonly RunningVersion[] | undefined;
  /** What the Deployment has, where a pod of another version runs. */
  wanted?: ProgramVersion | undefined;
}

/** The versions that run in one cluster. */
export interface ClusterVersions {
  context: string;
  /** Its name in the mesh; absent without Cilium. */
  cluster?: string | undefined;
  /** Of the API server, e.g. `v1.36.1`. */
  kubernetes: string;
  /** Those that run now, most pods first; absent where pods may not be read. */
  agents?: readonly RunningVersion[] | undefined;
  /** Agents that do not run, or are not ready, of versions that none has which does; absent where there is none. */
  waiting?: readonly RunningVersion[] | undefined;
  /** What their DaemonSet has, where no agent has that version, be it one which does not run. */
  held?: ProgramVersion | undefined;
  /** Absent where there is none. */
  apiserver?: ApiserverVersion | undefined;
  /** The one in the clustermesh-apiserver's pods. */
  etcd?: ProgramVersion | undefined;
  /** Absent without a clustermesh-apiserver. */
  kvstoremesh?: boolean | undefined;
  /** Who makes them, for people, e.g. `Helm release cilium` or `meshctl`; absent where nothing tells. */
  madeBy?: { cilium?: string; apiserver?: string; unread?: readonly string[] } | undefined;
  /** What else may not be read, e.g. `Deployment kube-system/clustermesh-apiserver`; absent where all was. */
  unread?: readonly string[] | undefined;
}
