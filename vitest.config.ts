import { defineConfig } from 'vitest/config'

/** Take minutes: `npm run test:proofs` runs them, `npm test` the others. */
const PROOFS = 'test/proofs/**/*.test.ts'
/** Packs, and installs with what the registry has today: half a minute that `npm run test:package` takes. */
const PACKAGE = 'test/e2e/package.test.ts'

const others = ['test/{unit,integration,e2e,model}/**/*.test.ts']

export default defineConfig({
  test: {
    include: process.env.PROOFS ? [PROOFS] : process.env.PACKAGE ? [PACKAGE] : others,
    exclude: process.env.PACKAGE ? [] : [PACKAGE],
    globalSetup: ['test/support/global-redis.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
