/** The workflow files of this repository, read as GitHub reads them. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { ROOT } from './up.ts'

export interface Step {
  name?: string
  id?: string
  if?: string
  uses?: string
  run?: string
  env?: Record<string, string>
  with?: Record<string, unknown>
}

export interface JobOfFile {
  needs?: string
  permissions?: Record<string, string>
  environment?: string
  concurrency?: { group: string; 'cancel-in-progress': unknown }
  strategy?: { matrix: Record<string, unknown[]> }
  steps: Step[]
}

export interface WorkflowFile {
  name: string
  'run-name'?: string
  on: {
    push?: object
    workflow_dispatch?: {
      inputs: Record<string, { type: string; required?: boolean; default?: string }>
    }
  }
  permissions: Record<string, string>
  concurrency?: JobOfFile['concurrency']
  jobs: Record<string, JobOfFile>
}

export const WORKFLOWS = path.join(ROOT, '.github', 'workflows')

export const workflowNames = (): string[] => readdirSync(WORKFLOWS)

export const workflowText = (name: string): string => readFileSync(path.join(WORKFLOWS, name), 'utf8')

export const workflowFile = (name: string): WorkflowFile => parse(workflowText(name))

/** @throws where the job has no such step */
export function stepOf(file: WorkflowFile, job: string, name: string): Step {
  const step = file.jobs[job]?.steps.find((one) => one.name === name)
  if (!step) throw new Error(`no step "${name}" in job ${job}`)
  return step
}
