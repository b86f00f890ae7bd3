import { defineConfig } from 'vitest/config'

interface Lane {
  include: string[]
  globalSetup: string
  testTimeout?: number
  hookTimeout?: number
  fileParallelism?: boolean
}

/** What takes minutes, or what a newcomer's machine may not have, is run by name: `npm run test:<lane>`. */
const LANES: Readonly<Record<string, Lane>> = {
  default: {
    include: ['test/{unit,integration,e2e,model}/**/*.test.ts'],
    globalSetup: 'test/support/global-redis.ts',
  },
  /** A producer and a worker killed at each line; each guard taken out. */
  proofs: { include: ['test/proofs/**/*.test.ts'], globalSetup: 'test/support/global-redis.ts' },
  /** Board and dashboard in a real Chromium. */
  browser: {
    include: ['test/browser/**/*.test.ts'],
    globalSetup: 'test/support/global-redis.ts',
    testTimeout: 60_000,
  },
  /** Packs the package, and installs it with what the registry has today. */
  package: { include: ['test/package/**/*.test.ts'], globalSetup: 'test/support/global-redis.ts' },
  /** The API against its description, by schemathesis from PyPI. */
  schemathesis: { include: ['test/schemathesis/**/*.test.ts'], globalSetup: 'test/support/global-redis.ts' },
  /** The bench in its smallest form, a section after another; `npm run bench` for figures. */
  bench: {
    include: ['test/bench/**/*.test.ts'],
    globalSetup: 'test/support/global-redis.ts',
    testTimeout: 240_000,
  },
  /** The images, built and run. */
  containers: { include: ['test/containers/**/*.test.ts'], globalSetup: 'test/containers/images.ts' },
  /**
   * From a training pipeline to MLflow's tags: by `npm run e2e:ct`, which brings MLflow and Prefect. One file after
   * another, since each relay follows all of the registry. Importing MLflow alone is seconds.
   */
  ct: {
    include: ['test/ct/**/*.test.ts'],
    globalSetup: 'test/ct/servers.ts',
    testTimeout: 240_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
}
const lane = LANES[process.env.LANE ?? 'default']
if (!lane) throw new Error(`LANE is one of ${Object.keys(LANES).join(', ')}`)

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // More than cores: most of them wait for something most of the time.
    maxWorkers: 4,
    ...lane,
  },
})
