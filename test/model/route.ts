// Where everything goes in a world of the model.
export const REPOSITORY = 'acme/models'
export const WORKFLOW = 'cd_pipeline.yml'
export const SCOPE = `${REPOSITORY}/${WORKFLOW}`
