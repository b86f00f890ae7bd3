// What the REST API and the events show of a user, an organization or a bot.
import type { Addresses } from './addresses.ts'

export interface Account {
  login: string
  id: number
  type: 'User' | 'Organization' | 'Bot'
}

/** Whoever dispatches: every token is this one's. */
export const ACTOR: Account = { login: 'promotion-relay[bot]', id: 41_898_282, type: 'Bot' }

export function accountObject({ login, id, type }: Account, at: Addresses) {
  const url = `${at.api}/users/${encodeURIComponent(login)}`
  return {
    login,
    id,
    node_id: nodeId(type, id),
    avatar_url: `${at.pages}/avatars/${id}`,
    gravatar_id: '',
    url,
    html_url: `${at.pages}/${encodeURIComponent(login)}`,
    followers_url: `${url}/followers`,
    following_url: `${url}/following{/other_user}`,
    gists_url: `${url}/gists{/gist_id}`,
    starred_url: `${url}/starred{/owner}{/repo}`,
    subscriptions_url: `${url}/subscriptions`,
    organizations_url: `${url}/orgs`,
    repos_url: `${url}/repos`,
    events_url: `${url}/events{/privacy}`,
    received_events_url: `${url}/received_events`,
    type,
    site_admin: false,
  }
}

export function nodeId(kind: string, id: number): string {
  return `${kind}_${Buffer.from(String(id)).toString('base64url')}`
}
