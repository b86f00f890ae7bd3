import { expect, test } from 'vitest'
import { html } from '../../shared/html.ts'

test('whatever is put in is text, in content and in attributes', () => {
  const evil = `"><script>alert('1')</script>&amp;`
  const page = html`<p title="${evil}">${evil}</p>`.toString()
  const text = '&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;'
  expect(page).toBe(`<p title="${text}">${text}</p>`)
})

test('HTML of ours stays so, also in lists; what is not there is not written', () => {
  const rows = ['a<', 'b'].map((text) => html`<li>${text}</li>`)
  expect(html`<ul>${rows}${undefined}${null}${false}${0}</ul>`.toString()).toBe(
    '<ul><li>a&lt;</li><li>b</li>0</ul>',
  )
})
