import { ADDRESS_CHECKS } from './addresses.ts';
import { AGENT_CHECKS } from './agents.ts';
import { COMBINATION_CHECKS } from './combinations.ts';
import { CONFIG_CHECKS } from './config.ts';
import { EXPOSURE_CHECKS } from './exposure.ts';
import { IDENTITY_CHECKS } from './identity.ts';
import { MESH_SIZE_CHECKS } from './mesh-size.ts';
import type { Check, Finding } from './shared/check.ts';
import { VERSION_CHECKS } from './versions.ts';

/** Whether clusters can be of one mesh: all of it can be judged before anything is written. */
export const COMPATIBILITY_CHECKS: readonly Check[] = [
  ...IDENTITY_CHECKS,
  ...MESH_SIZE_CHECKS,
  ...AGENT_CHECKS,
  ...CONFIG_CHECKS,
  ...COMBINATION_CHECKS,
  ...VERSION_CHECKS,
  ...ADDRESS_CHECKS,
  ...EXPOSURE_CHECKS,
];

/** What fails for single nodes only, while the others can be connected. */
const OF_SINGLE_NODES: readonly string[] = ['node-address-overlap'];

/** Findings as connect takes them: what concerns single nodes does not stop it, but is said. */
export function forConnect(findings: readonly Finding[]): Finding[] {
  return findings.map((finding) =>
    finding.severity === 'fail' && OF_SINGLE_NODES.includes(finding.id) ? { ...finding, severity: 'warn' } : finding,
  );
}
