import { readFirewallRules } from '../../../flows/network/firewall.ts';
import { nameOthers } from '../../../mesh/command-line.ts';
import { capital } from '../../../mesh/counted.ts';
import { exitOf, MeshctlError } from '../../../mesh/errors.ts';
import type { FirewallRules } from '../../../mesh/network/firewall.ts';
import { FULL_GROUP_ADVICE, fullGroups } from '../../../mesh/network/security-groups.ts';
import { firewallNft } from '../../../views/network/firewall-nft.ts';
import { firewallScript, isTool } from '../../../views/network/firewall-scripts.ts';
import { firewallTerraform } from '../../../views/network/firewall-terraform.ts';
import { firewallText } from '../../../views/network/firewall-view.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { unreachableData, warnOfMissing, withAnsweringClusters } from '../../targets/several-clusters.ts';
import type { FIREWALL } from './firewall-spec.ts';

/** `meshctl clustermesh firewall`: exit 1 when rules are missing for what is not known, 3 when only a cluster cannot be asked. */
export async function run(context: CommandContext, flags: FlagsOf<typeof FIREWALL>): Promise<CommandResult> {
  const report = await withAnsweringClusters(context, flags, (targets, silent) => {
    if (targets.length + silent.length < 2) {
      throw new MeshctlError('Usage', 'firewall rules are between clusters; only one is named', {
        hint: nameOthers('clustermesh firewall'),
      });
    }
    return readFirewallRules(context, targets, unreachableData(silent), flags.parallel);
  });
  const shown = printable(report);
  const rules = rulesIn(shown, flags.output);
  if (rules !== undefined) {
    warnOfMissing(context, shown.unreachable);
    for (const { context: name, why, hint } of shown.unknown) {
      context.progress.warn(`context "${name}": ${why}${hint === undefined ? '' : ` → ${hint}`}`);
    }
  }
  if (!OTHERS_FORMATS.includes(flags.output)) {
    for (const { context: name, says } of fullGroups(shown)) {
      context.progress.warn(`context "${name}": ${says} → ${capital(FULL_GROUP_ADVICE)}.`);
    }
  }
  return {
    kind: 'FirewallRules',
    data: { ...shown },
    text: (theme) => rules ?? firewallText(shown, theme),
    exitCode: exitOf({ failed: report.unknown.length > 0, unseen: report.unreachable.length > 0 }),
  };
}

/** Of firewalls that are no security groups of AWS. */
const OTHERS_FORMATS: readonly string[] = ['gcloud', 'az', 'nft'];

/** In a format of others' programs; undefined for any other one. */
function rulesIn(report: FirewallRules, format: string): string | undefined {
  if (isTool(format)) return firewallScript(report, format);
  if (format === 'terraform') return firewallTerraform(report);
  return format === 'nft' ? firewallNft(report) : undefined;
}
