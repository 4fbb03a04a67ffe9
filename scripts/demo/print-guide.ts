export type GuideFacts = {
  readonly api: string;
  readonly operatorKey: string;
  readonly tenantId: string;
  readonly tenantKey: string;
  readonly receiverUrl: string;
  readonly firstEventId: string;
  readonly logDir: string;
};

/** What to try next: every line works when pasted as it is. */
export function guide(facts: GuideFacts): string {
  const { api, tenantId } = facts;
  const curl = `curl -sw '\\n' -H 'Authorization: Bearer ${facts.tenantKey}'`;
  const json = `-H 'Content-Type: application/json'`;
  const newest = `$(${curl} '${api}/v1/dlq?tenant_id=${tenantId}&limit=1' | grep -o '"delivery_id":"[^"]*' | head -1 | cut -d'"' -f4)`;
  const body = (value: object) => `-d '${JSON.stringify(value)}'`;
  return `
API            ${api}/v1
operator key   ${facts.operatorKey}
tenant key     ${facts.tenantKey}   (tenant ${tenantId})
logs           ${facts.logDir}

Register a webhook (it is shown its secret once):
  ${curl} ${json} ${api}/v1/webhooks ${body({ tenant_id: tenantId, url: facts.receiverUrl, event_types: ['order.*'] })}
Post an event:
  ${curl} ${json} ${api}/v1/events ${body({ tenant_id: tenantId, type: 'order.created', payload: { number: 1 } })}
Look at its deliveries (this is the first event of this run; yours is in the answer above):
  ${curl} ${api}/v1/events/${facts.firstEventId}
Quotas and their use:
  ${curl} ${api}/v1/quotas/${tenantId}
List the dead letters (the first is there within ten seconds):
  ${curl} '${api}/v1/dlq?tenant_id=${tenantId}'
Retry the newest of them:
  ${curl} -X POST "${api}/v1/dlq/${newest}/retry"
`;
}
