// With what the relay logs in at MLflow: as MLflow's own clients would with the same settings.
import { expect, test } from 'vitest'
import { mlflowAuthorization } from '../../shared/mlflow.ts'
import { type Secret, secretFromValue } from '../../shared/secret.ts'

const token = secretFromValue('MLFLOW_TRACKING_TOKEN', 'sentinel-token')
const password = secretFromValue('MLFLOW_TRACKING_PASSWORD', 'sentinel:password')
const username = 'relay'
const BASIC = `Basic ${Buffer.from('relay:sentinel:password').toString('base64')}`

test.each([
  ['a user and a password', { username, password }, BASIC],
  ['a token', { token }, 'Bearer sentinel-token'],
  ['a user and a password before a token', { token, username, password }, BASIC],
  ['a token, where the password is missing', { token, username }, 'Bearer sentinel-token'],
  ['nothing, without either', {}, undefined],
])('it logs in with %s', (_, credentials, authorization) => {
  expect(mlflowAuthorization(credentials)).toBe(authorization)
})

test('a secret that looks unchanged is read anew where that is asked for', () => {
  const file: Secret = { name: 'MLFLOW_TRACKING_TOKEN', read: (how) => (how?.anew ? 'new' : 'old') }
  expect(mlflowAuthorization({ token: file })).toBe('Bearer old')
  expect(mlflowAuthorization({ token: file }, { anew: true })).toBe('Bearer new')
})
