import { imageOf } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import type { AgentFacts, ClusterSnapshot } from '../cluster-snapshot.ts';
import { type OptionPlace, optionName, optionWith } from '../enable/option-name.ts';
import { MeshctlError } from '../errors.ts';
import { ciliumMissing } from './cilium-missing.ts';
import { isOn } from './datapath.ts';
import type { CiliumConfig } from './known-keys.ts';
import {
  apiserverImageFor,
  type CiliumVersion,
  checkSupported,
  compareMinors,
  compareVersions,
  formatVersion,
  supportedRange,
  versionOfAgents,
  versionOfImage,
  withKnownVersion,
} from './versions/versions.ts';

/** Settings of an installed Cilium that its clustermesh-apiserver has to share. */
export interface CiliumSettings {
  /** `debug`. */
  debug: boolean;
  /** `clustermesh-enable-mcs-api`: the Multi-Cluster Services API. */
  mcsApi: boolean;
  /** `enable-cilium-endpoint-slice`. */
  endpointSlices: boolean;
  /** `clustermesh-default-global-namespace`: whether a namespace that does not say is global. */
  defaultGlobalNamespace: boolean;
  /** `clustermesh-cache-ttl`, a Go duration: how long KVStoreMesh keeps what it has of a lost peer. */
  cacheTtl: string;
}

/** What is deployed beside an installed Cilium. */
export interface CiliumInstall {
  version: CiliumVersion;
  /** The version is newer than all that meshctl's templates were compared with. */
  untested: boolean;
  /** The clustermesh-apiserver's image. */
  apiserverImage: string;
  settings: CiliumSettings;
}

/** The settings of Cilium's chart when nothing else is said. */
export const DEFAULT_SETTINGS: CiliumSettings = {
  debug: false,
  mcsApi: false,
  endpointSlices: false,
  defaultGlobalNamespace: true,
  cacheTtl: '0s',
};

/** The settings in ConfigMap cilium-config, with the chart's defaults for absent keys. */
export function ciliumSettingsOf(ciliumConfig: CiliumConfig): CiliumSettings {
  return {
    debug: isOn(ciliumConfig, 'debug', DEFAULT_SETTINGS.debug),
    mcsApi: isOn(ciliumConfig, 'clustermesh-enable-mcs-api', DEFAULT_SETTINGS.mcsApi),
    endpointSlices: isOn(ciliumConfig, 'enable-cilium-endpoint-slice', DEFAULT_SETTINGS.endpointSlices),
    defaultGlobalNamespace: isOn(
      ciliumConfig,
      'clustermesh-default-global-namespace',
      DEFAULT_SETTINGS.defaultGlobalNamespace,
    ),
    cacheTtl: ciliumConfig['clustermesh-cache-ttl'] ?? DEFAULT_SETTINGS.cacheTtl,
  };
}

/**
 * The version, image and settings for a clustermesh-apiserver beside the Cilium of a snapshot: of the oldest agents that run, whatever
 * their DaemonSet has by now; or of newer ones that run, where it has come to their version already.
 * @param overrides for agents whose image has no version tag or no sibling: `version`, `apiserverImage`
 * @throws MeshctlError `CiliumMissing` without Cilium; `Usage` for another version than that of the agents' image; `CiliumUnsupported` when the version is too old, or neither the
 * image nor an agent nor `overrides` tell it
 */
export function readCiliumInstall(
  snapshot: ClusterSnapshot,
  overrides: OptionPlace & { version?: CiliumVersion | undefined; apiserverImage?: string | undefined } = {},
): CiliumInstall {
  const { context, agent, ciliumConfig } = snapshot;
  if (agent === undefined || ciliumConfig === undefined) throw ciliumMissing(snapshot);
  const beside = agentsBeside(snapshot, agent);
  const runs = versionOfImage(beside.image);
  if (runs && overrides.version && compareVersions(runs, overrides.version) !== 0) {
    throw new MeshctlError(
      'Usage',
      `context "${context}": ${optionWith('ciliumVersion', formatVersion(overrides.version), overrides)} differs from what runs there, which is Cilium ${formatVersion(runs)} (${beside.image})`,
      {
        hint: `Leave ${optionName('ciliumVersion', overrides)} out: it is for agents whose image does not tell their version.`,
      },
    );
  }
  const told = overrides.version ?? beside.version;
  const version = told ?? runs;
  const apiserverImage = overrides.apiserverImage ?? apiserverImageFor(beside.image, told);
  if (version === undefined || apiserverImage === undefined) {
    const unknown = version === undefined ? "Cilium's version" : 'the clustermesh-apiserver image';
    throw new MeshctlError(
      'CiliumUnsupported',
      `context "${context}": ${unknown} cannot be determined from the agents' image ${beside.image}${version === undefined ? ', and no agent told it' : ''} (supported: Cilium ${supportedRange()})`,
      {
        hint:
          version === undefined
            ? `Give it with ${optionName('ciliumVersion', overrides)}, e.g. 1.20.0.`
            : `Give it with ${optionName('image', overrides)}.`,
        details: { context, image: beside.image },
      },
    );
  }
  const { untested } = checkSupported(version, `context "${context}": `);
  return { version, untested, apiserverImage, settings: ciliumSettingsOf(ciliumConfig) };
}

/**
 * The agents with which a clustermesh-apiserver goes: the oldest. But one that has come to a minor which newer agents run stays at it:
 * for an agent that is late, or whose node is dead, it is not taken back. Where the DaemonSet was put back, it is.
 */
function agentsBeside(snapshot: ClusterSnapshot, agent: AgentFacts): Pick<AgentFacts, 'image' | 'version'> {
  const { startsWith, running = [] } = agent;
  const oldest = versionOfAgents(agent);
  const live = versionOfImage(imageOf(apiserverDeployment(snapshot)) ?? '');
  const next = versionOfImage(startsWith ?? '');
  if (startsWith === undefined || !oldest || !live || !next || compareVersions(live, oldest) <= 0) return agent;
  const [newest] = withKnownVersion(running)
    .filter(({ version }) => compareMinors(version, live) === 0 && compareVersions(version, oldest) > 0)
    .filter(({ version }) => compareVersions(version, next) <= 0)
    .toSorted((a, b) => compareVersions(b.version, a.version));
  if (!newest) return agent;
  // A mirror may have it by another name: that of the DaemonSet is the one which was chosen.
  if (compareVersions(newest.version, next) === 0) return { image: startsWith };
  return versionOfImage(newest.image) ? { image: newest.image } : newest;
}
