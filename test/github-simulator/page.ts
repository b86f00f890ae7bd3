// The pages for people: the newest runs, and one page a run. Each says that nothing here is real.

import { toSecond } from './run-object.ts'
import type { Settings } from './settings.ts'
import type { SimulatedRun } from './simulated-run.ts'

const NEWEST = 50
const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
  .simulated { background: #fff3bf; color: #5c3c00; padding: .5rem 1rem; border-radius: .4rem; font-weight: 600 }
  table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .6rem .3rem 0 }
  th, td { border-bottom: 1px solid #ddd; overflow-wrap: anywhere }
`

export function runsPage(runs: readonly SimulatedRun[], settings: Settings): string {
  const name = `${settings.owner}/${settings.repo}`
  const newest = runs.slice(-NEWEST).reverse()
  const rows = newest.map((run) => {
    const link = `<a href="/${escaped(name)}/actions/runs/${run.id}">${escaped(run.displayTitle)}</a>`
    return row([
      link,
      escaped(run.workflow),
      escaped(run.ref),
      escaped(stateOf(run)),
      toSecond(run.createdAt),
    ])
  })
  const table =
    rows.length === 0
      ? '<p>No run yet.</p>'
      : `<table><tr><th>Run<th>Workflow<th>Ref<th>State<th>Created</tr>${rows.join('')}</table>`
  return page(`${name}: ${runs.length} runs`, table)
}

export function runPage(run: SimulatedRun): string {
  const facts: [string, string][] = [
    ['State', stateOf(run)],
    ['Run', `${run.id} (number ${run.runNumber}, attempt ${run.runAttempt})`],
    ['Workflow', run.workflow],
    ['Ref', run.ref],
    ['Created', toSecond(run.createdAt)],
    ['Updated', toSecond(run.updatedAt)],
    ...Object.entries(run.inputs).map(([name, value]): [string, string] => [`Input ${name}`, value]),
  ]
  const rows = facts.map(([name, value]) => row([escaped(name), escaped(value)]))
  return page(run.displayTitle, `<table>${rows.join('')}</table><p><a href="/">All runs</a></p>`)
}

function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta http-equiv="refresh" content="3"><meta name="viewport" content="width=device-width">
<title>SIMULATED: ${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<p class="simulated">SIMULATED: this is not GitHub. Nothing is deployed by these runs.</p>
<h1>${escaped(title)}</h1>
${content}
</body>
</html>
`
}

function stateOf(run: SimulatedRun): string {
  return run.conclusion ?? run.status
}

function row(cells: string[]): string {
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
