/**
 * What a promotion becomes on the wire: the workflow's inputs, all of them strings, and what is left out since
 * the server or the workflow has refused it before.
 */
import type { Promotion } from '../../shared/ledger/promotion-record.ts'
import type { Adjustments } from '../github/client.ts'
import type { Drop, SentWith } from './outcome.ts'

/** What is sent, in this order. */
export const INPUT_NAMES = [
  'model_version',
  'model_accuracy',
  'trigger_source',
  'promotion_id',
  'model_name',
  'environment',
] as const

/** `model_accuracy` is empty where the caller gave none: the input stays declared and present. */
export function inputsFor(promotion: Promotion): Record<(typeof INPUT_NAMES)[number], string> {
  return {
    model_version: promotion.version,
    model_accuracy: promotion.accuracy === undefined ? '' : String(promotion.accuracy),
    trigger_source: promotion.source,
    promotion_id: promotion.id,
    model_name: promotion.model,
    environment: promotion.environment,
  }
}

/** Names under which the ledger remembers refusals. */
const RUN_DETAILS = 'run_details'
const API_VERSION = 'api_version'
const INPUT = 'input:'

export function adjustmentsFrom(refused: string): Adjustments {
  const names = refused.split(',')
  return {
    droppedInputs: names.filter((name) => name.startsWith(INPUT)).map((name) => name.slice(INPUT.length)),
    noRunDetails: names.includes(RUN_DETAILS),
    noApiVersion: names.includes(API_VERSION),
  }
}

export function fieldsToRemember(drop: Drop): string[] {
  if (drop.what === 'inputs') return drop.names.map((name) => `${INPUT}${name}`)
  return [drop.what === 'run_details' ? RUN_DETAILS : API_VERSION]
}

export function sentWith(inputs: Record<string, string>, adjustments: Adjustments, nowMs: number): SentWith {
  return {
    inputs: Object.keys(inputs).filter((name) => !adjustments.droppedInputs.includes(name)),
    runDetails: !adjustments.noRunDetails,
    apiVersion: !adjustments.noApiVersion,
    nowMs,
  }
}
