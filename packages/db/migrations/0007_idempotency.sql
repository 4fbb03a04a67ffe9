-- Expand only: the release before runs on this schema.

-- Requests that are to make one event however often they are sent: those with an idempotency key, with a sender's own
-- id of the event, or both. A row is leased to one request, then has its answer, and goes a day after it was made.
create table event_claims (
  -- The event that it makes, whoever produces it.
  event_id uuid primary key,
  tenant_id text collate "C" not null,
  idempotency_key text collate "C",
  client_event_id text collate "C",
  body_hash bytea not null,
  -- Of `events`: where the holder of the lease produces.
  partition integer not null,
  lease_id uuid not null,
  lease_until timestamptz not null,
  -- JSON as it was sent; null until it is known.
  answer text,
  expires_at timestamptz not null,
  check (idempotency_key is not null or client_event_id is not null)
) with (fillfactor = 80);
create unique index event_claims_by_key on event_claims (tenant_id, idempotency_key)
  where idempotency_key is not null;
create unique index event_claims_by_client_id on event_claims (tenant_id, client_event_id)
  where client_event_id is not null;
create index event_claims_by_expiry on event_claims (expires_at);

alter table events add column client_event_id text collate "C";
create index events_by_client_id on events (tenant_id, client_event_id) where client_event_id is not null;
