/** The description as a page to be read: one file, no script, nothing from elsewhere. */
import { createHash } from 'node:crypto'
import type { Document } from './document.ts'

// biome-ignore lint/suspicious/noExplicitAny: JSON Schema is read as it comes
type Json = any

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d8dee4, #3a424c); --soft: light-dark(#f5f7f9, #1b2027);
  --dim: light-dark(#57606a, #9aa5b1); --link: light-dark(#0b5cad, #7ab7f5); }
* { box-sizing: border-box } html { scroll-padding-top: 1rem }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; display: grid; grid-template-columns: 19rem minmax(0, 1fr);
  background: light-dark(#fff, #12161b); color: light-dark(#1f2328, #e6eaef) }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1.2rem; border-right: 1px solid var(--line);
  background: var(--soft); font-size: 14px }
nav ul { list-style: none; margin: 0 0 1rem; padding: 0 } nav li { margin: .25rem 0 }
main { padding: 1.5rem 2.5rem 6rem; max-width: 62rem }
h1 { margin: 0 } h2 { margin: 3rem 0 0; padding-bottom: .3rem; border-bottom: 1px solid var(--line) }
h3 { margin: 2.2rem 0 .3rem; font-size: 1.05rem } h4 { margin: 1.1rem 0 .3rem; font-size: .9rem; color: var(--dim) }
a { color: var(--link); text-decoration: none } a:hover, main a { text-decoration: underline }
code, pre { font: 13px/1.5 ui-monospace, monospace; background: var(--soft); border-radius: 4px }
code { padding: .1em .3em; overflow-wrap: anywhere } pre { padding: .8rem 1rem; overflow: auto; border: 1px solid var(--line) }
table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 600; color: var(--dim) }
td, th { padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; font-size: 14px }
td:first-child { white-space: nowrap; width: 13rem } td:last-child { width: 30% } .dim { color: var(--dim) } .must::after { content: " required"; color: var(--dim);
  font-size: 12px } .method { display: inline-block; min-width: 3.2em; text-align: center; border-radius: 4px; padding: 0 .4em;
  font: 600 12px/1.7 ui-monospace, monospace; color: #fff } .get { background: #2463a8 } .post { background: #2b7a3d }
.scope { float: right; font-size: 13px; font-weight: 400; color: var(--dim) }
@media (max-width: 60rem) { body { grid-template-columns: minmax(0, 1fr) } nav { position: static; height: auto } main { padding: 1.5rem }
  td:first-child { white-space: normal; width: auto } td, h3 { overflow-wrap: anywhere } }
`

/** To be sent with the page. */
export const PAGE_SECURITY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export function pageOf({ info, tags, paths, components }: Document): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation: operation as Json })),
  )
  const groups = tags.map(({ name }) => ({
    name,
    members: operations.filter(({ operation }) => operation.tags.includes(name)),
  }))
  const schemas = Object.entries(components.schemas)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(info.title)}: HTTP API</title><style>${STYLE}</style></head><body>
<nav aria-label="Contents">
${groups.map(({ name, members }) => `<strong>${escaped(name)}</strong><ul>${members.map(linkTo).join('')}</ul>`).join('\n')}
<strong>Schemas</strong><ul>${schemas.map(([name]) => `<li>${linkToSchema(name)}</li>`).join('')}</ul></nav>
<main><h1>${escaped(info.title)} <span class="dim">${escaped(info.version)}</span></h1>
${info.description
  .split('\n\n')
  .map((paragraph) => `<p>${prose(paragraph)}</p>`)
  .join('\n')}
<p>The same for machines: <a href="/openapi.json">openapi.json</a>. A bearer token goes with each request that names a scope:</p>
<pre tabindex="0">${escaped(EXAMPLE)}</pre>
${groups.map(({ name, members }) => `<h2>${escaped(name)}</h2>${members.map(section).join('\n')}`).join('\n')}
<h2>Schemas</h2>
${schemas.map(([name, schema]) => `<h3 id="${name}">${name}</h3>${fieldsOf(schema)}`).join('\n')}
</main></body></html>
`
}

const EXAMPLE = `curl -X POST http://127.0.0.1:8080/v1/promotions \\
  -H "Authorization: Bearer $RELAY_API_TOKEN" -H 'Content-Type: application/json' \\
  -d '{"model": "fraud-detector", "version": "6", "accuracy": 0.93}'`

interface Listed {
  path: string
  method: string
  operation: Json
}

function linkTo({ path, method, operation }: Listed): string {
  return `<li><a href="#${operation.operationId}"><span class="method ${method}">${method.toUpperCase()}</span> ${escaped(path)}</a></li>`
}

function section({ path, method, operation }: Listed): string {
  const { operationId, summary, description, security, parameters = [], requestBody, responses } = operation
  const scope = security?.[0]?.token?.[0]
  return `<section><h3 id="${operationId}"><span class="method ${method}">${method.toUpperCase()}</span>
<code>${escaped(path)}</code>${scope ? ` <span class="scope">scope <code>${scope}</code></span>` : ''}</h3>
<p>${prose(summary)}. ${description ? prose(description) : ''}</p>
${parameters.length > 0 ? `<h4>Parameters</h4>${table(parameters.map(parameterRow))}` : ''}
${requestBody ? `<h4>Body</h4>${table(Object.entries(requestBody.content).map(bodyRow))}` : ''}
<h4>Answers</h4>${table(Object.entries(responses).map(answerRow))}</section>`
}

function parameterRow({ name, in: where, required, description, schema }: Json): string[] {
  return [
    nameCell(name, required),
    `<span class="dim">${where}</span>`,
    typeOf(schema),
    prose(description ?? schema.description ?? ''),
  ]
}

function bodyRow([type, { schema }]: [string, Json]): string[] {
  return [`<code>${escaped(type)}</code>`, typeOf(schema)]
}

function answerRow([status, { description, content, headers = {} }]: [string, Json]): string[] {
  const [[type, { schema }] = ['', {}]] = Object.entries<Json>(content)
  const sent = Object.keys(headers).map((name) => `<code>${name}</code>`)
  return [
    `<code>${status}</code>`,
    prose(description) + (sent.length > 0 ? ` <span class="dim">with ${sent.join(', ')}</span>` : ''),
    schema.$ref ? typeOf(schema) : `<code>${escaped(type)}</code>`,
  ]
}

function fieldsOf({ properties, required = [] }: Json): string {
  if (!properties) return ''
  return table(
    Object.entries<Json>(properties).map(([name, schema]) => [
      nameCell(name, required.includes(name)),
      typeOf(schema),
      prose(schema.description ?? ''),
    ]),
  )
}

function nameCell(name: string, required: boolean): string {
  return `<span${required ? ' class="must"' : ''}><code>${escaped(name)}</code></span>`
}

/** A schema in a few words. */
function typeOf(schema: Json): string {
  const { $ref, type, anyOf, oneOf, items, enum: words, const: word, format, properties } = schema
  if ($ref) return linkToSchema($ref.split('/').at(-1))
  if (word !== undefined) return `<code>${escaped(JSON.stringify(word))}</code>`
  if (words) return words.map((one: string) => `<code>${escaped(one)}</code>`).join(' ')
  const either = anyOf ?? oneOf
  if (either) return either.map(typeOf).join(' or ')
  if (type === 'array') return `list of ${typeOf(items)}`
  if (properties) return `{ ${Object.entries(properties).map(fieldIn).join(', ')} }`
  const names = [type ?? 'any'].flat().map((one) => (one === 'string' ? (format ?? one) : one))
  return escaped([names.join(' or '), ...boundsOf(schema)].join(', '))
}

function fieldIn([name, schema]: [string, Json]): string {
  return `<code>${escaped(name)}</code>: ${typeOf(schema)}`
}

function boundsOf({ minimum, maximum, maxLength, maxItems, default: standard }: Json): string[] {
  const said = (value: unknown) => value !== undefined && value !== Number.MAX_SAFE_INTEGER
  return [
    said(minimum) && said(maximum) ? `${minimum} to ${maximum}` : '',
    said(maxLength) ? `at most ${maxLength} characters` : '',
    said(maxItems) ? `at most ${maxItems}` : '',
    said(standard) ? `default ${standard}` : '',
  ].filter((text) => text !== '')
}

function linkToSchema(name: string): string {
  return `<a href="#${name}">${name}</a>`
}

function table(rows: string[][]): string {
  return `<table>${rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('')}</table>`
}

/** Text with code between backticks. */
function prose(text: string): string {
  return escaped(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}

function escaped(text: string): string {
  const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replaceAll(/[&<>"]/g, (sign) => ENTITIES[sign] ?? sign)
}
