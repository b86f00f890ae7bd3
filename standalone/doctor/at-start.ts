/** The doctor's short form in a worker's log: one line with the counts, and one for each warning and fault. */
import type { Settings } from '../../shared/config.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Redactor } from '../../shared/redact.ts'
import { diagnose } from './doctor.ts'
import { countOf } from './finding.ts'

export interface AtStartOptions {
  settings: Settings
  redisUrl: string
  redact: Redactor
  log: Logger
}

/** Said by `warnOfRedis`, as soon as Redis is there. */
const TOLD_ALREADY: readonly string[] = ['Redis eviction', 'Redis persistence']

/** Beside the start, which does not wait for it; never throws. */
export async function tellAtStart({ settings, redisUrl, redact, log }: AtStartOptions): Promise<void> {
  try {
    // A relay that is switched off asks nothing of GitHub.
    const github = settings.ENABLE_CD_TRIGGER
    const groups = await diagnose({ settings, redisUrl, workers: false, github, redact })
    const findings = groups.flatMap((group) => group.findings)
    for (const { name: check, status, detail, mend } of findings) {
      if (TOLD_ALREADY.includes(check)) continue
      if (status === 'fault') log.error({ check, detail, mend }, 'The doctor found a fault')
      if (status === 'warning') log.warn({ check, detail, mend }, 'The doctor warns')
    }
    const counts = {
      faults: countOf(findings, 'fault'),
      warnings: countOf(findings, 'warning'),
      ok: countOf(findings, 'ok'),
      unknown: countOf(findings, 'unknown'),
    }
    log.info(counts, 'The doctor has looked: promotion-relay doctor shows each line')
  } catch (err) {
    log.warn({ err }, 'The doctor could not look')
  }
}
