-- The first schema. What each table and column means stands in `../schema.sql`.

create table agencies (
  code text not null primary key check (length(code) between 1 and 32),
  name_en text not null,
  name_ar text not null
) strict, without rowid;

create table sites (
  id blob not null primary key check (length(id) = 16),
  name text not null unique
) strict, without rowid;

create table agents (
  id blob not null primary key check (length(id) = 16),
  site_id blob not null references sites,
  name text not null,
  public_key blob not null unique check (length(public_key) = 32),
  certificate blob not null check (length(certificate) = 32),
  enrolled_us integer not null,
  revoked_us integer,
  boot_id blob check (length(boot_id) = 16),
  version text,
  host text,
  greeted_us integer,
  acknowledged integer not null default 0 check (acknowledged >= 0),
  revision integer not null default 0 check (revision >= 0)
) strict, without rowid;

create table statuses (
  agent_id blob not null primary key references agents,
  received_us integer not null,
  heartbeat text not null
) strict;

create table invites (
  id blob not null primary key check (length(id) = 16),
  site_id blob not null references sites,
  agent_name text,
  secret blob not null unique check (length(secret) = 32),
  created_us integer not null,
  created_by blob check (length(created_by) = 16),
  expires_us integer not null,
  used_us integer,
  used_agent_id blob references agents,
  used_key blob check (length(used_key) = 32),
  check ((used_us is null) = (used_agent_id is null) and (used_us is null) = (used_key is null))
) strict, without rowid;

create table cameras (
  id blob not null primary key check (length(id) = 16),
  agent_id blob not null references agents,
  name text not null,
  display_name text,
  agency text not null default 'OTHER' references agencies,
  streams text not null default '[]',
  recording integer not null default 0 check (recording in (0, 1)),
  since_us integer not null,
  present integer not null default 1 check (present in (0, 1)),
  set_recording text,
  set_upload text,
  set_retention_hours integer check (set_retention_hours > 0)
) strict, without rowid;

create index cameras_by_agent on cameras (agent_id);

create table commands (
  agent_id blob not null primary key references agents,
  id blob not null check (length(id) = 16),
  action text not null,
  created_us integer not null,
  outcome text,
  finished_us integer
) strict, without rowid;

create table track_lists (
  number integer primary key,
  tracks text not null unique
) strict;

create table segments (
  number integer primary key,
  id blob not null unique check (length(id) = 16),
  agent_id blob not null references agents,
  camera_id blob not null references cameras,
  stream integer not null check (stream in (0, 1)),
  run_id blob not null check (length(run_id) = 16),
  init_length integer not null check (init_length >= 0),
  init_sha256 blob not null check (length(init_sha256) = 32),
  track_list integer not null references track_lists,
  wall_uncertainty_us integer,
  start_us integer not null,
  end_us integer not null check (end_us >= start_us and end_us - start_us <= 3600000000),
  size integer not null check (size >= 0),
  edge integer not null check (edge in (0, 1, 2)),
  centre integer not null default 0 check (centre in (0, 1, 2)),
  solid integer not null check (solid in (0, 1)),
  opened integer,
  fragments blob,
  root blob check (length(root) = 32),
  signature blob check (length(signature) = 64),
  object text,
  stored_us integer,
  evicted_us integer,
  check ((edge = 0) = (fragments is null) or edge = 2),
  check ((fragments is null) = (root is null) and (root is null) = (signature is null)),
  check (centre = 0 or (object is not null and stored_us is not null))
) strict;

create index segments_by_time on segments (camera_id, stream, start_us, end_us, edge, centre, solid);

create index segments_by_run on segments (run_id, start_us);

create index segments_live on segments (camera_id, stream, opened) where opened is not null;

create index segments_unfinished on segments (number) where object is not null and centre = 0;

create table segment_hashes (
  number integer primary key references segments on delete cascade,
  hashes blob not null check (length(hashes) % 32 = 0)
) strict;

create table growth (
  number integer not null references segments on delete cascade,
  first integer not null check (first >= 0),
  count integer not null check (count > 0),
  fragments blob not null,
  hashes blob not null check (length(hashes) = count * 32),
  primary key (number, first)
) strict, without rowid;

create table ledger (
  id blob not null primary key check (length(id) = 16),
  agent_id blob not null references agents,
  camera_id blob not null references cameras,
  stream integer not null check (stream in (0, 1)),
  start_us integer not null,
  end_us integer not null check (end_us >= start_us),
  reason text not null,
  detail text
) strict, without rowid;

create index ledger_by_end on ledger (camera_id, stream, end_us, start_us, reason);

create table watermarks (
  camera_id blob not null references cameras,
  stream integer not null check (stream in (0, 1)),
  reported_until_us integer not null,
  primary key (camera_id, stream)
) strict, without rowid;

create table set_aside (
  number integer primary key,
  agent_id blob not null references agents,
  seq integer,
  reason text not null,
  body text not null,
  at_us integer not null
) strict;

create table uploads (
  segment_id blob not null primary key references segments (id) on delete cascade,
  owner blob not null check (length(owner) = 16),
  until_us integer not null
) strict, without rowid;

create table totals (
  one integer primary key check (one = 1),
  stored_objects integer not null check (stored_objects >= 0),
  stored_bytes integer not null check (stored_bytes >= 0),
  records_set_aside integer not null check (records_set_aside >= 0)
) strict;

create table users (
  id blob not null primary key check (length(id) = 16),
  login text not null unique,
  display_name text not null,
  role text not null,
  agency text references agencies,
  disabled integer not null default 0 check (disabled in (0, 1)),
  password text not null
) strict, without rowid;

create table sessions (
  id blob not null primary key check (length(id) = 16),
  user_id blob not null references users on delete cascade,
  token blob not null unique check (length(token) = 32),
  created_us integer not null,
  seen_us integer not null
) strict, without rowid;

create index sessions_by_user on sessions (user_id);

create table playbacks (
  id blob not null primary key check (length(id) = 16),
  owner_id blob not null references users on delete cascade,
  session_id blob not null references sessions on delete cascade,
  camera_id blob not null references cameras,
  stream integer not null check (stream in (0, 1)),
  start_us integer,
  end_us integer,
  created_us integer not null,
  used_us integer not null,
  live_state text,
  live_revision integer not null default 0,
  check ((start_us is null) = (end_us is null))
) strict, without rowid;

create index playbacks_by_session on playbacks (session_id);

create table secrets (
  name text not null primary key,
  value blob not null
) strict, without rowid;

create table audit (
  number integer primary key,
  at_us integer not null,
  who text not null check (who in ('user', 'agent', 'console', 'system')),
  who_id blob check (length(who_id) = 16),
  what text not null,
  object text,
  details text,
  address text
) strict;

insert into agencies (code, name_en, name_ar) values
  ('DUBAI_POLICE', 'Dubai Police', 'شرطة دبي'),
  ('METRO', 'Dubai Metro', 'مترو دبي'),
  ('BUS', 'Public Bus', 'الحافلات العامة'),
  ('OTHER', 'Other agencies', 'جهات أخرى');

insert into totals (one, stored_objects, stored_bytes, records_set_aside) values (1, 0, 0, 0);
