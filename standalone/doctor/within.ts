/** A time limit for one look: what is late counts as not answered, and is not waited for. */
export class Late extends Error {
  readonly code = 'LATE'
}

export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late(`no answer within ${ms / 1000} s`)), ms)
  })
  // Its own failure, when it comes too late, is nobody's.
  work.catch(() => {})
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
