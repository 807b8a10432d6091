-- Signing in: what was tried, second factors, refresh tokens and the keys of access tokens.

create table attempts (
  key blob not null primary key check (length(key) = 32),
  count integer not null check (count > 0),
  last_us integer not null
) strict, without rowid;

create index attempts_by_age on attempts (last_us);

create table sign_in_places (
  user_id blob not null references users on delete cascade,
  network text not null,
  seen_us integer not null,
  primary key (user_id, network)
) strict, without rowid;

create table begun_sign_ins (
  token blob not null primary key check (length(token) = 32),
  user_id blob not null references users on delete cascade,
  begun_us integer not null
) strict, without rowid;

create index begun_sign_ins_by_user on begun_sign_ins (user_id);

create table second_factors (
  user_id blob not null primary key references users on delete cascade,
  secret blob not null check (length(secret) = 20),
  confirmed integer not null default 0 check (confirmed in (0, 1)),
  last_step integer,
  created_us integer not null
) strict, without rowid;

create table recovery_codes (
  user_id blob not null references second_factors on delete cascade,
  code blob not null check (length(code) = 32),
  primary key (user_id, code)
) strict, without rowid;

create table refresh_families (
  session_id blob not null primary key references sessions on delete cascade,
  newest blob not null check (length(newest) = 32),
  previous blob check (length(previous) = 32),
  exchanged_us integer,
  created_us integer not null,
  refreshed_us integer not null,
  check ((previous is null) = (exchanged_us is null))
) strict, without rowid;

create table signing_keys (
  kid text not null primary key,
  private blob not null,
  signs_from_us integer not null
) strict, without rowid;

create table seen_messages (
  id text not null primary key,
  seen_us integer not null
) strict, without rowid;

create index seen_messages_by_age on seen_messages (seen_us);

alter table sessions add column kind text not null default 'browser' check (kind in ('browser', 'client', 'machine'));
alter table sessions add column expires_us integer check ((kind = 'machine') = (expires_us is not null));
alter table sessions add column address text;
alter table sessions add column user_agent text;

create table api_tokens (
  session_id blob not null primary key references sessions on delete cascade,
  name text not null,
  scopes text not null
) strict, without rowid;

create table session_ends (
  one integer primary key check (one = 1),
  ended integer not null
) strict;

insert into session_ends (one, ended) values (1, 0);

create trigger sessions_are_counted_when_they_end after delete on sessions begin
  update session_ends set ended = ended + 1;
end;
