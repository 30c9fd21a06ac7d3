import type { ClusterClient } from '../../kube/client.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { ChosenNode, ProbedCluster, ProbePlace } from '../../mesh/probe/places.ts';

export type ProbeVerb = 'watch' | 'send' | 'collect';

const EXEC_MS = 30_000;

/** A place where the probe's program can be run. */
export interface Station {
  place: ProbePlace;
  /**
   * Runs one verb of the program.
   * @param words what follows the token
   * @param signal instead of the run's own
   * @returns what it writes
   * @throws MeshctlError where it cannot be run, or fails
   */
  run(verb: ProbeVerb, words: readonly string[], signal?: AbortSignal): Promise<string>;
}

/** What a cluster is probed from. */
export interface ProbeSite {
  client: ClusterClient;
  snapshot: ClusterSnapshot;
  /** By which the report names it. */
  name: string;
  /** The nodes that take part, with the addresses that each is dialled at. */
  nodes: readonly ChosenNode[];
  families: readonly (4 | 6)[];
}

/** Stations, and places where there can be none. */
export interface Stations {
  via: 'pods' | 'agents';
  stations: Station[];
  /** With why. */
  failed: ProbePlace[];
  /** The commands that give the user the right to make pods, which were to be there. */
  grant?: string | undefined;
}

/** A cluster with all its places, also those where the probe does not run. */
export function probedCluster(
  { name, snapshot }: ProbeSite,
  { via, stations, failed, grant }: Stations,
): ProbedCluster {
  return { name, snapshot, via, grant, places: [...stations.map(({ place }) => place), ...failed] };
}

/** Where in a cluster the program is run, and how. */
export interface ProbeContainer {
  namespace: string;
  pod: string;
  container: string;
  /** The whole command line. @param words the verb, the token and what follows */
  command(verb: ProbeVerb, words: readonly string[]): string[];
}

/** What is common to the stations of a probe. */
export interface ProbeRun {
  /** Eight hexadecimal digits, which all packets carry. */
  token: string;
  /** What of the program each verb needs. */
  programs: Readonly<Record<ProbeVerb, string>>;
  /** The token with a number that no other watch of the probe has: some nodes share a file system. */
  nextToken(): string;
}

/** Runs the program in a container of a pod. Errors name the verb; the program's text is left out of them. */
export function runIn(
  client: ClusterClient,
  { namespace, pod, container, command }: ProbeContainer,
  token: string,
  ownSignal: AbortSignal,
): Station['run'] {
  return async (verb, words, signal = ownSignal) => {
    const argv = command(verb, [verb, token, ...words]);
    try {
      const run = { namespace, pod, container, command: argv, timeoutMs: EXEC_MS, signal };
      const { stdout, stderr, exitCode } = await client.exec(run);
      if (exitCode === 0) return stdout;
      throw new MeshctlError('ExecFailed', `${argv.join(' ')} ended with ${exitCode}: ${stderr.trim().split('\n')[0]}`);
    } catch (error) {
      if (!(error instanceof MeshctlError)) throw error;
      const { code, message, hint, details } = error;
      const short = message.replaceAll(argv.join(' '), `the probe's ${verb}`);
      const { user } = details;
      throw new MeshctlError(code, short, {
        ...(hint === undefined ? {} : { hint }),
        ...(user === undefined ? {} : { details: { user } }),
      });
    }
  };
}
