import { expect, test } from 'vitest'
import { wrongNodeProblem } from '../../shared/redis/connect.ts'

test('a node of a Cluster without our keys is told of, with the one that has them', () => {
  const problem = wrongNodeProblem(new Error('MOVED 8094 10.0.0.7:6379'))

  expect(problem).toContain('name 10.0.0.7:6379')
  expect(problem).toContain('slot 8094')
})

test.each(['READONLY You can not write', 'ECONNREFUSED', 'a value MOVED 1 x:1'])(
  '%s is another fault',
  (message) => {
    expect(wrongNodeProblem({ message })).toBeUndefined()
  },
)
