set -eu

read_field() { [ "$1" = - ] || printf '%s' "$1" | base64 -d; }

while read -r secret id timestamp signature body now; do
  if read_field "$body" | env SECRET="$(read_field "$secret")" WEBHOOK_ID="$(read_field "$id")" \
    WEBHOOK_TIMESTAMP="$(read_field "$timestamp")" WEBHOOK_SIGNATURE="$(read_field "$signature")" \
    NOW="$now" bash verify-webhook.sh; then
    echo ok
  else
    echo no
  fi
done
