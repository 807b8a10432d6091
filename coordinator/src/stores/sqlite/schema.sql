-- The coordinator's database, as documentation. It is built by the numbered files in `migrations/`;
-- a test compares what they build with what stands here.
--
-- Ids are UUIDs as 16 bytes. Columns that end in `_us` are wall times in microseconds of UTC since
-- 1970. Hashes are SHA-256, 32 bytes. JSON columns hold types of `shared::wire`, whose readers
-- ignore fields they do not know. `pragma user_version` is the number of the newest migration.

-- Organisations whose people see some cameras and not others. Rows may be added; the code knows none
-- of them by name, except that a camera nobody has assigned belongs to OTHER.
create table agencies (
  -- Capitals, digits and `_`: part of permissions and of object paths.
  code text not null primary key check (length(code) between 1 and 32),
  name_en text not null,
  name_ar text not null,
  -- Counts its changes; in the tables of people as well, so that nobody overwrites what they have
  -- not seen.
  revision integer not null default 1
) strict, without rowid;

-- Places with cameras.
create table sites (
  id blob not null primary key check (length(id) = 16),
  name text not null unique
) strict, without rowid;

-- Programs enrolled near the cameras. Never deleted, because footage belongs to them.
create table agents (
  id blob not null primary key check (length(id) = 16),
  site_id blob not null references sites,
  name text not null,
  -- Ed25519. A host that enrols again with its old key stays the same agent.
  public_key blob not null unique check (length(public_key) = 32),
  -- Hash of the newest certificate; a peer with an older one is not admitted.
  certificate blob not null check (length(certificate) = 32),
  enrolled_us integer not null,
  -- Not null: its certificate is refused.
  revoked_us integer,
  -- These four are of its latest greeting, null until the first.
  boot_id blob check (length(boot_id) = 16),
  version text,
  host text,
  greeted_us integer,
  -- Sequence number of its newest record that we acknowledged; for display only, since what is
  -- repeated is recognised by ids.
  acknowledged integer not null default 0 check (acknowledged >= 0),
  -- Revision of the settings it was last told; grows with every change.
  revision integer not null default 0 check (revision >= 0),
  -- IANA name of the zone of its site, as of its latest greeting; null where it did not tell.
  time_zone text
) strict, without rowid;

-- The latest heartbeat of each agent. Apart from the agents because it changes every few seconds.
create table statuses (
  agent_id blob not null primary key references agents,
  -- When it arrived, by our clock.
  received_us integer not null,
  -- JSON of `Heartbeat`.
  heartbeat text not null
) strict;

-- Enrolment codes that were handed out.
create table invites (
  id blob not null primary key check (length(id) = 16),
  site_id blob not null references sites,
  -- Null: the installer names the agent.
  agent_name text,
  -- Hash of the secret part; the secret itself is nowhere.
  secret blob not null unique check (length(secret) = 32),
  created_us integer not null,
  -- Null: made at the command line.
  created_by blob check (length(created_by) = 16),
  expires_us integer not null,
  -- Which agent used it, when, with which key; all null while it is unused.
  used_us integer,
  used_agent_id blob references agents,
  used_key blob check (length(used_key) = 32),
  check ((used_us is null) = (used_agent_id is null) and (used_us is null) = (used_key is null))
) strict, without rowid;

-- Cameras as agents named them, with what the centre decided about them.
create table cameras (
  id blob not null primary key check (length(id) = 16),
  agent_id blob not null references agents,
  -- As the installer called it; the id's text until the agent has told.
  name text not null,
  -- As the centre calls it; null: like the installer.
  display_name text,
  agency text not null default 'OTHER' references agencies,
  -- JSON list of stream kinds.
  streams text not null default '[]',
  -- Whether the agent's own configuration asks for recordings.
  recording integer not null default 0 check (recording in (0, 1)),
  -- Since when the agent knows it.
  since_us integer not null,
  -- Whether the agent's latest list has it.
  present integer not null default 1 check (present in (0, 1)),
  -- Settings from the centre, null where the agent's file decides.
  set_recording text,
  set_upload text,
  set_retention_hours integer check (set_retention_hours > 0)
) strict, without rowid;

-- Serves: the configuration of an agent, and marking what its list no longer has.
create index cameras_by_agent on cameras (agent_id);

-- The newest settings an agent has to be told, kept until it answered so that a repetition carries
-- the same id.
create table commands (
  agent_id blob not null primary key references agents,
  id blob not null check (length(id) = 16),
  -- JSON of `Action`.
  action text not null,
  created_us integer not null,
  -- JSON of `CommandOutcome`; null until it is known.
  outcome text,
  finished_us integer
) strict, without rowid;

-- Lists of tracks, stored once since nearly all segments of a camera share one.
create table track_lists (
  number integer primary key,
  -- JSON of a list of `TrackMeta`.
  tracks text not null unique
) strict;

-- Segments: every file of recordings that is or was at the edge or here.
create table segments (
  -- Grows with every segment we hear of; ties the tables of one segment together.
  number integer primary key,
  id blob not null unique check (length(id) = 16),
  agent_id blob not null references agents,
  camera_id blob not null references cameras,
  -- 0 main, 1 sub.
  stream integer not null check (stream in (0, 1)),
  run_id blob not null check (length(run_id) = 16),
  init_length integer not null check (init_length >= 0),
  init_sha256 blob not null check (length(init_sha256) = 32),
  track_list integer not null references track_lists,
  -- Null: nothing is known of the camera's clock.
  wall_uncertainty_us integer,
  -- From the earliest picture to the end of the last one. At most an hour apart; queries for a range
  -- rely on it.
  start_us integer not null,
  end_us integer not null check (end_us >= start_us and end_us - start_us <= 3600000000),
  -- Bytes of the file; while it grows, as far as fragments were reported.
  size integer not null check (size >= 0),
  -- The agent's copy: 0 growing, 1 closed, 2 deleted.
  edge integer not null check (edge in (0, 1, 2)),
  -- Our copy: 0 none, 1 stored and verified, 2 stored once and lost since.
  centre integer not null default 0 check (centre in (0, 1, 2)),
  -- 1: its pictures follow each other without a hole, so that start and end tell its coverage.
  solid integer not null check (solid in (0, 1)),
  -- Order in which segments were first told of while they grew; null for one that was closed when
  -- we first heard of it. The live edge of a stream is what was opened last.
  opened integer,
  -- The fragments without their hashes, as `stores::packed` writes them; null while it grows, when
  -- they are in `growth`.
  fragments blob,
  -- Merkle root over the fragments and the agent's signature; null while it grows.
  root blob check (length(root) = 32),
  signature blob check (length(signature) = 64),
  -- Path of our copy in the object store, fixed by the first upload.
  object text,
  stored_us integer,
  -- When the agent deleted its copy.
  evicted_us integer,
  check ((edge = 0) = (fragments is null) or edge = 2),
  check ((fragments is null) = (root is null) and (root is null) = (signature is null)),
  check (centre = 0 or (object is not null and stored_us is not null))
) strict;

-- Serves: timeline and playlist of a stream over a range. The columns behind `start_us` let a
-- timeline be answered from the index alone.
create index segments_by_time on segments (camera_id, stream, start_us, end_us, edge, centre, solid);

-- Serves: the beginning of a picture group that lies in earlier segments of the run.
create index segments_by_run on segments (run_id, start_us);

-- Serves: the newest segments of a stream for its live playlist.
create index segments_live on segments (camera_id, stream, opened) where opened is not null;

-- Serves: uploads that a crash interrupted.
create index segments_unfinished on segments (number) where object is not null and centre = 0;

-- Hashes of the fragments of closed segments, one behind the other. Apart from the segments because
-- only uploads, pulls and proofs read them.
create table segment_hashes (
  number integer primary key references segments on delete cascade,
  hashes blob not null check (length(hashes) % 32 = 0)
) strict;

-- Fragments of segments that are still being written, one row for each report; moves into `segments`
-- when the segment is closed.
create table growth (
  number integer not null references segments on delete cascade,
  -- Index of the first fragment of this row within the segment.
  first integer not null check (first >= 0),
  count integer not null check (count > 0),
  fragments blob not null,
  hashes blob not null check (length(hashes) = count * 32),
  primary key (number, first)
) strict, without rowid;

-- The gap ledger: stretches that are not recorded, and why, as agents tell.
create table ledger (
  id blob not null primary key check (length(id) = 16),
  agent_id blob not null references agents,
  camera_id blob not null references cameras,
  stream integer not null check (stream in (0, 1)),
  start_us integer not null,
  -- May still grow: an entry is told again under its id when its end is known.
  end_us integer not null check (end_us >= start_us),
  -- Name of a `Reason`.
  reason text not null,
  -- The error as the agent saw it, for technicians.
  detail text
) strict, without rowid;

-- Serves: the timeline. The end comes first because entries may be long, and most questions are
-- about lately.
create index ledger_by_end on ledger (camera_id, stream, end_us, start_us, reason);

-- How far each stream is accounted for by what was reported.
create table watermarks (
  camera_id blob not null references cameras,
  stream integer not null check (stream in (0, 1)),
  reported_until_us integer not null,
  primary key (camera_id, stream)
) strict, without rowid;

-- Records of agents that were not believed, with the reason. They are acknowledged, since they can
-- never become right, and kept, since they may be all that tells of some footage.
create table set_aside (
  number integer primary key,
  agent_id blob not null references agents,
  -- Sequence number in the agent's outbox, if it has one.
  seq integer,
  reason text not null,
  -- JSON as received.
  body text not null,
  at_us integer not null
) strict;

-- Leases on uploads under way. One that has expired belongs to nobody.
create table uploads (
  segment_id blob not null primary key references segments (id) on delete cascade,
  -- Which coordinator receives it.
  owner blob not null check (length(owner) = 16),
  until_us integer not null
) strict, without rowid;

-- Sums that would take too long to add up. One row.
create table totals (
  one integer primary key check (one = 1),
  stored_objects integer not null check (stored_objects >= 0),
  stored_bytes integer not null check (stored_bytes >= 0),
  records_set_aside integer not null check (records_set_aside >= 0)
) strict;

-- What somebody with a certain job may do.
create table roles (
  -- Small letters, digits and `_`.
  code text not null primary key check (length(code) between 1 and 32),
  name_en text not null,
  name_ar text not null,
  -- JSON list of rules such as "camera:own:view" or "!camera:METRO:export".
  rules text not null,
  -- 1: comes with the product and cannot be changed.
  built_in integer not null default 0 check (built_in in (0, 1)),
  revision integer not null default 1
) strict, without rowid;

-- People who have rules and roles in common.
create table groups (
  id blob not null primary key check (length(id) = 16),
  name_en text not null,
  name_ar text not null,
  -- Not null: only its people can be members.
  agency text references agencies,
  -- As in `roles`.
  rules text not null,
  revision integer not null default 1
) strict, without rowid;

create table group_roles (
  group_id blob not null references groups on delete cascade,
  role text not null references roles,
  primary key (group_id, role)
) strict, without rowid;

-- People.
create table users (
  id blob not null primary key check (length(id) = 16),
  -- NFKC in lower case.
  login text not null unique,
  display_name text not null,
  agency text references agencies,
  disabled integer not null default 0 check (disabled in (0, 1)),
  -- Argon2id as a PHC string; empty: no password, signs in elsewhere.
  password text not null,
  -- The full name in Arabic.
  name_ar text,
  email text,
  employee_number text,
  department text,
  section text,
  -- As in `roles`: exceptions for this person.
  rules text not null default '[]',
  created_us integer not null default 0,
  revision integer not null default 1,
  -- Of the pages, as this person chose it; no part of what `revision` counts.
  language text check (language in ('en', 'ar'))
) strict, without rowid;

-- Serves: one number, one person.
create unique index users_by_employee_number on users (employee_number) where employee_number is not null;

create table user_roles (
  user_id blob not null references users on delete cascade,
  role text not null references roles,
  primary key (user_id, role)
) strict, without rowid;

create table group_members (
  user_id blob not null references users on delete cascade,
  group_id blob not null references groups on delete cascade,
  primary key (user_id, group_id)
) strict, without rowid;

-- Serves: deleting a group.
create index group_members_by_group on group_members (group_id);

-- Counts every change of people, groups, roles and agencies. Each change is decided on one revision
-- and made only if that is still the newest.
create table directory (
  one integer primary key check (one = 1),
  revision integer not null
) strict;

-- Standing sign-ins of browsers, programs and machines.
create table sessions (
  id blob not null primary key check (length(id) = 16),
  user_id blob not null references users on delete cascade,
  -- Hash of the token in the cookie or of the API token; the token itself is nowhere.
  token blob not null unique check (length(token) = 32),
  created_us integer not null,
  seen_us integer not null,
  kind text not null default 'browser' check (kind in ('browser', 'client', 'machine')),
  -- Of a machine.
  expires_us integer check ((kind = 'machine') = (expires_us is not null)),
  -- Where it was begun.
  address text,
  user_agent text
) strict, without rowid;

-- Serves: ending all sessions of a person.
create index sessions_by_user on sessions (user_id);

-- Prepared playbacks. One ends with the session that prepared it.
create table playbacks (
  id blob not null primary key check (length(id) = 16),
  owner_id blob not null references users on delete cascade,
  session_id blob not null references sessions on delete cascade,
  camera_id blob not null references cameras,
  stream integer not null check (stream in (0, 1)),
  -- Both null: live.
  start_us integer,
  end_us integer,
  created_us integer not null,
  used_us integer not null,
  -- What a live playlist has listed so far, as JSON, so that any coordinator continues its
  -- numbering; the revision makes lost updates visible.
  live_state text,
  live_revision integer not null default 0,
  check ((start_us is null) = (end_us is null))
) strict, without rowid;

-- Serves: ending a session with its playbacks.
create index playbacks_by_session on playbacks (session_id);

-- Keys that all coordinators over this database share.
create table secrets (
  name text not null primary key,
  value blob not null
) strict, without rowid;

-- Who did what, when. Written in the transaction of the change it tells of, and never changed.
create table audit (
  -- Contiguous from 1.
  number integer primary key check (number > 0),
  -- Always 1 so far.
  chain integer not null default 1,
  at_us integer not null,
  -- `user`, `agent`, `console` or `system`, and the id of the first two.
  who text not null check (who in ('user', 'agent', 'console', 'system')),
  who_id blob check (length(who_id) = 16),
  -- Name of a `What`.
  what text not null,
  -- Code of the agency whose auditors see it.
  agency text,
  -- Id of the thing it was done to.
  object text,
  -- Of the request, as in the log.
  correlation_id text,
  -- JSON.
  details text,
  address text,
  user_agent text,
  -- With which details, address and user agent enter the hash.
  salt blob not null check (length(salt) = 16),
  -- `hash` of the entry before; zeros in the first.
  previous blob not null check (length(previous) = 32),
  -- SHA-256 over all the above; the bytes are in `design/audit.md`.
  hash blob not null check (length(hash) = 32)
) strict;

-- Serve: searching the audit, newest first, by any of these within a time.
create index audit_by_time on audit (at_us);
create index audit_by_who on audit (who_id, at_us) where who_id is not null;
create index audit_by_what on audit (what, at_us);
create index audit_by_agency on audit (agency, at_us) where agency is not null;
create index audit_by_object on audit (object, at_us) where object is not null;
create index audit_by_address on audit (address, at_us) where address is not null;

-- The newest head of the audit that each agent has told it keeps.
create table audit_witnesses (
  agent_id blob not null primary key references agents,
  chain integer not null,
  number integer not null,
  hash blob not null check (length(hash) = 32),
  told_us integer not null
) strict, without rowid;

-- Heads that an agent keeps and that this audit does not contain. Never removed.
create table audit_disputes (
  agent_id blob not null references agents,
  chain integer not null,
  number integer not null,
  hash blob not null check (length(hash) = 32),
  -- What stood at that number when it was found; null where the audit was shorter.
  ours blob check (length(ours) = 32),
  found_us integer not null,
  -- When somebody at the console explained it, in an entry of the audit.
  explained_us integer,
  primary key (agent_id, chain, number, hash)
) strict, without rowid;
-- Attempts to sign in, counted for logins and for addresses (`domain::lockout`).
create table attempts (
  -- Hash of what is counted for; the login as it was typed is nowhere.
  key blob not null primary key check (length(key) = 32),
  count integer not null check (count > 0),
  last_us integer not null
) strict, without rowid;

-- Serves: forgetting the oldest.
create index attempts_by_age on attempts (last_us);

-- Networks from which accounts have signed in lately.
create table sign_in_places (
  user_id blob not null references users on delete cascade,
  network text not null,
  seen_us integer not null,
  primary key (user_id, network)
) strict, without rowid;

-- Who has given the right password and owes a code.
create table begun_sign_ins (
  -- Hash of the token in the cookie.
  token blob not null primary key check (length(token) = 32),
  user_id blob not null references users on delete cascade,
  begun_us integer not null
) strict, without rowid;

create index begun_sign_ins_by_user on begun_sign_ins (user_id);

-- Authenticator apps. Not asked for until confirmed.
create table second_factors (
  user_id blob not null primary key references users on delete cascade,
  secret blob not null check (length(secret) = 20),
  confirmed integer not null default 0 check (confirmed in (0, 1)),
  -- No code of this step or an earlier one is taken.
  last_step integer,
  created_us integer not null
) strict, without rowid;

-- Hashes of recovery codes that were not used.
create table recovery_codes (
  user_id blob not null references second_factors on delete cascade,
  code blob not null check (length(code) = 32),
  primary key (user_id, code)
) strict, without rowid;

-- Refresh tokens: the one that is good and the one before it, as hashes (`domain::token`).
create table refresh_families (
  session_id blob not null primary key references sessions on delete cascade,
  newest blob not null check (length(newest) = 32),
  previous blob check (length(previous) = 32),
  exchanged_us integer,
  created_us integer not null,
  refreshed_us integer not null,
  check ((previous is null) = (exchanged_us is null))
) strict, without rowid;

-- RSA keys of access tokens, as PKCS #1 (`domain::signing_key`).
create table signing_keys (
  kid text not null primary key,
  private blob not null,
  signs_from_us integer not null
) strict, without rowid;

-- Messages from outside that count once.
create table seen_messages (
  id text not null primary key,
  seen_us integer not null
) strict, without rowid;

-- Serves: forgetting the oldest.
create index seen_messages_by_age on seen_messages (seen_us);

-- Tokens of machines. Each stands for a session, which has its hash.
create table api_tokens (
  session_id blob not null primary key references sessions on delete cascade,
  -- What its owner calls it.
  name text not null,
  -- Permissions that narrow those of its owner, as JSON.
  scopes text not null
) strict, without rowid;

-- Counts sessions that ended, however that came about, so that whoever shows something for long
-- notices.
create table session_ends (
  one integer primary key check (one = 1),
  ended integer not null
) strict;

create trigger sessions_are_counted_when_they_end after delete on sessions begin
  update session_ends set ended = ended + 1;
end;

-- Who somebody is at an issuer outside (`domain::outside`).
create table outside_identities (
  issuer text not null,
  subject text not null,
  user_id blob not null references users on delete cascade,
  linked_us integer not null,
  -- When the issuer said what was last taken over from it, by its clock.
  told_us integer not null,
  -- Tokens that were issued before are worth nothing.
  not_before_us integer not null,
  primary key (issuer, subject)
) strict, without rowid;

-- Serves: the identities of a person.
create index outside_identities_by_user on outside_identities (user_id);

-- Sessions of who came with an issuer's token. They are of the kind 'machine', and expire as those do.
create table outside_sessions (
  session_id blob not null primary key references sessions on delete cascade,
  issuer text not null
) strict, without rowid;

-- Sign-ins at a provider that came back, as hashes: each counts once.
create table used_states (
  state blob not null primary key check (length(state) = 32),
  used_us integer not null
) strict, without rowid;

-- Serves: forgetting the oldest.
create index used_states_by_age on used_states (used_us);

-- How many streams agencies may have at once, in full and of less (`domain::quota`). An agency without
-- a row has what the program gives by itself.
create table stream_limits (
  agency text not null primary key references agencies,
  full_streams integer not null check (full_streams >= 0),
  reduced_streams integer not null check (reduced_streams >= 0),
  -- Whether somebody who gets no full stream is offered less.
  offers_reduced integer not null check (offers_reduced in (0, 1))
) strict, without rowid;

-- The same for all agencies together.
create table stream_totals (
  one integer primary key check (one = 1),
  full_streams integer not null check (full_streams >= 0),
  reduced_streams integer not null check (reduced_streams >= 0)
) strict;
