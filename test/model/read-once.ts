// The scripts' texts, read once: a sequence of worlds need not read them again.
import { type ReadScript, readScript } from '../../shared/ledger/scripts.ts'

const texts = new Map<string, string>()

export const readOnce: ReadScript = (name) => {
  const text = texts.get(name) ?? readScript(name)
  texts.set(name, text)
  return text
}
