-- Expand only: the release before runs on this schema.

-- The URL that agreed to get this endpoint's requests; another one than `url`, or null, is not known to. It is asked
-- for where the operator requires it (ENDPOINT_VERIFICATION).
alter table endpoints
  add column verified_url text,
  add column verified_at timestamptz;
