/** The course of a promotion as a picture: time from left to right; what it waited for, its attempts, its run. */
import { inWords } from '../../../shared/duration.ts'
import { type Html, html } from '../../../shared/html.ts'
import type { Lane, Stretch } from './course.ts'

const WIDTH = 1000
const LEFT = 84
const ROW = 34
const TOP = 22
/** Shorter ones would not be seen: an attempt of 200 ms within an hour. */
const THINNEST = 5
const LANES: readonly [Lane, string][] = [
  ['waiting', 'Waiting'],
  ['attempts', 'Attempts'],
  ['run', 'Run'],
]

export function coursePicture(course: readonly Stretch[]): Html | false {
  const [from, to] = [Math.min(...course.map((one) => one.from)), Math.max(...course.map((one) => one.to))]
  if (course.length === 0) return false
  const scale = (WIDTH - LEFT - THINNEST) / Math.max(1, to - from)
  const x = (at: number) => LEFT + (at - from) * scale
  const height = TOP + LANES.length * ROW
  const words = course
    .map(({ label, from: begin, to: end }) => `${label}, ${inWords(end - begin)}`)
    .join('; ')
  return html`<div class="course" role="group" aria-label="Course" tabindex="0"><svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="What it went through: ${words}">
${ticks(to - from).map((after) => {
  const place = x(from + after).toFixed(1)
  return html`<line class="grid" x1="${place}" y1="${TOP - 4}" x2="${place}" y2="${height}"/><text x="${place}" y="12" text-anchor="middle">${after === 0 ? 'accepted' : `+${inWords(after)}`}</text>`
})}
${LANES.map(([lane, name], row) => {
  const y = TOP + row * ROW
  return html`<text class="lane" x="0" y="${y + 20}">${name}</text>
${course
  .filter((one) => one.lane === lane)
  .map((one) => {
    const width = Math.max(THINNEST, (one.to - one.from) * scale)
    return html`<rect class="${one.tone}${one.open ? ' open' : ''}" x="${x(one.from).toFixed(1)}" y="${y + 4}" width="${width.toFixed(1)}" height="${ROW - 10}" rx="4"><title>${one.label}: ${inWords(one.to - one.from)}</title></rect>`
  })}`
})}
</svg></div>`
}

/** Round times, some four to seven of them. */
function ticks(length: number): number[] {
  const steps = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3,
    1800e3,
  ]
  const hours = [1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672, 2016].map((hour) => hour * 3600e3)
  const step = [...steps, ...hours].find((one) => length / one <= 6) ?? length
  // The last one's words would stick out.
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, i) => i * step).filter(
    (after) => after < length * 0.96 || after === 0,
  )
}
