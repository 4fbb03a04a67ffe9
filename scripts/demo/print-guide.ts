export type GuideFacts = {
  /** Without `/v1`. */
  readonly api: string;
  readonly operatorKey: string;
  readonly tenantId: string;
  readonly tenantKey: string;
  /** Without a path: any but the demo's own answers 200. */
  readonly receiver: string;
  readonly firstEventId: string;
  readonly logDir: string;
  /** Where `guideVariables` are kept. */
  readonly variablesFile: string;
};

/** What the lines of the guide and the pages in docs/guides take from the shell. */
export function guideVariables({ api, operatorKey, tenantKey, receiver }: GuideFacts): string {
  return `export POSTHORN=${api} KEY=${operatorKey} TENANT_KEY=${tenantKey} RECEIVER=${receiver}\n`;
}

/** What to try next: every line works when pasted as it is, behind the first. */
export function guide(facts: GuideFacts): string {
  const { api, tenantId } = facts;
  const curl = `curl -sw '\\n' -H "Authorization: Bearer $TENANT_KEY"`;
  const json = `-H 'Content-Type: application/json'`;
  const newest = `$(${curl} "$POSTHORN/v1/dlq?limit=1" | grep -o '"delivery_id":"[^"]*' | head -1 | cut -d'"' -f4)`;
  const body = (value: object) => `-d '${JSON.stringify(value)}'`;
  return `
API            ${api}/v1   (every operation: ${api}/docs)
operator key   ${facts.operatorKey}
tenant key     ${facts.tenantKey}   (tenant ${tenantId})
logs           ${facts.logDir}

In another shell, this first; the pages in docs/guides use the same names:
  . '${facts.variablesFile}'
Register a webhook (its secret is shown this once):
  ${curl} ${json} $POSTHORN/v1/webhooks ${body({ tenant_id: tenantId, url: `${facts.receiver}/yours`, event_types: ['order.*'] })}
Post an event (its type has a schema: with "number": "one" the answer has a warning):
  ${curl} ${json} $POSTHORN/v1/events ${body({ tenant_id: tenantId, type: 'order.created', payload: { number: 1 } })}
Look at its deliveries (this is the first event of this run; yours is in the answer above):
  ${curl} $POSTHORN/v1/events/${facts.firstEventId}
Quotas and their use:
  ${curl} $POSTHORN/v1/quotas/${tenantId}
A token for the browser of one of the tenant's people, for 15 minutes:
  ${curl} ${json} $POSTHORN/v1/portal-tokens ${body({ scopes: ['read'], ttl_seconds: 900, user: 'ada@example.com' })}
List the dead letters (the first is there within ten seconds):
  ${curl} $POSTHORN/v1/dlq
Retry the newest of them:
  ${curl} -X POST "$POSTHORN/v1/dlq/${newest}/retry"
`;
}
