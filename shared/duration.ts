/** A length of time in a word or two, as people say it. */

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** @param ms negative counts as 0. @returns `40 ms`, `4.2 s`, `38 s`, `4 min`, `3 h 5 min`, `6 d` */
export function inWords(ms: number): string {
  const length = Math.max(0, ms)
  if (length < SECOND) return `${Math.round(length)} ms`
  if (length < 10 * SECOND) return `${(length / SECOND).toFixed(1)} s`
  if (length < MINUTE) return `${Math.floor(length / SECOND)} s`
  if (length < HOUR) return `${Math.floor(length / MINUTE)} min`
  if (length < DAY) {
    const minutes = Math.floor((length % HOUR) / MINUTE)
    return `${Math.floor(length / HOUR)} h${minutes > 0 && length < 10 * HOUR ? ` ${minutes} min` : ''}`
  }
  return `${Math.floor(length / DAY)} d`
}
