/** Who uses the pages for ops. */
import type { Role } from '../../../shared/ops-users.ts'

export interface Person {
  name: string
  /** A viewer sees everything and changes nothing. */
  role: Role
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; there behind the guard. */
    person: Person | undefined
  }
}
