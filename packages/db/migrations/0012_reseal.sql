-- Expand only: the release before runs on this schema.

-- What is sealed anew, under another key, says what it said: in a transaction that says so with
-- `set local posthorn.resealing = 'on'` an update of endpoints is no change of the configuration. It takes no number, no
-- cache reads it again, and nobody's concurrent change is refused because of it.
drop trigger endpoints_stamp on endpoints;
create trigger endpoints_stamp before insert or update on endpoints
  for each row when (current_setting('posthorn.resealing', true) is distinct from 'on')
  execute function stamp_endpoint();
drop trigger endpoints_touch on endpoints;
create trigger endpoints_touch after insert or update or delete on endpoints
  for each row when (current_setting('posthorn.resealing', true) is distinct from 'on')
  execute function touch_tenant();
