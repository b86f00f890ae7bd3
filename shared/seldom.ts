/** For what is worth doing now and then, however often there is an occasion: not again for a key within so many ms. */
export function seldom(ms: number, work: (key: string) => Promise<void>, now: () => number = Date.now) {
  const doneAt = new Map<string, number>()
  return async (key: string): Promise<void> => {
    if (now() - (doneAt.get(key) ?? Number.NEGATIVE_INFINITY) < ms) return
    // At once, so that those who come meanwhile don't do it, too.
    doneAt.set(key, now())
    await work(key).catch((error: unknown) => {
      doneAt.delete(key)
      throw error
    })
  }
}
