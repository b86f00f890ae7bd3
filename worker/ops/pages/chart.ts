/** Small charts as SVG: what they show is said in words as well, for those who can't see them. */
import { inWords } from '../../../shared/duration.ts'
import { type Html, html } from '../../../shared/html.ts'

const WIDTH = 320
const HEIGHT = 72

export interface Hour {
  /** Its begin, ms since the epoch. */
  hour: number
  good: number
  bad: number
}

/** A bar an hour: the good ones from below, the bad ones on top of them. */
export function hourBars(hours: readonly Hour[], label: string): Html {
  const most = Math.max(1, ...hours.map(({ good, bad }) => good + bad))
  const step = WIDTH / Math.max(1, hours.length)
  const high = (count: number) => (count / most) * (HEIGHT - 4)
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}" preserveAspectRatio="none">
<line class="axis" x1="0" y1="${HEIGHT}" x2="${WIDTH}" y2="${HEIGHT}"/>
${hours.map(({ hour, good, bad }, i) => {
  const [x, width] = [(i * step + 1).toFixed(1), (step - 2).toFixed(1)]
  const clock = new Date(hour).toISOString().slice(11, 16)
  return html`<g><title>${clock} UTC: ${good} good, ${bad} bad</title>
<rect class="hit" x="${x}" y="0" width="${width}" height="${HEIGHT}"/>
<rect class="good" x="${x}" y="${(HEIGHT - high(good)).toFixed(1)}" width="${width}" height="${high(good).toFixed(1)}"/>
<rect class="bad" x="${x}" y="${(HEIGHT - high(good) - high(bad)).toFixed(1)}" width="${width}" height="${high(bad).toFixed(1)}"/></g>`
})}
</svg>`
}

export interface Dot {
  ms: number
  title: string
  href: string
}

/** A dot a promotion, the oldest on the left, its time on a logarithmic scale from 10 ms to an hour and more. */
export function timeDots(dots: readonly Dot[], label: string): Html {
  const [low, top] = [Math.log10(10), Math.log10(Math.max(3_600_000, ...dots.map(({ ms }) => ms)))]
  const y = (ms: number) => HEIGHT - 4 - ((Math.log10(Math.max(10, ms)) - low) / (top - low)) * (HEIGHT - 8)
  const step = WIDTH / Math.max(1, dots.length)
  const lines = [1_000, 60_000, 3_600_000]
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">
${lines.map(
  (ms) => html`<line class="grid" x1="0" y1="${y(ms).toFixed(1)}" x2="${WIDTH}" y2="${y(ms).toFixed(1)}"/>
<text x="${WIDTH}" y="${(y(ms) + 9).toFixed(1)}" text-anchor="end">${inWords(ms)}</text>`,
)}
${dots.map(
  ({ ms, title }, i) =>
    html`<circle cx="${((i + 0.5) * step).toFixed(1)}" cy="${y(ms).toFixed(1)}" r="2.2"><title>${title}: ${inWords(ms)}</title></circle>`,
)}
</svg>`
}
