// A workflow's file as the contents API shows it: the text that its settings stand for, unless a test gives its own.
import { createHash } from 'node:crypto'
import type { Addresses } from './addresses.ts'
import type { Settings, Workflow } from './settings.ts'

/** What a workflow that takes any input declares: a file has to name them. */
const USUAL_INPUTS: Record<string, { required?: boolean | undefined }> = {
  model_version: { required: true },
  model_accuracy: {},
  trigger_source: {},
  promotion_id: {},
  model_name: {},
  environment: {},
}

const input = (name: string) => `\${{ inputs.${name} }}`

const GUARD = [
  '  once:',
  '    runs-on: ubuntu-latest',
  '    steps:',
  '      - name: End here if an older run carries the same promotion',
  '        if: inputs.promotion_id',
  '        env:',
  `          PROMOTION_ID: ${input('promotion_id')}`,
  '        run: gh run list --json databaseId,displayTitle',
]

export function pathOf({ file }: Workflow): string {
  return `.github/workflows/${file}`
}

export function contentObject(workflow: Workflow, ref: string, { owner, repo }: Settings, at: Addresses) {
  const path = pathOf(workflow)
  const content = Buffer.from(textOf(workflow))
  const sha = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')
  const url = `${at.api}/repos/${owner}/${repo}/contents/${path}?ref=${ref}`
  const gitUrl = `${at.api}/repos/${owner}/${repo}/git/blobs/${sha}`
  const htmlUrl = `${at.pages}/${owner}/${repo}/blob/${ref}/${path}`
  return {
    type: 'file',
    encoding: 'base64',
    size: content.length,
    name: workflow.file,
    path,
    // In lines, as GitHub sends it.
    content: content.toString('base64').replaceAll(/.{1,60}/g, '$&\n'),
    sha,
    url,
    git_url: gitUrl,
    html_url: htmlUrl,
    download_url: `${at.pages}/${owner}/${repo}/raw/${ref}/${path}`,
    _links: { git: gitUrl, self: url, html: htmlUrl },
  }
}

function textOf({ text, name, runName, trigger, inputs, guard }: Workflow): string {
  if (text !== undefined) return text
  const declared = inputs === 'any' ? USUAL_INPUTS : inputs
  const lines = [
    `name: ${name}`,
    ...(runName
      ? [`run-name: Deploy ${['model_name', 'model_version', 'promotion_id'].map(input).join(' ')}`]
      : []),
    'on:',
    '  push:',
    '    branches: [main]',
    ...(trigger ? ['  workflow_dispatch:', ...inputLines(declared)] : []),
    'jobs:',
    ...(guard ? GUARD : []),
    '  deploy:',
    '    runs-on: ubuntu-latest',
    '    steps:',
    '      - run: echo Deploy',
  ]
  return `${lines.join('\n')}\n`
}

function inputLines(declared: Record<string, { required?: boolean | undefined }>): string[] {
  const names = Object.keys(declared)
  if (names.length === 0) return []
  const each = names.flatMap((name) => [
    `      ${name}:`,
    '        type: string',
    ...(declared[name]?.required ? ['        required: true'] : []),
  ])
  return ['    inputs:', ...each]
}
