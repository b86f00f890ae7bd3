/** The form of the log-in, and that of the log-out for those who follow a link. */
import { html } from '../../../shared/html.ts'
import { page } from '../pages/layout.ts'
import type { Person } from './person.ts'

export interface LogInForm {
  next: string
  /** What went wrong with the try before. */
  problem?: string
  /** What was typed there. */
  name?: string
  /** Log-out has just been done. */
  isOut?: boolean
  simulated: boolean
}

export function logInPage({ next, problem, name = '', isOut = false, simulated }: LogInForm): string {
  return page(
    { title: 'Log in', simulated },
    html`<section class="card log-in" aria-labelledby="log-in">
<h1 id="log-in">Log in</h1>
${problem !== undefined && html`<p class="note bad" role="alert">${problem}</p>`}
${isOut && html`<p class="note good" role="status">You are logged out.</p>`}
<form action="/log-in" method="post">
<input type="hidden" name="next" value="${next}">
<label for="user">Name</label>
<input id="user" name="user" type="text" value="${name}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="200" required${name === '' && html` autofocus`}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="500" required${name !== '' && html` autofocus`}>
<button>Log in</button>
</form>
</section>`,
  )
}

export function logOutPage(person: Person, simulated: boolean): string {
  return page(
    { title: 'Log out', person, simulated },
    html`<section class="card log-in" aria-labelledby="log-out">
<h1 id="log-out">Log out</h1>
<p>You are ${person.name}, ${person.role === 'operator' ? 'an operator' : 'a viewer'}.</p>
<form action="/log-out" method="post"><button>Log out</button></form>
<p><a href="/">Back to the board</a></p>
</section>`,
  )
}
