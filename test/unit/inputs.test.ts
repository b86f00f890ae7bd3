import { describe, expect, test } from 'vitest'
import { type Promotion, promotionFrom } from '../../shared/ledger/promotion-record.ts'
import { adjustmentsFrom, fieldsToRemember, inputsFor, sentWith } from '../../worker/dispatch/inputs.ts'
import { type Drop, OPTIONAL_INPUTS } from '../../worker/dispatch/outcome.ts'

const ID = '019ab000-0000-7000-8000-000000000001'

function setup(overrides: Record<string, string> = {}): { promotion: Promotion } {
  const promotion = promotionFrom({
    id: ID,
    state: 'dispatching',
    model: 'fraud-detector',
    version: '5',
    environment: 'production',
    accuracy: '0.9234',
    source: 'automated_ct_pipeline',
    ...overrides,
  })
  if (!promotion) throw new Error('no promotion')
  return { promotion }
}

describe('inputs', () => {
  test('are these six', () => {
    expect(inputsFor(setup().promotion)).toEqual({
      model_version: '5',
      model_accuracy: '0.9234',
      trigger_source: 'automated_ct_pipeline',
      promotion_id: ID,
      model_name: 'fraud-detector',
      environment: 'production',
    })
  })

  test('are texts, all of them, whatever the promotion holds', () => {
    for (const accuracy of ['', '0', '1', '1e-7', '0.30000000000000004']) {
      const inputs = inputsFor(setup({ accuracy }).promotion)
      expect(Object.values(inputs).map((value) => typeof value)).toEqual(Array(6).fill('string'))
    }
  })

  test.each([
    ['0', '0'],
    ['1', '1'],
    ['0.9234', '0.9234'],
    ['0.30000000000000004', '0.30000000000000004'],
  ])('an accuracy of %s is sent as it is', (accuracy, sent) => {
    expect(inputsFor(setup({ accuracy }).promotion).model_accuracy).toBe(sent)
  })

  test('an accuracy that nobody gave is empty: the input stays declared', () => {
    expect(inputsFor(setup({ accuracy: '' }).promotion).model_accuracy).toBe('')
  })

  test('a version is sent to the letter', () => {
    for (const version of ['5', '005', '5n', '1.10', 'v5 "final"', 'ü/5'])
      expect(inputsFor(setup({ version }).promotion).model_version).toBe(version)
  })

  test('the optional ones are among them', () => {
    expect(Object.keys(inputsFor(setup().promotion))).toEqual(expect.arrayContaining([...OPTIONAL_INPUTS]))
  })
})

describe('what was refused before', () => {
  test('nothing refused leaves nothing out', () => {
    expect(adjustmentsFrom('')).toEqual({ droppedInputs: [], noRunDetails: false, noApiVersion: false })
  })

  test('everything refused is left out', () => {
    expect(adjustmentsFrom('api_version,input:environment,input:promotion_id,run_details')).toEqual({
      droppedInputs: ['environment', 'promotion_id'],
      noRunDetails: true,
      noApiVersion: true,
    })
  })

  test('a name that this version does not know is passed over', () => {
    expect(adjustmentsFrom('later_invention,inputs:x')).toEqual(adjustmentsFrom(''))
  })

  test.each<[Drop]>([
    [{ what: 'inputs', names: ['promotion_id'] }],
    [{ what: 'inputs', names: ['promotion_id', 'model_name', 'environment'] }],
    [{ what: 'run_details' }],
    [{ what: 'api_version' }],
  ])('what is remembered of %o is what is read again', (drop) => {
    expect(adjustmentsFrom(fieldsToRemember(drop).join(','))).toEqual({
      droppedInputs: drop.what === 'inputs' ? drop.names : [],
      noRunDetails: drop.what === 'run_details',
      noApiVersion: drop.what === 'api_version',
    })
  })
})

describe('what was sent', () => {
  test('is everything when nothing was left out', () => {
    const inputs = inputsFor(setup().promotion)
    expect(sentWith(inputs, adjustmentsFrom(''), 17)).toEqual({
      inputs: Object.keys(inputs),
      runDetails: true,
      apiVersion: true,
      nowMs: 17,
    })
  })

  test('is not what was left out', () => {
    const inputs = inputsFor(setup().promotion)
    const adjustments = adjustmentsFrom('input:promotion_id,run_details,api_version')
    expect(sentWith(inputs, adjustments, 17)).toEqual({
      inputs: ['model_version', 'model_accuracy', 'trigger_source', 'model_name', 'environment'],
      runDetails: false,
      apiVersion: false,
      nowMs: 17,
    })
  })
})
