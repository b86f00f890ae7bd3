import { defineConfig } from 'vitest/config'

/** Take minutes: `npm run test:proofs` runs them, `npm test` the others. */
const PROOFS = 'test/proofs/**/*.test.ts'

export default defineConfig({
  test: {
    include: process.env.PROOFS ? [PROOFS] : ['test/{unit,integration,e2e,model}/**/*.test.ts'],
    globalSetup: ['test/support/global-redis.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
