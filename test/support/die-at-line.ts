/**
 * Preloaded into a process (`--import`): kills it, as `kill -9` does, in the instant before it first runs a line.
 * DIE_AT names the line, `<path>:<line>`; a debugger in a thread beside stops the program there.
 */
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'

const [file = '', line = ''] = (process.env.DIE_AT ?? '').split(/:(?=\d+$)/)
const thread = `
  const { Session } = require('node:inspector')
  const { parentPort, workerData } = require('node:worker_threads')
  const session = new Session()
  session.connectToMainThread()
  session.on('Debugger.paused', () => process.kill(process.pid, 'SIGKILL'))
  session.post('Debugger.enable')
  session.post('Debugger.setBreakpointByUrl', workerData, () => parentPort.postMessage('armed'))
  parentPort.on('message', () => {})
`
const debuggerBeside = new Worker(thread, {
  eval: true,
  // Not those of the process, this preload among them.
  execArgv: [],
  workerData: { url: pathToFileURL(file).href, lineNumber: Number(line) - 1 },
})
await once(debuggerBeside, 'message')
debuggerBeside.unref()
