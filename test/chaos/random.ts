// The one source of chance: a small generator (mulberry32), forked by name, so that what one part draws does not
// depend on how often another one did. The same seed gives the same plan.

export interface Random {
  /** From [0, 1). */
  next(): number
  /** Whole, from 0 to n − 1. */
  below(n: number): number
  between(from: number, to: number): number
  chance(share: number): boolean
  pick<T>(from: readonly [T, ...T[]]): T
  fork(name: string): Random
}

export function createRandom(seed: number | string): Random {
  let state = digest(String(seed))
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number) => Math.floor(next() * n)
  return {
    next,
    below,
    between: (from, to) => from + next() * (to - from),
    chance: (share) => next() < share,
    pick: (from) => from[below(from.length)] ?? from[0],
    fork: (name) => createRandom(`${seed}/${name}`),
  }
}

/** FNV-1a */
function digest(text: string): number {
  let hash = 0x811c9dc5
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193)
  return hash
}
