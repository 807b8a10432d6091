-- How many streams agencies may have at once.

create table stream_limits (
  agency text not null primary key references agencies,
  full_streams integer not null check (full_streams >= 0),
  reduced_streams integer not null check (reduced_streams >= 0),
  offers_reduced integer not null check (offers_reduced in (0, 1))
) strict, without rowid;

create table stream_totals (
  one integer primary key check (one = 1),
  full_streams integer not null check (full_streams >= 0),
  reduced_streams integer not null check (reduced_streams >= 0)
) strict;

insert into stream_limits (agency, full_streams, reduced_streams, offers_reduced)
select code, full_streams, full_streams, 1 from agencies join (
  select 'DUBAI_POLICE' as agency, 50 as full_streams
  union all select 'METRO', 30
  union all select 'BUS', 20
  union all select 'OTHER', 400
) on agency = code;

insert into stream_totals (one, full_streams, reduced_streams) values (1, 500, 500);
