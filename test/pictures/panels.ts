/** Panels of a Grafana dashboard as a page: each in its place, with what its own queries have answered. */
export interface Series {
  name: string
  labels: Record<string, string>
  /** Seconds since the epoch, and the value. */
  points: (readonly [at: number, value: number])[]
}

export interface Drawn {
  type: string
  title: string
  gridPos: { x: number; y: number; w: number; h: number }
  fieldConfig?: {
    defaults: { unit?: string; thresholds?: { steps: { color: string; value: number | null }[] } }
  }
  series: Series[]
}

const COLUMNS = 24
const ROW_PX = 38
const COLOURS = ['#7eb26d', '#eab839', '#6ed0e0', '#ef843c', '#e24d42', '#1f78c1', '#ba43a9', '#705da0']
const NAMED: Record<string, string> = {
  green: '#37872d',
  orange: '#b8620c',
  yellow: '#a88a00',
  red: '#ad2a2a',
  blue: '#1f60c4',
}

export function pageOf(panels: readonly Drawn[], widthPx: number): string {
  const rows = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h))
  const boxes = panels.map((panel) => {
    const { x, y, w, h } = panel.gridPos
    const place = `left:${(x / COLUMNS) * 100}%;top:${y * ROW_PX}px;width:calc(${(w / COLUMNS) * 100}% - 8px);height:${h * ROW_PX - 8}px`
    if (panel.type === 'row') return `<h2 style="${place}">${escaped(panel.title)}</h2>`
    const size = { width: (w / COLUMNS) * (widthPx - 24) - 32, height: h * ROW_PX - 62 }
    const ground = panel.type === 'stat' ? `;background:${colourOf(panel)}` : ''
    return `<section class="${panel.type}" style="${place}${ground}"><h3>${escaped(panel.title)}</h3>${contentOf(panel, size)}</section>`
  })
  return `<!doctype html><meta charset="utf-8"><style>
    body { margin: 12px; background: #111217; color: #ccccdc; font: 13px system-ui, sans-serif }
    main { position: relative; height: ${rows * ROW_PX}px }
    section, h2 { position: absolute; box-sizing: border-box; margin: 0 }
    section { background: #181b1f; border-radius: 3px; padding: 8px 12px; overflow: hidden }
    h2 { font-size: 15px; padding: 10px 2px } h3 { font-size: 13px; font-weight: 500; margin: 0 0 4px }
    .stat p { font-size: 34px; font-weight: 600; margin: 22px 0 0; text-align: center; color: #fff }
    .stat p + p, .stat p:has(+ p) { font-size: 22px; margin-top: 10px }
    ul { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 2px 0 0; padding: 0; font-size: 11px }
    i { display: inline-block; width: 12px; height: 3px; margin-right: 5px; vertical-align: middle }
    table { width: 100%; border-collapse: collapse } td, th { text-align: left; padding: 4px 8px; border-bottom: 1px solid #2c3235 }
  </style><main>${boxes.join('\n')}</main>`
}

function contentOf(panel: Drawn, size: { width: number; height: number }): string {
  if (panel.series.length === 0) return '<p>no data</p>'
  if (panel.type === 'stat')
    return panel.series
      .map(
        ({ name, points }) =>
          `<p>${escaped(panel.series.length > 1 ? `${name} ` : '')}${written(points.at(-1)?.[1], unitOf(panel))}</p>`,
      )
      .join('')
  return panel.type === 'table' ? tableOf(panel.series) : chartOf(panel, size)
}

function chartOf(panel: Drawn, { width, height }: { width: number; height: number }): string {
  const unit = unitOf(panel)
  const all = panel.series.flatMap(({ points }) => points)
  const [from, to] = [Math.min(...all.map(([at]) => at)), Math.max(...all.map(([at]) => at))]
  const top = Math.max(...all.map(([, value]) => value), unit === 'percentunit' ? 1 : 0) || 1
  const plot = { left: 46, width: width - 50, height: height - 34 }
  const x = (at: number) => plot.left + ((at - from) / (to - from || 1)) * plot.width
  const y = (value: number) => 6 + (1 - value / top) * plot.height
  const lines = panel.series.map(
    ({ points }, n) =>
      `<polyline fill="none" stroke-width="1.5" stroke="${COLOURS[n % COLOURS.length]}" points="${points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ')}"/>`,
  )
  const marks = [0, 0.5, 1].map(
    (share) =>
      `<line x1="${plot.left}" x2="${plot.left + plot.width}" y1="${y(share * top)}" y2="${y(share * top)}" stroke="#2c3235"/><text x="${plot.left - 6}" y="${y(share * top) + 4}" text-anchor="end" font-size="11" fill="#8e8e9c">${written(share * top, unit)}</text>`,
  )
  const legend = panel.series.map(
    ({ name }, n) => `<li><i style="background:${COLOURS[n % COLOURS.length]}"></i>${escaped(name)}</li>`,
  )
  return `<svg width="${width}" height="${height - 20}">${marks.join('')}${lines.join('')}</svg><ul>${legend.join('')}</ul>`
}

function tableOf(series: readonly Series[]): string {
  // A version that is live no more has no value at the end.
  const last = Math.max(...series.map(({ points }) => points.at(-1)?.[0] ?? 0))
  const present = series.filter(({ points }) => last - (points.at(-1)?.[0] ?? 0) < 3)
  const rows = present.map(
    ({ labels: { model = '', environment = '', version = '' } }) =>
      `<tr><td>${escaped(model)}<td>${escaped(environment)}<td>${escaped(version)}`,
  )
  return `<table><tr><th>model<th>environment<th>version${rows.sort().join('')}</table>`
}

const unitOf = ({ fieldConfig }: Drawn) => fieldConfig?.defaults.unit ?? 'none'

function colourOf({ fieldConfig, series }: Drawn): string {
  const value = series[0]?.points.at(-1)?.[1]
  if (value === undefined) return '#181b1f'
  const steps = fieldConfig?.defaults.thresholds?.steps ?? []
  const step = steps.filter((one) => one.value === null || value >= one.value).at(-1)
  return NAMED[step?.color ?? ''] ?? '#181b1f'
}

function written(value: number | undefined, unit: string): string {
  if (value === undefined) return 'no data'
  if (unit === 'percentunit') return `${(value * 100).toFixed(value === 1 ? 0 : 1)} %`
  if (unit === 's') return value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(1)} s`
  return String(Math.round(value * 10) / 10)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
