/** How far another clock is from ours, and what that breaks. */
import { type Finding, fault, ok, spanOf, warning } from './finding.ts'

/** From here on it is worth a line, ms: windows in which runs are looked for have margins of this size. */
const OFF_MS = 30_000
/** From here on GitHub refuses what is signed by this machine's clock, and webhooks count as old, ms. */
const FAR_OFF_MS = 5 * 60_000

/** @param aheadMs of that clock before ours; @param toleranceMs it may be told in whole seconds */
export function judgeClock(name: string, whose: string, aheadMs: number, toleranceMs: number): Finding {
  const off = Math.max(0, Math.abs(aheadMs) - toleranceMs)
  const words = `${whose} clock is ${spanOf(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} this machine's`
  const mend = `set the clocks by NTP (timedatectl set-ntp true), on this machine${whose === "GitHub's" ? '' : ' and on that of Redis'}`
  if (off >= FAR_OFF_MS) return fault(name, words, mend)
  if (off >= OFF_MS) return warning(name, words, mend)
  return ok(name, off < 1_000 ? `${whose} clock agrees with this machine's` : words)
}
