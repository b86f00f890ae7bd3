/** What all pages of ours have around them. They are read without a script; with one they follow what happens. */
import { type Html, html } from '../../../shared/html.ts'
import { assetUrl } from './assets.ts'

export interface PageAbout {
  title: string
  /** Who looks at it; nobody on the log-in page. */
  person?: { name: string; role: 'viewer' | 'operator' } | undefined
  /** Which entry of the menu it is. */
  here?: string
  /** What was looked for, put back into the field. */
  query?: string
  simulated: boolean
  /** The digest of what it shows: it is read anew when that has changed. */
  live?: string
}

const MENU = [
  ['/', 'Board'],
  ['/promotions', 'Promotions'],
  ['/dead-letters', 'Dead letters'],
  ['/audit', 'Audit'],
  ['/queues', 'Queues'],
  ['/docs', 'API'],
] as const

/** To be sent with each of these pages. */
export const PAGE_SECURITY = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

export function page(about: PageAbout, main: Html): string {
  const { title, person, here, query = '', simulated, live } = about
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · promotion-relay</title>
<link rel="icon" href="${assetUrl('icon.svg')}">
<link rel="stylesheet" href="${assetUrl('style.css')}">
${live && html`<script type="module" src="${assetUrl('live.js')}"></script>`}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
${simulated && html`<p class="simulated" role="note"><strong>SIMULATED</strong> — nothing of GitHub is set: a simulator takes its place</p>`}
<header class="top">
<a class="brand" href="/">promotion-relay</a>
${person && menu(person, here, query)}
</header>
<main id="main" tabindex="-1"${live && html` data-seen="${live}"`}>
${main}
</main>
${live && html`<p class="live" id="live" role="status"></p>`}
</body>
</html>
`.toString()
}

function menu(person: { name: string; role: string }, here: string | undefined, query: string): Html {
  return html`<nav aria-label="Pages"><ul>
${MENU.map(
  ([path, name]) =>
    html`<li><a href="${path}"${path === here ? html` aria-current="page"` : ''}>${name}</a></li>`,
)}
</ul></nav>
<form class="search" role="search" action="/search" method="get">
<input type="search" name="q" value="${query}" aria-label="Model, version, promotion id or run id" placeholder="Model, version, promotion or run" maxlength="200">
<button>Search</button>
</form>
<form class="person" action="/log-out" method="post"><span>${person.name} <small>${person.role}</small></span> <button class="quiet">Log out</button></form>`
}
