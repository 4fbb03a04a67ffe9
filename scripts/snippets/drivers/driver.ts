import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const { verifyWebhook } = await import(pathToFileURL('verify-webhook.mjs').href);
const bytes = (field: string | undefined): Buffer =>
  Buffer.from(field === '-' ? '' : (field ?? ''), 'base64');

for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const [secret, id, timestamp, signature, body, now] = line.split(' ');
  const headers = {
    'webhook-id': String(bytes(id)),
    'webhook-timestamp': String(bytes(timestamp)),
    'webhook-signature': String(bytes(signature)),
  };
  console.log(verifyWebhook(String(bytes(secret)), headers, bytes(body), Number(now)) ? 'ok' : 'no');
}
