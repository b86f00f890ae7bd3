// What the REST API shows of a run, a workflow and the repository. The compiler holds the run's fields against
// GitHub's published description, but for the long nested objects, of which a client reads a name at most.
import type { RestEndpointMethodTypes } from '@octokit/rest'
import type { Settings, Workflow } from './settings.ts'
import type { SimulatedRun } from './simulated-run.ts'

/** Where the answering server is found by this caller. */
export interface Addresses {
  /** Root of the API as it was addressed, with /api/v3 when that was used. */
  api: string
  /** Root of the pages. */
  pages: string
}

type PublishedRun = RestEndpointMethodTypes['actions']['getWorkflowRun']['response']['data']
type Nested = 'repository' | 'head_repository' | 'actor' | 'triggering_actor' | 'head_commit'

interface RunObject extends Omit<PublishedRun, Nested> {
  actor: object
  triggering_actor: object
  repository: object
  head_repository: object
  head_commit: object
}

export const ACTOR = {
  login: 'promotion-relay[bot]',
  id: 41_898_282,
  node_id: 'MDM6Qm90NDE4OTgyODI=',
  type: 'Bot',
}
const REPOSITORY_ID = 1_296_269

export function runObject(
  run: SimulatedRun,
  workflow: Workflow,
  settings: Settings,
  at: Addresses,
): RunObject {
  const url = `${at.api}/repos/${settings.owner}/${settings.repo}/actions/runs/${run.id}`
  const repository = repositoryObject(settings, at)
  return {
    id: run.id,
    name: workflow.name,
    node_id: `WFR_${Buffer.from(String(run.id)).toString('base64url')}`,
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
    actor: ACTOR,
    triggering_actor: ACTOR,
    jobs_url: `${url}/jobs`,
    logs_url: `${url}/logs`,
    check_suite_url: `${repository.url}/check-suites/${run.id}`,
    artifacts_url: `${url}/artifacts`,
    cancel_url: `${url}/cancel`,
    rerun_url: `${url}/rerun`,
    previous_attempt_url: run.runAttempt > 1 ? `${url}/attempts/${run.runAttempt - 1}` : null,
    workflow_url: `${repository.url}/actions/workflows/${workflow.id}`,
    head_commit: { id: run.headSha, message: 'Simulated', timestamp: toSecond(run.createdAt) },
    repository,
    head_repository: repository,
  }
}

export function workflowObject(workflow: Workflow, settings: Settings, at: Addresses) {
  const { owner, repo } = settings
  return {
    id: workflow.id,
    node_id: `W_${workflow.id}`,
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

export function repositoryObject({ owner, repo }: Settings, at: Addresses) {
  return {
    id: REPOSITORY_ID,
    node_id: 'MDEwOlJlcG9zaXRvcnkxMjk2MjY5',
    name: repo,
    full_name: `${owner}/${repo}`,
    private: true,
    owner: { login: owner, id: 1, type: 'Organization' },
    html_url: `${at.pages}/${owner}/${repo}`,
    url: `${at.api}/repos/${owner}/${repo}`,
    default_branch: 'main',
    archived: false,
    disabled: false,
    permissions: { admin: false, maintain: false, push: true, triage: true, pull: true },
  }
}

export function runPageUrl(runId: number, { owner, repo }: Settings, at: Addresses): string {
  return `${at.pages}/${owner}/${repo}/actions/runs/${runId}`
}

/** GitHub shows whole seconds. */
export function toSecond(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`
}
