/** A promotion's timeline as readers see it. */
import type { Promotion, TimelineEntry } from './promotion-record.ts'

/**
 * @param texts as the scripts have written them: without what the record tells anyway, which is put in here. Of a former
 * version they hold it themselves.
 */
export function timelineFrom(texts: readonly string[], promotion: Promotion | undefined): TimelineEntry[] {
  return texts.map((text) => {
    const entry = entryFrom(JSON.parse(text))
    return promotion ? { ...toldByRecord(entry, promotion), ...entry } : entry
  })
}

/** `[what, at, details]`; of a former version an entry as it is. */
function entryFrom(told: TimelineEntry | [what: string, at: number, details?: object]): TimelineEntry {
  if (!Array.isArray(told)) return told
  const [what, at, details] = told
  return { what, at, ...details }
}

function toldByRecord({ what, runId, status }: TimelineEntry, promotion: Promotion): Record<string, unknown> {
  switch (what) {
    case 'accepted': {
      const { source, liveBefore: live, parent } = promotion
      return { source, live, ...(parent && { parent }) }
    }
    case 'outcome':
      return { detail: `GitHub answered ${status}` }
    case 'dispatched':
      // Which run it is may have been found later.
      return { runUrl: runId === '' ? '' : (promotion.runUrl ?? '') }
    case 'run':
      return { runId: promotion.runId }
    case 'deployed':
    case 'failed':
    case 'cancelled':
    case 'timed_out':
      return { runId: promotion.runId, conclusion: promotion.conclusion }
    default:
      return {}
  }
}
