// What the REST API shows of a run and a workflow.
import type { RestEndpointMethodTypes } from '@octokit/rest'
import { ACTOR, accountObject, nodeId } from './account-object.ts'
import type { Addresses } from './addresses.ts'
import { minimalRepository } from './repository-object.ts'
import type { Settings, Workflow } from './settings.ts'
import type { SimulatedRun } from './simulated-run.ts'

type PublishedRun = RestEndpointMethodTypes['actions']['getWorkflowRun']['response']['data']
const COMMITTER = { name: 'Simulated', email: 'simulated@example.com' }

export function runObject(
  run: SimulatedRun,
  workflow: Workflow,
  settings: Settings,
  at: Addresses,
): PublishedRun {
  const url = `${at.api}/repos/${settings.owner}/${settings.repo}/actions/runs/${run.id}`
  const repository = minimalRepository(settings, at)
  const actor = accountObject(ACTOR, at)
  return {
    id: run.id,
    name: workflow.name,
    node_id: nodeId('WFR', run.id),
    check_suite_id: run.id,
    check_suite_node_id: nodeId('CS', run.id),
    head_branch: run.ref,
    head_sha: run.headSha,
    path: `.github/workflows/${workflow.file}`,
    display_title: run.displayTitle,
    run_number: run.runNumber,
    run_attempt: run.runAttempt,
    event: 'workflow_dispatch',
    status: run.status,
    conclusion: run.conclusion,
    workflow_id: workflow.id,
    url,
    html_url: runPageUrl(run.id, settings, at),
    pull_requests: [],
    created_at: toSecond(run.createdAt),
    updated_at: toSecond(run.updatedAt),
    run_started_at: toSecond(run.startedAt),
    actor,
    triggering_actor: actor,
    jobs_url: `${url}/jobs`,
    logs_url: `${url}/logs`,
    check_suite_url: `${repository.url}/check-suites/${run.id}`,
    artifacts_url: `${url}/artifacts`,
    cancel_url: `${url}/cancel`,
    rerun_url: `${url}/rerun`,
    previous_attempt_url: run.runAttempt > 1 ? `${url}/attempts/${run.runAttempt - 1}` : null,
    workflow_url: `${repository.url}/actions/workflows/${workflow.id}`,
    head_commit: {
      id: run.headSha,
      tree_id: run.headSha,
      message: 'Simulated',
      timestamp: toSecond(run.createdAt),
      author: COMMITTER,
      committer: COMMITTER,
    },
    repository,
    head_repository: repository,
  }
}

/** What a client of runs goes by, and nothing around it. */
export function bareRunObject(run: SimulatedRun, settings: Settings, at: Addresses) {
  return {
    id: run.id,
    display_title: run.displayTitle,
    run_attempt: run.runAttempt,
    event: 'workflow_dispatch',
    status: run.status,
    conclusion: run.conclusion,
    html_url: runPageUrl(run.id, settings, at),
    created_at: toSecond(run.createdAt),
    updated_at: toSecond(run.updatedAt),
  }
}

export function workflowObject(workflow: Workflow, settings: Settings, at: Addresses) {
  const { owner, repo } = settings
  return {
    id: workflow.id,
    node_id: nodeId('W', workflow.id),
    name: workflow.name,
    path: `.github/workflows/${workflow.file}`,
    state: workflow.state,
    created_at: '2026-01-01T00:00:00Z',
    updated_at: '2026-01-01T00:00:00Z',
    url: `${at.api}/repos/${owner}/${repo}/actions/workflows/${workflow.id}`,
    html_url: `${at.pages}/${owner}/${repo}/blob/main/.github/workflows/${workflow.file}`,
    badge_url: `${at.pages}/${owner}/${repo}/workflows/${encodeURIComponent(workflow.name)}/badge.svg`,
  }
}

export function runPageUrl(runId: number, { owner, repo }: Settings, at: Addresses): string {
  return `${at.pages}/${owner}/${repo}/actions/runs/${runId}`
}

/** GitHub shows whole seconds. */
export function toSecond(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`
}
