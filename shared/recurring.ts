/** A step done now and then, never twice at once. */

/** @returns its teardown, which awaits a step under way. */
export function every(pauseMs: number, step: () => Promise<unknown>, onError: (error: unknown) => void) {
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let running: Promise<unknown> = Promise.resolve()
  const turn = () => {
    running = step()
      .catch(onError)
      .then(() => {
        if (!stopped) timer = setTimeout(turn, pauseMs)
      })
  }
  timer = setTimeout(turn, 0)
  return async () => {
    stopped = true
    clearTimeout(timer)
    await running
  }
}
