// The payload of a `workflow_run` event. In it `name` is the run's own name, as in `display_title`, and not the
// workflow's as in the REST API: https://github.com/actions/runner/issues/4141
import { ACTOR, accountObject, nodeId } from './account-object.ts'
import type { Addresses } from './addresses.ts'
import { eventRepository } from './repository-object.ts'
import type { RunNews } from './run-news.ts'
import { runObject, workflowObject } from './run-object.ts'
import { type Settings, workflowOf } from './settings.ts'

export function webhookPayload({ action, run }: RunNews, settings: Settings, at: Addresses) {
  const workflow = workflowOf(run, settings)
  const repository = eventRepository(settings, at)
  return {
    action,
    workflow_run: { ...runObject(run, workflow, settings, at), name: run.displayTitle },
    workflow: workflowObject(workflow, settings, at),
    repository,
    organization: organizationObject(repository.owner.login, repository.owner.id, at),
    sender: accountObject(ACTOR, at),
  }
}

function organizationObject(login: string, id: number, at: Addresses) {
  const url = `${at.api}/orgs/${login}`
  return {
    login,
    id,
    node_id: nodeId('Organization', id),
    url,
    repos_url: `${url}/repos`,
    events_url: `${url}/events`,
    hooks_url: `${url}/hooks`,
    issues_url: `${url}/issues`,
    members_url: `${url}/members{/member}`,
    public_members_url: `${url}/public_members{/member}`,
    avatar_url: `${at.pages}/avatars/${id}`,
    description: null,
  }
}
