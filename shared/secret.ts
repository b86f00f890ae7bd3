/**
 * A secret setting, from a variable or from a file that is read again when it changes. It never shows its
 * value by accident: printed, logged or serialised it reads `[secret]`.
 */
import { readFileSync, statSync } from 'node:fs'
import { inspect } from 'node:util'

export interface Secret {
  /** Name of the setting it came from, for messages. */
  readonly name: string
  /**
   * The current value; `anew` reads its file also where that looks unchanged.
   * @throws when its file can't be read
   */
  read(how?: { anew?: boolean }): string
}

export function secretFromValue(name: string, value: string): Secret {
  return conceal({ name, read: () => value })
}

/**
 * Reads `path` when its modification time or size has changed; a trailing line end is not part of the secret. A
 * change within the clock tick of the last one looks like none: who is told that the value is wrong reads it `anew`.
 */
export function secretFromFile(name: string, path: string): Secret {
  let seen = ''
  let value = ''
  return conceal({
    name,
    read({ anew = false } = {}) {
      const { mtimeMs, size, ino } = statSync(path)
      const stamp = `${mtimeMs}/${size}/${ino}`
      if (anew || stamp !== seen) {
        value = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
        seen = stamp
      }
      return value
    },
  })
}

function conceal(secret: Secret): Secret {
  const shown = () => '[secret]'
  return Object.defineProperties(secret, {
    toString: { value: shown },
    toJSON: { value: shown },
    [inspect.custom]: { value: shown },
  })
}

/** A setting that may hold two secrets, separated by a comma, while one takes the other's place. */
export function secretsIn(text: string): string[] {
  return text.split(',')
}
