/**
 * What is kept of a webhook about a workflow run: enough to find the promotion and to know whether a look is due.
 * No text of GitHub's but words and ids: a run's title may hold anything.
 */
export interface RunEvent {
  /** `X-GitHub-Delivery`; the same when it is delivered again. */
  delivery: string
  /** owner/name */
  repository: string
  /** The workflow's file and number, as far as they were told. */
  workflows: readonly string[]
  runId: string
  /** From 1; a re-run raises it. */
  runAttempt: number
  /** GitHub's word, '' if it told none. */
  status: string
  /** The run has completed. */
  over: boolean
  /** When GitHub last changed the run, ms since the epoch, whole seconds; 0 if it did not tell. */
  updatedAt: number
  /** What looks like the id of a promotion in the run's title. */
  promotionIds: readonly string[]
}
