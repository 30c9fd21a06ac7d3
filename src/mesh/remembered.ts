/**
 * The same as `work`, which must be pure, without doing it again for what it was given lately. For what is read over and over
 * in one run: a peering file by every check that is about it, a CA that stands in most of a cluster's Secrets.
 * @param most how many answers are kept; then the oldest go
 * @param by what an input is known by, where it is not to stay in memory itself (keys) or is not comparable
 */
export function remembered<In, Out>(
  work: (given: In) => Out,
  most: number,
  by: (given: In) => unknown = (given) => given,
): (given: In) => Out {
  const known = new Map<unknown, Out>();
  return (given) => {
    const key = by(given);
    if (known.has(key)) return known.get(key) as Out;
    const made = work(given);
    if (known.size >= most) known.delete(known.keys().next().value);
    known.set(key, made);
    return made;
  };
}

/** The same for what is known by itself: an object is not judged again for as long as somebody holds it. */
export function rememberedOf<In extends object, Out>(work: (given: In) => Out): (given: In) => Out {
  const known = new WeakMap<In, { made: Out }>();
  return (given) => {
    const { made } = known.get(given) ?? { made: work(given) };
    known.set(given, { made });
    return made;
  };
}
