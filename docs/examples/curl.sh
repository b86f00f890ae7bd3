#!/usr/bin/env bash
# curl, from any pipeline: promotes, and waits until it is live or will not be. RELAY_URL, RELAY_API_TOKEN and RUN_ID, which
# names the training run, are in the environment. Tried again it is the same promotion: by its key.
set -euo pipefail

# What another try may mend (5xx, 429, no connection) is tried again; each refusal is said, and has no id.
relay() {
  curl --silent --show-error --fail-with-body --max-time 60 --retry 5 --retry-connrefused \
    --header "Authorization: Bearer $RELAY_API_TOKEN" "$@"
}

promotion=$(relay "$RELAY_URL/v1/promotions" \
  --header 'Content-Type: application/json' --header "Idempotency-Key: $RUN_ID" \
  --data '{"model": "fraud-detector", "version": "5", "accuracy": 0.9234}')
echo "$promotion"

id=$(jq --raw-output '.id // empty' <<<"$promotion")
state=accepted
while [[ $state =~ ^(accepted|dispatching|dispatched)$ ]]; do
  state=$(relay "$RELAY_URL/v1/promotions/$id?wait=30" | jq --raw-output '.state // empty')
done
echo "$state"
[ "$state" = deployed ]
