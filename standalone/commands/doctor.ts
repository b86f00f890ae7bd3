/** `promotion-relay doctor`: what is wrong, and what to do about it, in one look. */
import type { Command } from 'commander'
import { type Environment, type Settings, secretsOf } from '../../shared/config.ts'
import { createRedactor } from '../../shared/redact.ts'
import { address, EXIT, print } from '../command-line.ts'
import type { Group } from '../doctor/doctor.ts'
import { countOf } from '../doctor/finding.ts'
import { readRelayAddress } from '../relay-file.ts'

interface DoctorFlags {
  url?: string
  json?: boolean
  strict?: boolean
}

export function addDoctor(program: Command, environment: () => Environment): void {
  program
    .command('doctor')
    .description('looks at Redis, GitHub, the workflow and the relay: what is wrong, and what to do')
    .option('--url <address>', "the relay's server, where it must be there", address)
    .option('--strict', 'warnings count as faults')
    .option('--json', 'print the findings as JSON')
    .addHelpText(
      'after',
      `
It reads only. Exit codes:
  0  nothing is wrong, or there are warnings only
  1  there is a fault; with --strict: or a warning
  2  the settings are wrong`,
    )
    .action(async (flags: DoctorFlags) => {
      process.exit(await doctor(flags, environment()))
    })
}

async function doctor({ url, json, strict }: DoctorFlags, env: Environment): Promise<number> {
  const [{ diagnose }, { lookAtSettings }, { findRedis }, { printFindings }] = await Promise.all([
    import('../doctor/doctor.ts'),
    import('../doctor/settings.ts'),
    import('../doctor/find-redis.ts'),
    import('../doctor/print.ts'),
  ])
  const { settings, findings } = lookAtSettings(env)
  const redis = findRedis(settings)
  const redact = createRedactor([...secretsOf(settings), ...(redis?.secrets ?? [])])
  const looked = await diagnose({
    settings,
    redisUrl: redis?.url,
    server: serverOf(settings, url ?? (env.RELAY_URL?.replace(/\/+$/, '') || undefined)),
    workers: true,
    redact,
  })
  const groups: Group[] = [{ about: 'Settings', findings }, ...looked]
  if (json) printJson(groups)
  else {
    const { stdout } = process
    printFindings(groups, { print, stream: stdout, columns: stdout.isTTY ? stdout.columns : undefined })
  }
  return exitCode(groups, strict === true)
}

/** By name, or the relay that runs in DATA_DIR, or what listens where `serve` would. */
function serverOf({ DATA_DIR: dataDir, HOST: host, PORT: port }: Settings, named: string | undefined) {
  if (named !== undefined) return { url: named, asked: true }
  const local = readRelayAddress(dataDir)?.url
  const reached = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return { url: local ?? `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`, asked: false }
}

function printJson(groups: readonly Group[]): void {
  const findings = groups.flatMap((group) => group.findings.map((one) => ({ about: group.about, ...one })))
  const counts = {
    faults: countOf(findings, 'fault'),
    warnings: countOf(findings, 'warning'),
    ok: countOf(findings, 'ok'),
    unknown: countOf(findings, 'unknown'),
  }
  print(JSON.stringify({ ...counts, findings }))
}

function exitCode(groups: readonly Group[], strict: boolean): number {
  const findings = groups.flatMap((group) => group.findings)
  if (findings.some(({ name, status }) => name === 'settings' && status === 'fault')) return EXIT.wrong
  const wrong = countOf(findings, 'fault') + (strict ? countOf(findings, 'warning') : 0)
  return wrong > 0 ? EXIT.ended : EXIT.done
}
