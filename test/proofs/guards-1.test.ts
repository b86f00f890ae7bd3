import { testGuards } from './guards.ts'

testGuards(0, 2)
