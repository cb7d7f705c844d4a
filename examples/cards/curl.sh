#!/bin/sh
# The curl sample of the 1b's and the 300m's card. It names neither a model (there is only one) nor a
# role: start the server with --default-input-type query.
curl --silent --show-error --include http://127.0.0.1:8000/v1/embeddings \
  --header 'Authorization: Bearer ' \
  --header 'Accept: application/json' \
  --header 'Content-Type: application/json' \
  --data '{
    "encoding_format": "float",
    "truncate": "NONE",
    "messages": [{"role": "user", "content": "where do oxbow lakes come from?"}]
  }'
