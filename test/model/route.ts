// Where everything goes in a world of the model.
export const REPOSITORY = 'acme/models'
export const WORKFLOW = 'cd_pipeline.yml'
export const SCOPE = `${REPOSITORY}/${WORKFLOW}`

export const promotionIdsIn = (title: string): string[] => title.match(/[0-9a-f]{8}-[0-9a-f-]{27}/g) ?? []
