-- The audit becomes a chain. Entries that there are stay in `audit_unchained` until the program has
-- put them into it, in the same transaction.
alter table audit rename to audit_unchained;

create table audit (
  number integer primary key check (number > 0),
  chain integer not null default 1,
  at_us integer not null,
  who text not null check (who in ('user', 'agent', 'console', 'system')),
  who_id blob check (length(who_id) = 16),
  what text not null,
  agency text,
  object text,
  correlation_id text,
  details text,
  address text,
  user_agent text,
  salt blob not null check (length(salt) = 16),
  previous blob not null check (length(previous) = 32),
  hash blob not null check (length(hash) = 32)
) strict;

-- Serve: searching the audit, newest first, by any of these within a time.
create index audit_by_time on audit (at_us);
create index audit_by_who on audit (who_id, at_us) where who_id is not null;
create index audit_by_what on audit (what, at_us);
create index audit_by_agency on audit (agency, at_us) where agency is not null;
create index audit_by_object on audit (object, at_us) where object is not null;
create index audit_by_address on audit (address, at_us) where address is not null;

create table audit_witnesses (
  agent_id blob not null primary key references agents,
  chain integer not null,
  number integer not null,
  hash blob not null check (length(hash) = 32),
  told_us integer not null
) strict, without rowid;

create table audit_disputes (
  agent_id blob not null references agents,
  chain integer not null,
  number integer not null,
  hash blob not null check (length(hash) = 32),
  ours blob check (length(ours) = 32),
  found_us integer not null,
  explained_us integer,
  primary key (agent_id, chain, number, hash)
) strict, without rowid;
