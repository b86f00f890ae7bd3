/** HTML from template literals: whatever is put in is escaped, unless it is HTML of ours already. */

/** Text that is safe to be sent as HTML. Made by `html` alone. */
export class Html {
  readonly #text: string
  constructor(text: string) {
    this.#text = text
  }
  toString(): string {
    return this.#text
  }
}

/** Nothing is written for `undefined`, `null` and `false`, so that `condition && html…` reads well. */
type Part = Html | string | number | undefined | null | false | readonly Part[]

/** @example html`<td title="${title}">${rows.map((row) => html`<b>${row}</b>`)}</td>` — quote attributes. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.reduce((text, string, i) => text + written(parts[i - 1]) + string))
}

function written(part: Part): string {
  if (part === undefined || part === null || part === false) return ''
  if (part instanceof Html) return part.toString()
  return Array.isArray(part) ? part.map(written).join('') : escaped(String(part))
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign)
}
