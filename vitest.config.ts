import { defineConfig } from 'vitest/config'

/** Takes minutes: each guard is taken out once, and the model check must notice. `npm run test:guards` runs it. */
const GUARDS = 'test/model/guards.test.ts'

export default defineConfig({
  test: {
    exclude: process.env.GUARDS ? [] : [GUARDS],
    include: ['test/{unit,integration,e2e,model}/**/*.test.ts'],
    globalSetup: ['test/support/global-redis.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
