import { MeshctlError } from '../../mesh/errors.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import type { VirtualNetwork } from '../pods/network.ts';
import { parseRules } from '../pods/rule-text.ts';
import type { Controller } from './controller.ts';

/** The sandbox's own kind: a rule of its network, by which `sandbox break` and `mend` reach it while it runs. */
export const NETWORK_RULE = { apiVersion: 'sandbox.meshctl.io/v1', kind: 'NetworkRule' } as const;

/** The object of a rule in its text form, one direction. */
export function networkRuleObject(text: string): KubeObject {
  // An object's name has no signs; two rules are told apart by them, so they stay as letters.
  const name = text.replace(/[^a-z0-9.-]/g, (sign) => `.${NAMES_OF_SIGNS[sign] ?? 'x'}.`);
  return { ...NETWORK_RULE, metadata: { name }, spec: { rule: text } };
}

const NAMES_OF_SIGNS: Readonly<Record<string, string>> = { ':': 'is', '>': 'to', '/': 'on' };

/** The text of a rule's object. */
export function ruleTextOf({ spec }: KubeObject): string {
  return String((spec as { rule?: unknown } | undefined)?.rule ?? '');
}

/** Lets the network follow the objects; one that is no rule does nothing. */
export function createNetworkRuleController(network: VirtualNetwork): Controller {
  return ({ type, object }) => {
    if (object.kind !== NETWORK_RULE.kind || object.apiVersion !== NETWORK_RULE.apiVersion) return;
    for (const rule of rulesIn(ruleTextOf(object))) {
      if (type === 'DELETED') network.removeRule(rule.id);
      else network.addRule(rule);
    }
  };
}

function rulesIn(text: string) {
  try {
    return parseRules(text);
  } catch (error) {
    if (error instanceof MeshctlError) return [];
    throw error;
  }
}
