/** Waits for a condition, never for a time: looks again every few ms and fails with what was awaited. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  withinMs = 15_000,
): Promise<T> {
  const end = Date.now() + withinMs
  for (;;) {
    const seen = await look()
    if (seen !== undefined && seen !== false) return seen
    if (Date.now() > end) throw new Error(`waited ${withinMs} ms in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
