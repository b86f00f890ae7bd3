// What the REST API and the events show of the repository: few fields inside a run, more of its own.
import { accountObject } from './account-object.ts'
import type { Addresses } from './addresses.ts'
import type { Settings } from './settings.ts'

/** Paths below the repository's own, as URI templates. */
const LINKS = {
  archive_url: '/{archive_format}{/ref}',
  assignees_url: '/assignees{/user}',
  blobs_url: '/git/blobs{/sha}',
  branches_url: '/branches{/branch}',
  collaborators_url: '/collaborators{/collaborator}',
  comments_url: '/comments{/number}',
  commits_url: '/commits{/sha}',
  compare_url: '/compare/{base}...{head}',
  contents_url: '/contents/{+path}',
  contributors_url: '/contributors',
  deployments_url: '/deployments',
  downloads_url: '/downloads',
  events_url: '/events',
  forks_url: '/forks',
  git_commits_url: '/git/commits{/sha}',
  git_refs_url: '/git/refs{/sha}',
  git_tags_url: '/git/tags{/sha}',
  hooks_url: '/hooks',
  issue_comment_url: '/issues/comments{/number}',
  issue_events_url: '/issues/events{/number}',
  issues_url: '/issues{/number}',
  keys_url: '/keys{/key_id}',
  labels_url: '/labels{/name}',
  languages_url: '/languages',
  merges_url: '/merges',
  milestones_url: '/milestones{/number}',
  notifications_url: '/notifications{?since,all,participating}',
  pulls_url: '/pulls{/number}',
  releases_url: '/releases{/id}',
  stargazers_url: '/stargazers',
  statuses_url: '/statuses/{sha}',
  subscribers_url: '/subscribers',
  subscription_url: '/subscription',
  tags_url: '/tags',
  teams_url: '/teams',
  trees_url: '/git/trees{/sha}',
}
export const REPOSITORY_ID = 1_296_269
const CREATED_AT = '2026-01-01T00:00:00Z'

/** As it stands inside a run. */
export function minimalRepository({ owner, repo }: Settings, at: Addresses) {
  const url = `${at.api}/repos/${owner}/${repo}`
  const links = Object.entries(LINKS).map(([name, path]) => [name, `${url}${path}`])
  return {
    id: REPOSITORY_ID,
    node_id: 'MDEwOlJlcG9zaXRvcnkxMjk2MjY5',
    name: repo,
    full_name: `${owner}/${repo}`,
    private: true,
    owner: accountObject({ login: owner, id: 1, type: 'Organization' }, at),
    html_url: `${at.pages}/${owner}/${repo}`,
    description: null,
    fork: false,
    url,
    ...(Object.fromEntries(links) as Record<keyof typeof LINKS, string>),
  }
}

/** As an event shows it. */
export function eventRepository(settings: Settings, at: Addresses) {
  const minimal = minimalRepository(settings, at)
  const sshHost = new URL(at.pages).hostname
  return {
    ...minimal,
    clone_url: `${minimal.html_url}.git`,
    git_url: `git://${sshHost}/${minimal.full_name}.git`,
    ssh_url: `git@${sshHost}:${minimal.full_name}.git`,
    svn_url: minimal.html_url,
    mirror_url: null,
    homepage: null,
    language: null,
    license: null,
    default_branch: 'main',
    visibility: 'private',
    topics: [],
    archived: false,
    disabled: false,
    is_template: false,
    allow_forking: false,
    web_commit_signoff_required: false,
    has_issues: true,
    has_projects: true,
    has_wiki: true,
    has_pages: false,
    has_discussions: false,
    has_downloads: true,
    forks: 0,
    forks_count: 0,
    open_issues: 0,
    open_issues_count: 0,
    stargazers_count: 0,
    watchers: 0,
    watchers_count: 0,
    size: 108,
    created_at: CREATED_AT,
    updated_at: CREATED_AT,
    pushed_at: CREATED_AT,
  }
}

/** As it is read by itself. */
export function fullRepository(settings: Settings, at: Addresses) {
  const { has_downloads: _gone, ...shown } = eventRepository(settings, at)
  return {
    ...shown,
    archived: settings.archived,
    network_count: 0,
    subscribers_count: 0,
    permissions: { admin: false, maintain: false, push: true, triage: true, pull: true },
  }
}
