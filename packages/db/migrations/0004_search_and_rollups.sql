-- Expand only: the release before runs on this schema.

-- How far the record of `events` has come: all below is recorded or set aside. Written with the rows themselves.
create table recorded_offsets (
  topic text collate "C" not null,
  partition integer not null,
  next_offset bigint not null,
  primary key (topic, partition)
) with (fillfactor = 50);
