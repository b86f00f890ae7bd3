/** The `docker` and compose commands, as a person types them, and what Docker says about a container. */
import { execFile } from 'node:child_process'
import { ROOT } from '../support/up.ts'

export interface Said {
  code: number
  stdout: string
  stderr: string
}

export interface CommandOptions {
  /** In place of this process's own. */
  env?: NodeJS.ProcessEnv
  withinMs?: number
}

/** Runs in the root of the checkout. An exit code is no error; a command that isn't there has 127, as in a shell. */
export function say(command: string, args: readonly string[], options: CommandOptions = {}): Promise<Said> {
  const { env = process.env, withinMs = 60_000 } = options
  return new Promise((resolve) => {
    const settings = { cwd: ROOT, env, timeout: withinMs, maxBuffer: 64 * 2 ** 20 }
    execFile(command, args, settings, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 127
      resolve({ code, stdout: stdout.trim(), stderr: stderr.trim() })
    })
  })
}

/** @throws when the command fails, with what it said */
export async function sayOrThrow(
  command: string,
  args: readonly string[],
  options?: CommandOptions,
): Promise<string> {
  const { code, stdout, stderr } = await say(command, args, options)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`)
  return stdout
}

export const docker = (...args: string[]): Promise<string> => sayOrThrow('docker', args)

/** How a container ended. */
export const exitCodeOf = async (id: string): Promise<number> =>
  Number(await docker('inspect', '--format', '{{.State.ExitCode}}', id))

/** By the image's own check: `starting`, `healthy` or `unhealthy`. */
export const healthOf = (id: string): Promise<string> =>
  docker('inspect', '--format', '{{.State.Health.Status}}', id)
