// What the embedded Redis runs with, as the text of its configuration file.
// Guarantees: every accepted write is on disk before it is answered (AOF, fsync always), nothing is evicted, only
// this machine can connect. The file holds the password, so that no command line does.

export interface ServerConfig {
  port: number
  dir: string
  logFile: string
  /** Without one, whoever is on this machine may connect (tests). */
  password?: string | undefined
  appendfsync?: string
  /** More lines, as they stand in a redis.conf. */
  extra?: readonly string[]
}

export function serverConfig({ port, dir, logFile, password, appendfsync, extra }: ServerConfig): string {
  return [
    '# Written by promotion-relay at each start: changes made here do not stay.',
    'bind 127.0.0.1',
    `port ${port}`,
    'protected-mode yes',
    ...(password ? [`requirepass ${quoted(password)}`] : []),
    `dir ${quoted(dir)}`,
    ...DURABLE(appendfsync),
    'loglevel warning',
    `logfile ${quoted(logFile)}`,
    'daemonize no',
    // The process keeps its command line, which names this file: so it is found again.
    'set-proc-title no',
    ...(extra ?? []),
    '',
  ].join('\n')
}

/** The same in Docker: the container's own folder and port, and the log on its output. */
export function containerConfig(password: string): string {
  return [`requirepass ${quoted(password)}`, 'dir /data', ...DURABLE(), 'loglevel warning', ''].join('\n')
}

export function portInConfig(config: string): number | undefined {
  const port = Number(/^port (\d+)$/m.exec(config)?.[1])
  return Number.isInteger(port) && port > 0 ? port : undefined
}

const DURABLE = (appendfsync = 'always') => [
  'appendonly yes',
  `appendfsync ${appendfsync}`,
  'aof-load-truncated yes',
  'save ""',
  'maxmemory-policy noeviction',
]

function quoted(text: string): string {
  const escapes: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }
  return `"${text.replace(/["\\]/g, '\\$&').replace(/[\n\r\t]/g, (found) => escapes[found] ?? found)}"`
}
