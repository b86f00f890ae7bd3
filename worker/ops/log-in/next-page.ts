/** Where somebody goes after log-in: a path of ours, whatever the link said that led to the form. */

const LONGEST = 2_000
/** Browsers read a backslash as a slash, and leave out tabs and line ends. */
const TRICKS = /[\\\p{Cc}]/u
const NOWHERE = 'http://relay.invalid'

/** @returns path and query; `/` where it leads anywhere else, or to the form again */
export function nextPage(asked: unknown): string {
  if (typeof asked !== 'string' || asked.length > LONGEST || TRICKS.test(asked)) return '/'
  const url = asked.startsWith('/') ? URL.parse(asked, NOWHERE) : null
  // `/..//other.example` has become `//other.example`, which is another host's.
  if (url?.origin !== NOWHERE || url.pathname.startsWith('//')) return '/'
  return /^\/log-(in|out)$/.test(url.pathname) ? '/' : `${url.pathname}${url.search}`
}
