require_relative "verify_webhook"

def read(field) = field == "-" ? "" : field.unpack1("m0")

def text(field) = read(field).force_encoding(Encoding::UTF_8)

$stdin.each_line do |line|
  secret, id, timestamp, signature, body, now = line.split
  headers = {
    "webhook-id" => text(id),
    "webhook-timestamp" => text(timestamp),
    "webhook-signature" => text(signature),
  }
  puts verify_webhook(text(secret), headers, read(body), Integer(now)) ? "ok" : "no"
end
