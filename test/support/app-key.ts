/** The key of a GitHub App of the tests, made once for each process. */
import { generateKeyPairSync } from 'node:crypto'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

export const APP_KEY = {
  /** As GitHub gives it. */
  pkcs1: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
  pkcs8: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  public: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
}
