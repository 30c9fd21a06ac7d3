import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type AddressRange, parseCidr } from './cidr.ts';
import { maskedFamilies, rangeOption, unmaskedRanges } from './datapath.ts';
import { hasAddressesOfCloud } from './pod-ranges.ts';

/** A range for whose addresses a cluster's pods keep their own. */
export interface UnmaskedRange {
  /** The option that sets it; one that is not set is taken from the cloud. */
  option: string;
  /** In words: the option, or what stands for it. */
  name: string;
  cidr: string;
  range: AddressRange;
}

/** For which addresses a cluster's pods keep their own, by what is set, and else by its cloud's network; that is of IPv4 only. */
export function unmaskedRangesOf({
  ciliumConfig: config = {},
  networkCidrs = [],
}: Pick<ClusterSnapshot, 'ciliumConfig' | 'networkCidrs'>): UnmaskedRange[] {
  const set = unmaskedRanges(config).map((one) => ({ ...one, name: one.option }));
  const option = rangeOption(4);
  // There an agent takes the primary range of its network (VPC) where the option is not set (Cilium's pkg/ipam/crd.go, pkg/ipam/eni.go).
  const isDetected = hasAddressesOfCloud(config) && maskedFamilies(config).includes(4) && config[option] === undefined;
  if (!isDetected) return set;
  const detected = networkCidrs.flatMap((cidr) => {
    const range = parseCidr(cidr);
    return range ? [{ option, name: 'the range of its VPC', cidr, range }] : [];
  });
  return [...set, ...detected];
}
