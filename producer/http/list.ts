/** What ops ask, over HTTP: lists by the page, circuits, figures. Who may see them is told by the gate around it. */
import type { FastifyInstance } from 'fastify'
import type { Ask } from '../../shared/ask.ts'
import { needs } from './gate.ts'
import { sendProblem } from './problem.ts'

const PATHS: Record<keyof Ask, string> = {
  promotions: '/promotions',
  targets: '/targets',
  deadLetters: '/dead-letters',
  circuits: '/circuits',
  stats: '/stats',
  search: '/search',
}

export function listRoutes(app: FastifyInstance, { ask }: { ask: Ask }): void {
  for (const [name, path] of Object.entries(PATHS) as [keyof Ask, string][]) {
    app.get(path, needs('read'), async ({ query }, reply) => {
      const answered = await ask[name](query)
      if (answered.ok) return answered.value
      return sendProblem(reply, { status: 400, title: 'Not a valid query', errors: answered.problems })
    })
  }
}
