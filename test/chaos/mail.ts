// How webhooks come: the server process that takes them, and the post before it.
import type { Simulator } from '../github-simulator/simulator.ts'
import type { Contender } from './contender.ts'
import { openPost, type Post, WEBHOOK_SECRET } from './post.ts'
import { type Fleet, startFleet } from './processes.ts'

export interface Mail {
  post: Post
  server: Fleet
  close(): Promise<void>
}

export interface MailOptions {
  simulator: Simulator
  server: NonNullable<Contender['server']>
  redisUrl: string
  logDir: string
  post: Parameters<typeof openPost>[0]
}

export async function openMail({
  simulator,
  server: { program, argument },
  redisUrl,
  logDir,
  ...rest
}: MailOptions) {
  const post = await openPost(rest.post)
  const server = startFleet({
    program,
    letter: 's',
    count: 1,
    logDir,
    optionsFor: () => argument(redisUrl),
    said: post.serverAt,
  })
  const mail: Mail = {
    post,
    server,
    async close() {
      await post.close()
      await server.end()
    },
  }
  await server.ready()
  simulator.subscribe({ url: post.url, secret: WEBHOOK_SECRET })
  return mail
}
