/** Of some figures, in any order: the one that so many percent are not above. NaN of none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return percentile(values, 50)
}

/** `120 (110-131)`: the median of several rounds, the smallest and the largest. */
export function withSpread(values: readonly number[]): string {
  return `${short(median(values))} (${short(Math.min(...values))}-${short(Math.max(...values))})`
}

/** Three digits that matter. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const digits = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)))
  return digits >= 2
    ? Math.round(value).toLocaleString('en')
    : value.toFixed(Math.min(3, 2 - digits)).replace(/\.?0+$/, '')
}
