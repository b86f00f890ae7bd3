/**
 * `promotion-relay user`: makes the line of a person for the log-in at the board and `/queues`. The password is asked
 * for at the terminal and not shown, or read from standard input: an argument would show to everybody on the machine.
 */
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { type Command, InvalidArgumentError } from 'commander'
import type { z } from 'zod'
import {
  LONGEST_PASSWORD,
  newUserLine,
  type Role,
  roleSchema,
  SHORTEST_PASSWORD,
  userNameSchema,
} from '../../shared/ops-users.ts'
import { complain, EXIT, print } from '../command-line.ts'

export function addUser(program: Command): void {
  program
    .command('user')
    .description(
      'prints the line of a person for OPS_USERS_FILE; asks for the password, or reads standard input',
    )
    .argument('<name>', 'what they log in as', by(userNameSchema))
    .requiredOption('--role <role>', 'viewer or operator', by(roleSchema))
    .action(async (name: string, { role }: { role: Role }) => {
      const password = process.stdin.isTTY ? await askTwice() : await readInput()
      const problem =
        typeof password === 'string' ? problemOf(password) : 'the two passwords are not the same'
      if (problem || password === undefined) {
        complain(problem ?? '')
        process.exit(EXIT.wrong)
      }
      print(await newUserLine(name, role, password))
      process.exit(EXIT.done)
    })
}

function problemOf(password: string): string | undefined {
  const { length } = password
  const isWithin = length >= SHORTEST_PASSWORD && length <= LONGEST_PASSWORD
  return isWithin
    ? undefined
    : `the password must be ${SHORTEST_PASSWORD} to ${LONGEST_PASSWORD} characters long`
}

/** @returns undefined where it was not the same twice */
async function askTwice(): Promise<string | undefined> {
  // What is typed goes nowhere; what is asked goes where it does not end up in the file.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  const stop = new AbortController()
  terminal.on('SIGINT', () => stop.abort())
  const ask = async (question: string) => {
    process.stderr.write(question)
    const answer = await terminal.question('', { signal: stop.signal }).catch(() => undefined)
    process.stderr.write('\n')
    if (answer === undefined) process.exit(EXIT.ended)
    return answer
  }
  const password = await ask('Password: ')
  const again = await ask('The same again: ')
  terminal.close()
  return password === again ? password : undefined
}

/** All of it but a line end. */
async function readInput(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk
    if (text.length > 2 * LONGEST_PASSWORD) break
  }
  return text.replace(/\r?\n$/, '')
}

function by<S extends z.ZodType>(schema: S): (text: string) => z.output<S> {
  return (text) => {
    const parsed = schema.safeParse(text)
    if (!parsed.success) throw new InvalidArgumentError(`It ${parsed.error.issues[0]?.message}.`)
    return parsed.data
  }
}
