import { createRequire } from 'node:module'

/** By the package's name, which holds in a checkout and in the built package, whose files lie one folder deeper. */
export function versionOf(name: string): string {
  return createRequire(import.meta.url)(`${name}/package.json`).version
}
