// The simulator as a program of its own: its flags, its signals, its parent.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { signatureOf } from '../github-simulator/webhook-post.ts'
import { callerOf, eventually, WORKFLOW } from '../support/simulator.ts'
import { openWebhookReceiver, SECRET } from '../support/webhook-receiver.ts'

describe('the program', () => {
  const MAIN = fileURLToPath(new URL('../github-simulator/main.ts', import.meta.url))

  async function startProgram(...flags: string[]) {
    return startProgramWith({}, ...flags)
  }

  async function startProgramWith(env: Record<string, string>, ...flags: string[]) {
    const child = spawn(process.execPath, [MAIN, ...flags], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    for await (const line of createInterface(child.stdout)) {
      const { simulator, url } = JSON.parse(line)
      expect(simulator).toBe('listening')
      return { child, ...callerOf(url) }
    }
    throw new Error('the program ended without a word')
  }

  async function exitOf(child: ChildProcess): Promise<[number | null, string | null]> {
    const [code, signal] = await once(child, 'exit')
    return [code, signal]
  }

  test('keeps its flags, ends cleanly on SIGTERM and finds its runs again', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'github-simulator-'))
    onTestFinished(() => rmSync(dataDir, { recursive: true }))
    const flags = [
      '--data-dir',
      dataDir,
      '--run-ms',
      '60000',
      '--queued-ms',
      '0',
      '--no-run-name',
      '--token',
      't-1',
    ]
    const first = await startProgram(...flags)
    expect((await first.dispatch()).status).toBe(401)
    expect((await first.dispatch({}, { token: 't-1' })).status).toBe(204)
    first.child.kill('SIGTERM')
    expect(await exitOf(first.child)).toEqual([0, null])

    const second = await startProgram(...flags, '--mode', 'ghes')
    const { json } = await second.get(`${WORKFLOW}/runs`, { token: 't-1' })
    expect(json.workflow_runs).toMatchObject([{ display_title: 'cd pipeline', status: 'in_progress' }])
    second.child.kill('SIGINT')
    expect(await exitOf(second.child)).toEqual([0, null])
  })

  test('ends with its parent when asked to', async () => {
    const { child } = await startProgram('--exit-with-parent')
    child.stdin.end()
    expect(await exitOf(child)).toEqual([0, null])
  })

  test('tells of its runs, signed with the secret of its environment, and lets them wait for a reviewer', async () => {
    const receiver = await openWebhookReceiver()
    const flags = ['--webhook-url', receiver.url, '--needs-approval', '--queued-ms', '0', '--run-ms', '60000']
    const { start, post } = await startProgramWith({ GITHUB_WEBHOOK_SECRET: SECRET }, ...flags)
    const id = await start()
    await eventually(() => receiver.received).toHaveLength(1)
    await post(`/_simulator/runs/${id}/approve`)
    await eventually(() => receiver.received.map(({ payload }) => payload.action)).toEqual([
      'requested',
      'in_progress',
    ])
    for (const { headers, text } of receiver.received) {
      expect(headers['x-hub-signature-256']).toBe(signatureOf(text, SECRET))
    }
  })

  test('refuses flags that it cannot read', async () => {
    const wrong = [['--port', 'high'], ['--mode', 'gitlab'], ['--webhook-url', 'ftp://x'], ['--unknown']]
    const exits = wrong.map((flags) => exitOf(spawn(process.execPath, [MAIN, ...flags], { stdio: 'ignore' })))
    expect(await Promise.all(exits)).toEqual(wrong.map(() => [2, null]))
  })
})
