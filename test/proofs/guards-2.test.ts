import { testGuards } from './guards.ts'

testGuards(1, 2)
