// The sections in the order in which they are run and told.
import type { Section } from './section.ts'
import { accept } from './sections/accept.ts'
import { cluster } from './sections/cluster.ts'
import { cost } from './sections/cost.ts'
import { dispatch } from './sections/dispatch.ts'
import { drain } from './sections/drain.ts'
import { idle } from './sections/idle.ts'
import { intake } from './sections/intake.ts'
import { latency } from './sections/latency.ts'
import { memory } from './sections/memory.ts'
import { scale } from './sections/scale.ts'
import { start } from './sections/start.ts'
import { workers } from './sections/workers.ts'

export const SECTIONS: readonly Section[] = [
  accept,
  intake,
  dispatch,
  workers,
  latency,
  cost,
  memory,
  scale,
  drain,
  idle,
  start,
  cluster,
]
