// Clients of the ledger as threads that stand still at every call that leaves the process: a script, a request to
// GitHub. Each stands until it is stepped, so that any order of calls can be played; one that is never stepped again
// has crashed there. What a call does when it is stepped is said by the step.

/** How the world treats the call at which a client stands. */
export type Doing<A> = { answer: A } | typeof NO_ANSWER

/** It was carried out, and the client does not hear of it: it stands there still, and sends again when stepped. */
export const NO_ANSWER = Symbol('no answer')

/** Stands still until stepped; then does what the step says. */
export type Gate<How> = <A>(what: string, act: (how: How) => Promise<Doing<A>>) => Promise<A>

export interface Client<How> {
  readonly name: string
  /** When it began, ms of the world's clock. */
  readonly startedAt: number
  /** The call at which it stands; undefined once it has ended. */
  standsAt(): string | undefined
  step(how: How): Promise<void>
}

export async function startClient<How>(
  name: string,
  startedAt: number,
  body: (gate: Gate<How>) => Promise<unknown>,
): Promise<Client<How>> {
  let call: { what: string; act(how: How): Promise<boolean> } | undefined
  let fault: unknown
  let still = Promise.withResolvers<void>()

  const gate: Gate<How> = (what, act) =>
    new Promise((resolve) => {
      call = {
        what,
        async act(how) {
          const done = await act(how)
          if (done === NO_ANSWER) return false
          call = undefined
          still = Promise.withResolvers()
          resolve(done.answer)
          return true
        },
      }
      still.resolve()
    })

  async function stillness() {
    await still.promise
    if (fault !== undefined) throw fault
  }

  body(gate)
    .catch((error: unknown) => {
      fault = error
    })
    .finally(() => still.resolve())
  await stillness()

  return {
    name,
    startedAt,
    standsAt: () => call?.what,
    async step(how) {
      if (await call?.act(how)) await stillness()
    },
  }
}
