/** A connection that `status` calls broken. */
export interface BrokenLink {
  /** The cluster that is dialled, by name. */
  peer: string;
  /**
   * `disconnected`: not all nodes are connected, and one of them knows nothing of the peer. `lost`: not all are, and each still uses
   * the backends that it last heard of. `unknown`: some gave no answer in time. `at-risk`: they are, and would not come back, hear of no
   * change, or get no answers.
   */
  state: 'disconnected' | 'lost' | 'unknown' | 'at-risk';
  /** Of a `disconnected` one: how many nodes use backends there all the same; absent where that is none. */
  using?: number | undefined;
  /** Why, in one clause. */
  reason: string;
  /**
   * Nodes are connected to what hears nothing of the peer any more, as the cache of a KVStoreMesh that has lost it, or go on by
   * themselves: they use the backends that were last heard of. Always so of a `lost` one.
   */
  unheard?: true | undefined;
  /** Of one at risk: no request that goes over it is answered, as things are. */
  unanswered?: true | undefined;
}

/** Whether nodes use the backends that they last heard of, which may be others by now. */
export function isUnheard({ state, unheard }: Pick<BrokenLink, 'state' | 'unheard'>): boolean {
  return state === 'lost' || unheard === true;
}

/** Whether nodes are not connected, whatever they still use. */
export function isUnconnected({ state }: Pick<BrokenLink, 'state'>): boolean {
  return state === 'disconnected' || state === 'lost';
}
