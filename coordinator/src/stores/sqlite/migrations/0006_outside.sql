-- People for whom an issuer outside vouches.

create table outside_identities (
  issuer text not null,
  subject text not null,
  user_id blob not null references users on delete cascade,
  linked_us integer not null,
  told_us integer not null,
  not_before_us integer not null,
  primary key (issuer, subject)
) strict, without rowid;

create index outside_identities_by_user on outside_identities (user_id);

create table outside_sessions (
  session_id blob not null primary key references sessions on delete cascade,
  issuer text not null
) strict, without rowid;

create table used_states (
  state blob not null primary key check (length(state) = 32),
  used_us integer not null
) strict, without rowid;

create index used_states_by_age on used_states (used_us);
