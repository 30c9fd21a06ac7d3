/** A connection that `status` calls broken. */
export interface BrokenLink {
  /** The cluster that is dialled, by name. */
  peer: string;
  /** `disconnected`: not all nodes are connected. `at-risk`: they are, and would not come back, hear of no change, or get no answers. */
  state: 'disconnected' | 'at-risk';
  /** Why, in one clause. */
  reason: string;
  /** Of one at risk: no request that goes over it is answered, as things are. */
  unanswered?: true | undefined;
}
