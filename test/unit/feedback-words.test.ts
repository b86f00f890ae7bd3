// What a chat and MLflow are told, word by word.
import { describe, expect, test } from 'vitest'
import { bodyFor, lasting } from '../../worker/feedback/chat.ts'
import { aliasFor, tagsFor } from '../../worker/feedback/mlflow.ts'
import type { News } from '../../worker/feedback/news.ts'
import { ID, newsOf, PARENT } from '../support/news.ts'

describe('the message of a chat', () => {
  const said = (more: Partial<News> = {}) => {
    const body = JSON.parse(bodyFor(newsOf(more)))
    expect(Object.keys(body)).toEqual(['text'])
    return (body.text as string).split('\n')
  }
  const RUN = '<https://github.com/acme/models/actions/runs/9001|Run 9001>'
  const TIMES = '3 min 20 s after it was accepted, 3 min 5 s after it was sent'

  test('a version is live: what, where, in whose place, the run, how long', () => {
    expect(said({ replaced: '5' })).toEqual([
      ':white_check_mark: `fraud-detector` version `6` is live in `production`, in place of version `5`',
      `${RUN} · ${TIMES}`,
    ])
    expect(said()[0]).toBe(':white_check_mark: `fraud-detector` version `6` is live in `production`')
  })

  test('a run failed: also why, and what to do', () => {
    expect(said({ state: 'failed', reason: 'its run ended: failure' })).toEqual([
      ':x: `fraud-detector` version `6` failed in `production`',
      'its run ended: failure',
      `${RUN} · ${TIMES}`,
      'Next: look at the run; mend it and promote the version again, or promote a new one.',
    ])
  })

  test('v6 failed, and v5 is put back; then v5 is live again', () => {
    const rolledBackBy = { id: PARENT, version: '5' }
    for (const state of ['failed', 'timed_out', 'cancelled'] as const)
      expect(said({ state, rolledBackBy })[0]).toMatch(/: version `5` is put back$/)
    expect(said({ state: 'failed', rolledBackBy }).at(-1)).toContain('or release the target')
    const back = { version: '5', replaced: '5', rollback: true, parent: { id: ID, version: '6' } }
    expect(said(back)[0]).toBe(
      ':white_check_mark: `fraud-detector` version `5` is live again in `production`, after version `6` failed',
    )
    expect(said({ ...back, state: 'failed' }).at(-1)).toContain('is not known to be live')
  })

  test('a person is needed: where the entry is, and the command with the id', () => {
    const dead = said({
      state: 'dead_lettered',
      run: undefined as never,
      reason: 'nothing was started: refused',
    })
    expect(dead[0]).toContain('can not be deployed to `production`: a person is needed')
    expect(dead).toContain('nothing was started: refused')
    expect(dead.at(-1)).toMatch(
      /^Next: its entry is at \/queues, dead-letters, Failed\. Mend the cause, then press Retry/,
    )
    expect(said({ state: 'unresolved' }).at(-1)).toContain(`promotion-relay resolve ${ID} --run RUN`)
  })

  test('text from outside is no markup, calls nobody, and does not end the code that it stands in', () => {
    const text = said({
      state: 'failed',
      model: '<!channel> `a` & b @here',
      reason: '<https://evil.example|click> & @all',
      run: { id: '1', url: 'https://ci/?a=1&b=<2>|3' },
    }).join('\n')
    expect(text).toContain("`&lt;!channel&gt; 'a' &amp; b @\u200bhere`")
    expect(text).toContain('&lt;https://evil.example|click&gt; &amp; @\u200ball')
    expect(text).toContain('<https://ci/?a=1&amp;b=%3C2%3E%7C3|Run 1>')
    expect(text).not.toMatch(/<!|@here|@all/)
  })

  test('what is simulated says so first', () => {
    expect(said({ simulated: true })[0]).toMatch(/^SIMULATED: /)
  })

  test.each([
    [-5, '0 s'],
    [44_600, '45 s'],
    [60_000, '1 min 0 s'],
    [200_000, '3 min 20 s'],
    [7_500_000, '2 h 5 min'],
    [180_000_000, '50 h 0 min'],
  ])('%i ms last %s', (ms, words) => {
    expect(lasting(ms)).toBe(words)
  })
})

describe('the tags of a model version', () => {
  test('of one that is live, the status last', () => {
    expect(tagsFor(newsOf())).toEqual([
      { key: 'cd.environment', value: 'production' },
      { key: 'cd.promotion_id', value: ID },
      { key: 'cd.run_url', value: 'https://github.com/acme/models/actions/runs/9001' },
      { key: 'cd.deployed_at', value: '2026-11-23T12:00:00.123Z' },
      { key: 'cd.status', value: 'deployed' },
    ])
  })

  test('of another end, no time at which it was deployed; without a run, none', () => {
    const keys = (more: Partial<News>) => tagsFor(newsOf(more)).map(({ key }) => key)
    expect(keys({ state: 'failed' })).toEqual([
      'cd.environment',
      'cd.promotion_id',
      'cd.run_url',
      'cd.status',
    ])
    expect(keys({ state: 'skipped', run: undefined as never })).not.toContain('cd.run_url')
    expect(keys({ simulated: true })).toContain('cd.simulated')
  })

  test('an alias is named by the environment, in letters that MLflow takes', () => {
    expect(aliasFor('deployed-{environment}', { environment: 'production' })).toBe('deployed-production')
    expect(aliasFor('{environment}_live', { environment: 'eu.west-1' })).toBe('eu-west-1_live')
    expect(aliasFor('champion', { environment: 'staging' })).toBe('champion')
  })
})
