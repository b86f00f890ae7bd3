// The faults that a test orders for deliveries of webhooks: taken in the order in which they were added.
import { z } from 'zod'
import { timesSchema } from './fault-queue.ts'

export const webhookFaultSchema = z.strictObject({
  /**
   * `late`: after `delayMs`, while others overtake it. `swapped`: right after the next delivery of the same run.
   * `twice`: once more, with the same id, as soon as it is answered. `dropped`: never, unless it is redelivered.
   */
  kind: z.enum(['late', 'swapped', 'twice', 'dropped']),
  /** Takes only deliveries of this action. */
  action: z.enum(['requested', 'in_progress', 'completed']).optional(),
  /** Takes only deliveries of this promotion's run. */
  promotionId: z.string().optional(),
  times: timesSchema,
  /** 1 s when not given. */
  delayMs: z.number().nonnegative().optional(),
})

export type WebhookFault = z.infer<typeof webhookFaultSchema>
