/** The private key of a GitHub App: RSA in PEM, as PKCS#1 (which GitHub gives) or PKCS#8. */
import { createPrivateKey } from 'node:crypto'

/** The key as PKCS#8; undefined where the text is none, without a word that could tell anything of it. */
export function pkcs8From(text: string): string | undefined {
  try {
    const key = createPrivateKey(text)
    if (key.asymmetricKeyType !== 'rsa') return undefined
    return key.export({ type: 'pkcs8', format: 'pem' }).toString()
  } catch {
    return undefined
  }
}
