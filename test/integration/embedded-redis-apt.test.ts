// A private copy from the distribution's packages: once with the real apt-get and its servers, as an ordinary
// user; the rest with programs of the test's own in apt's place.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { fetchFromApt } from '../../shared/redis/embedded/fetch-from-apt.ts'
import { checkServer, type FoundProgram, onPath } from '../../shared/redis/embedded/find-server.ts'
import { pollUntil, within } from '../../shared/redis/embedded/poll-until.ts'
import { findPrivateCopy } from '../../shared/redis/embedded/private-copy.ts'

const FETCH_MODULE = new URL('../../shared/redis/embedded/fetch-from-apt.ts', import.meta.url).href
const NOBODY = 65_534

/** A cache folder, and a PATH with stand-ins for apt's programs, each a shell script. */
async function setup(scripts: Record<string, string> = {}) {
  const root = await mkdtemp(path.join(tmpdir(), 'embedded-redis-apt-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  const cacheDir = path.join(root, 'a cache')
  const bin = path.join(root, 'bin')
  await mkdir(bin)
  for (const [name, body] of Object.entries(scripts)) {
    await writeFile(path.join(bin, name), `#!/bin/sh\n${body}\n`)
    await chmod(path.join(bin, name), 0o755)
  }
  const status = path.join(root, 'status')
  await writeFile(status, 'Package: sh\nStatus: install ok installed\n')
  const lines: string[] = []
  const log = (line: string) => lines.push(line)
  const fetch = () => fetchFromApt({ cacheDir, env: { PATH: bin }, systemStatusFile: status, log })
  const leftovers = () => readdir(path.join(cacheDir, 'redis')).catch(() => [])
  return { root, cacheDir, bin, status, fetch, lines, leftovers }
}

const QUIET = { 'apt-get': 'exit 0', 'apt-cache': 'exit 0', 'apt-config': 'exit 0', 'dpkg-deb': 'exit 0' }

/** Why apt-get can't be asked for real here, in plain words; by apt's own downloader, not by what is tested. */
function whyNotForReal(): string | undefined {
  const listing = spawnSync('apt-get', ['update', '--print-uris'], { encoding: 'utf8' })
  if (listing.error) return 'there is no apt-get on this machine'
  const uri = /^'(\S+)'/m.exec(listing.stdout)?.[1]
  if (!uri) return 'apt-get has no sources on this machine'
  const target = path.join(tmpdir(), `apt-answers-${process.pid}`)
  const helper = ['-o', 'APT::Sandbox::User=root', 'download-file', uri, target]
  const answer = spawnSync('/usr/lib/apt/apt-helper', helper, { timeout: 30_000 })
  spawnSync('rm', ['-f', target])
  return answer.status === 0 ? undefined : "apt-get gets no answer from the distribution's servers"
}

const systemState = () =>
  execFileSync('find', ['/var/lib/apt', '/var/cache/apt', '/var/lib/dpkg', '-printf', '%p %T@ %s\n'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })

test('an ordinary user gets a copy that runs, two at once fetch it once, and the system is untouched', async ({
  skip,
}) => {
  const reason = whyNotForReal()
  skip(reason !== undefined, reason)
  const { root, cacheDir, leftovers } = await setup()
  await mkdir(cacheDir)
  const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  if (asNobody.uid) {
    await chmod(root, 0o755)
    await chown(cacheDir, NOBODY, NOBODY)
  }
  const before = systemState()
  const script = `
    const { fetchFromApt } = await import(${JSON.stringify(FETCH_MODULE)})
    const lines = []
    const fetch = () => fetchFromApt({ cacheDir: ${JSON.stringify(cacheDir)}, env: process.env, log: (line) => lines.push(line) })
    console.log(JSON.stringify({ found: await Promise.all([fetch(), fetch()]), lines }))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    ...asNobody,
    cwd: '/',
    env: { ...process.env, HOME: '/nonexistent' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  const { found, lines } = JSON.parse(line) as { found: FoundProgram[]; lines: string[] }

  expect(found).toMatchObject([{ ok: true }, { ok: true }])
  const [made, taken] = found.flatMap((each) => (each.ok ? [each.program] : []))
  expect([made?.origin, taken?.origin].sort()).toEqual(['apt', 'cache'])
  expect(made?.command).toBe(taken?.command)
  expect(lines.filter((each) => each.includes('package lists'))).toHaveLength(1)
  expect(await checkServer(made ?? { command: '' }, process.env)).toMatchObject({ ok: true })
  expect((await leftovers()).filter((name) => !name.startsWith('redis-server_'))).toEqual(['.fetch.lock'])
  expect(systemState()).toBe(before)
  expect(await findPrivateCopy({ cacheDir, env: process.env })).toMatchObject({
    ok: true,
    program: { origin: 'cache', command: made?.command },
  })
}, 240_000)

test('a fetch that is killed leaves no copy to believe in, and the next one clears what it left', async () => {
  const { root, cacheDir, fetch, leftovers, bin, status } = await setup({
    ...QUIET,
    'apt-get': 'echo $$ > "$(dirname "$0")/../hanging"; exec /bin/sleep 60',
  })
  const options = { cacheDir, env: { PATH: `${bin}:/bin:/usr/bin` }, systemStatusFile: status }
  const script = `
    const { fetchFromApt } = await import(${JSON.stringify(FETCH_MODULE)})
    await fetchFromApt(${JSON.stringify(options)})`
  const killed = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
  const hanging = await pollUntil(
    async () => Number(await readFile(path.join(root, 'hanging'), 'utf8').catch(() => '')) || undefined,
    { deadlineAt: within(10_000) },
  )
  killed.kill('SIGKILL')
  await once(killed, 'exit')
  process.kill(hanging ?? 0, 'SIGKILL')

  const left = (await leftovers()).filter((name) => name.startsWith('.fetching-'))
  expect(left).toHaveLength(1)
  expect(await findPrivateCopy({ cacheDir, env: {} })).toMatchObject({ ok: false })
  await writeFile(path.join(bin, 'apt-get'), '#!/bin/sh\nexit 0\n')
  await fetch()
  expect(await leftovers()).toEqual(['.fetch.lock'])
})

test('a copy that does not run is not kept', async () => {
  const { fetch, leftovers, bin } = await setup({
    ...QUIET,
    'apt-cache': 'echo "  Candidate: 5:7.0.15-1"',
    'apt-get':
      'for word; do case "$word" in Dir::Cache::archives=*) : > "$(echo "$word" | cut -d= -f2)/redis.deb" ;; esac; done',
    'dpkg-deb':
      'mkdir -p "$3/usr/bin"; printf "#!/bin/sh\\nexit 1\\n" > "$3/usr/bin/redis-server"; chmod +x "$3"/usr/bin/*',
  })
  for (const tool of ['mkdir', 'chmod', 'cut']) {
    const [real = ''] = await onPath(tool, { PATH: '/bin:/usr/bin' })
    await symlink(real, path.join(bin, tool))
  }
  expect(await fetch()).toMatchObject({ ok: false, reason: expect.stringContaining('does not run') })
  expect(await leftovers()).toEqual(['.fetch.lock'])
})

test('a distribution whose Redis and Valkey are too old is passed over, and not advised', async () => {
  const { fetch } = await setup({ ...QUIET, 'apt-cache': 'echo "  Candidate: 5:6.0.16-1ubuntu1"' })
  const found = await fetch()
  expect(found).toMatchObject({
    ok: false,
    reason: expect.stringContaining('has only redis-server 5:6.0.16-1ubuntu1'),
  })
  expect(found).not.toHaveProperty('cure')
})

test('servers that cannot be reached are the reason given, without the credentials of a source', async () => {
  const { fetch } = await setup({
    ...QUIET,
    'apt-get':
      'echo "E: Failed to fetch http://me:secret@deb.example/dists/x  Could not resolve" >&2; exit 100',
  })
  const found = await fetch()
  expect(found).toMatchObject({ ok: false, cure: 'sudo apt-get install redis-server' })
  expect(found).toMatchObject({
    reason: expect.stringContaining('http://deb.example/dists/x  Could not resolve'),
  })
})

test('a machine without apt is told from one whose apt fails', async () => {
  const { fetch } = await setup()
  expect(await fetch()).toEqual({ ok: false, reason: 'apt-get is not there' })
})

test('a cache folder that cannot be written is named', async () => {
  const { fetch, cacheDir } = await setup(QUIET)
  await writeFile(cacheDir, '')
  expect(await fetch()).toMatchObject({ ok: false, reason: expect.stringContaining(cacheDir) })
})
