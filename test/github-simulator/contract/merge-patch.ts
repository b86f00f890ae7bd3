// JSON Merge Patch (RFC 7396): how one description differs from another, and the other made out of it again.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

export function merged(target: JsonObject, patch: JsonObject): JsonObject {
  const result = { ...target }
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) delete result[key]
    else if (isObject(change)) result[key] = merged(objectOr(result[key]), change)
    else result[key] = change
  }
  return result
}

/** The patch that makes `to` out of `from`. Neither may have a member that is null: a patch can't say that. */
export function mergePatchOf(from: JsonObject, to: JsonObject): JsonObject {
  const patch: JsonObject = {}
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const [before, after] = [from[key], to[key]]
    if (after === undefined) patch[key] = null
    else if (isObject(before) && isObject(after)) {
      const inner = mergePatchOf(before, after)
      if (Object.keys(inner).length > 0) patch[key] = inner
    } else if (JSON.stringify(before) !== JSON.stringify(after)) patch[key] = after
  }
  return patch
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function objectOr(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {}
}
