// Follows what a page shows: reads it anew when the server says that it has changed, and keeps times going. Whoever
// types, or has an order open, is not disturbed, but told.

const status = document.getElementById('live')

function inWords(ms) {
  const [second, minute, hour, day] = [1e3, 6e4, 36e5, 864e5]
  if (ms < minute) return `${Math.max(0, Math.floor(ms / second))} s`
  if (ms < hour) return `${Math.floor(ms / minute)} min`
  if (ms >= day) return `${Math.floor(ms / day)} d`
  const minutes = Math.floor((ms % hour) / minute)
  return `${Math.floor(ms / hour)} h${minutes > 0 && ms < 10 * hour ? ` ${minutes} min` : ''}`
}

// The server's clock counts.
let ahead = 0

function keepTimes() {
  for (const time of document.querySelectorAll('time[data-since]')) {
    const ms = Date.now() - ahead - Date.parse(time.dateTime)
    const words = inWords(ms)
    if (time.textContent !== words) time.textContent = words
  }
}

function isBusy() {
  const main = document.getElementById('main')
  const typing =
    main.contains(document.activeElement) &&
    document.activeElement.matches('input:not([type=hidden]), select, textarea')
  return typing || main.querySelector('details.order[open]') !== null
}

const AWAY = 'The relay can not be reached. This page is followed again as soon as it can.'

let isStale = false
let isReading = false

async function readAnew() {
  if (isReading) return
  isReading = true
  try {
    const response = await fetch(location.href, { headers: { accept: 'text/html' }, redirect: 'manual' })
    if (!response.ok) return say('This page can not be read now.')
    const sent = Date.parse(response.headers.get('date') ?? '')
    if (sent) ahead = Date.now() - sent
    const next = new DOMParser().parseFromString(await response.text(), 'text/html').getElementById('main')
    const main = document.getElementById('main')
    // What came of an order stays until the next page.
    const flash = main.querySelector('#flash')
    const focused = document.activeElement?.id
    main.replaceChildren(...(flash ? [flash] : []), ...next.childNodes)
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true })
    isStale = false
    say('')
    keepTimes()
  } catch {
    say(AWAY)
  } finally {
    isReading = false
  }
}

function say(text) {
  if (status && status.textContent !== text) status.textContent = text
}

function changed() {
  if (!isBusy()) return readAnew()
  isStale = true
  say('Something has changed; this page is renewed when what you have open is closed.')
}

const here = new URLSearchParams({
  page: location.pathname + location.search,
  seen: document.getElementById('main').dataset.seen,
})
const events = new EventSource(`/live?${here}`)
// The server ends a stream now and then, and it begins anew by itself.
let away
events.addEventListener('following', () => {
  clearTimeout(away)
  document.documentElement.dataset.live = 'on'
  if (!isStale) say('')
})
events.addEventListener('changed', changed)
events.addEventListener('error', () => {
  document.documentElement.dataset.live = 'off'
  clearTimeout(away)
  away = setTimeout(() => say(AWAY), 5000)
})
document.addEventListener('focusout', () => setTimeout(() => isStale && !isBusy() && readAnew()))
document.addEventListener('toggle', () => isStale && !isBusy() && readAnew(), true)
// What goes on grows in the picture.
setInterval(() => document.querySelector('.course .open') && !isBusy() && readAnew(), 10_000)
setInterval(keepTimes, 1000)
keepTimes()
