-- The agent's index: what is recorded here, what is owed to the coordinator, and why something is
-- missing. Times end in `_us` (microseconds of UTC since 1970), sizes in `_bytes`; ids are the
-- sixteen bytes of a UUID. The media itself, with enough to rebuild this file, is in the segment
-- files (`design/storage.md`).

-- What holds for the whole index; exactly one row.
create table state (
    id integer primary key check (id = 1),
    -- `outbox.seq` of the next record. Starts at the wall time of creation, so that a rebuilt index
    -- goes on above the numbers of the one it replaces.
    next_seq integer not null check (next_seq > 0),
    -- Records up to this `seq` are stored durably at the coordinator.
    acknowledged_seq integer not null default 0,
    -- `/proc/sys/kernel/random/boot_id` of the host while the agent last ran: another one at the
    -- next start means that the host went down.
    host_boot text not null default '',
    -- When the agent last started; 0 before its first start.
    started_us integer not null default 0,
    -- When the agent was last stopped in an orderly way; null while it runs and after a crash.
    stopped_us integer,
    -- 1 while rows are still being made again from the files after an index was lost.
    rebuilding integer not null default 0 check (rebuilding in (0, 1)),
    -- Sums over the closed segments, kept by triggers: adding up a million rows every few seconds
    -- would take more of the processor than recording does.
    held_segments integer not null default 0,
    held_bytes integer not null default 0,
    -- Of those not uploaded.
    unsent_bytes integer not null default 0,
    -- Of those locked, and of those of them that are not uploaded.
    locked_bytes integer not null default 0,
    unsent_locked_bytes integer not null default 0
) strict;

-- A stream that has been recorded or asked for at some time.
create table stream (
    camera blob not null check (length(camera) = 16),
    -- 0 main, 1 sub.
    stream integer not null check (stream in (0, 1)),
    -- Nothing is expected of it before.
    since_us integer not null,
    -- The latest instant up to which everything is in a segment or a gap. May lag behind the rows
    -- of both, never lead.
    explained_us integer not null,
    primary key (camera, stream)
) strict, without rowid;

-- A segment file. A row is made when the file is opened and completed when it is closed; it goes
-- after the file is gone.
create table segment (
    id blob primary key check (length(id) = 16),
    camera blob not null check (length(camera) = 16),
    stream integer not null check (stream in (0, 1)),
    run blob not null check (length(run) = 16),
    -- 0 open, 1 closed, 2 evicting: about to be deleted for the reason in `eviction`.
    state integer not null check (state in (0, 1, 2)),
    -- Of the file, from the storage directory.
    path text not null,
    -- `SegmentHead` as JSON.
    head text not null,
    -- From the first picture to the end of the last; null while open.
    start_us integer,
    end_us integer,
    -- Of the file; null while open.
    size_bytes integer check (size_bytes >= 0),
    -- Merkle root of the fragments and the agent's signature; null while open.
    root blob check (length(root) = 32),
    signature blob check (length(signature) = 64),
    -- Number of its latest record in the outbox; acknowledged when at most `acknowledged_seq`.
    record_seq integer,
    -- When the coordinator said that it has stored the bytes; null until then.
    uploaded_us integer,
    -- 1 while somebody wants it kept as evidence.
    locked integer not null default 0 check (locked in (0, 1)),
    -- Name of the reason while evicting.
    eviction text,
    check (state = 0 or (start_us is not null and end_us >= start_us and size_bytes is not null
        and root is not null and signature is not null)),
    check ((state = 2) = (eviction is not null))
) strict, without rowid;

-- Which segments of a stream touch a range; how far a stream was recorded.
create index segment_by_time on segment (camera, stream, end_us);
-- What is evicted next: uploaded before not uploaded, locked last, oldest first.
create index segment_by_eviction on segment (locked, uploaded_us is null, end_us) where state = 1;
-- What is to be uploaded of a camera, oldest first.
create index segment_to_upload on segment (camera, end_us) where state = 1 and uploaded_us is null;
-- What was open or about to be deleted when the agent ended.
create index segment_unfinished on segment (state) where state <> 1;

create trigger segment_inserted after insert on segment when new.state = 1 begin
    update state set
        held_segments = held_segments + 1,
        held_bytes = held_bytes + new.size_bytes,
        unsent_bytes = unsent_bytes + iif(new.uploaded_us is null, new.size_bytes, 0),
        locked_bytes = locked_bytes + iif(new.locked, new.size_bytes, 0),
        unsent_locked_bytes = unsent_locked_bytes
            + iif(new.locked and new.uploaded_us is null, new.size_bytes, 0);
end;

create trigger segment_deleted after delete on segment when old.state = 1 begin
    update state set
        held_segments = held_segments - 1,
        held_bytes = held_bytes - old.size_bytes,
        unsent_bytes = unsent_bytes - iif(old.uploaded_us is null, old.size_bytes, 0),
        locked_bytes = locked_bytes - iif(old.locked, old.size_bytes, 0),
        unsent_locked_bytes = unsent_locked_bytes
            - iif(old.locked and old.uploaded_us is null, old.size_bytes, 0);
end;

create trigger segment_changed after update on segment when old.state = 1 or new.state = 1 begin
    update state set
        held_segments = held_segments + (new.state = 1) - (old.state = 1),
        held_bytes = held_bytes + iif(new.state = 1, new.size_bytes, 0)
            - iif(old.state = 1, old.size_bytes, 0),
        unsent_bytes = unsent_bytes
            + iif(new.state = 1 and new.uploaded_us is null, new.size_bytes, 0)
            - iif(old.state = 1 and old.uploaded_us is null, old.size_bytes, 0),
        locked_bytes = locked_bytes + iif(new.state = 1 and new.locked, new.size_bytes, 0)
            - iif(old.state = 1 and old.locked, old.size_bytes, 0),
        unsent_locked_bytes = unsent_locked_bytes
            + iif(new.state = 1 and new.locked and new.uploaded_us is null, new.size_bytes, 0)
            - iif(old.state = 1 and old.locked and old.uploaded_us is null, old.size_bytes, 0);
end;

-- The fragment index of a closed segment; apart from `segment`, so that planning reads few pages.
create table fragments (
    segment blob primary key references segment (id) on delete cascade,
    -- A version byte, then 73 bytes for each fragment; see `index/packed.rs`.
    packed blob not null
) strict, without rowid;

-- The gap ledger: a stretch of a stream that is not recorded, and why.
create table gap (
    id blob primary key check (length(id) = 16),
    camera blob not null check (length(camera) = 16),
    stream integer not null check (stream in (0, 1)),
    start_us integer not null,
    end_us integer not null check (end_us >= start_us),
    -- Name of a `Reason`.
    reason text not null,
    -- For the technician.
    detail text,
    record_seq integer not null
) strict, without rowid;

-- Which gaps of a stream touch a range.
create index gap_by_time on gap (camera, stream, end_us);
-- Which gaps are old enough to be forgotten.
create index gap_by_end on gap (end_us);

-- What the coordinator has not acknowledged yet, in the order in which it is told.
create table outbox (
    seq integer primary key,
    -- 0 segment, 1 gap, 2 evicted, 3 discarded.
    kind integer not null check (kind in (0, 1, 2, 3)),
    -- Id of the segment or gap. Segments and gaps are read from their tables when they are sent.
    subject blob not null check (length(subject) = 16),
    -- Of an eviction.
    at_us integer
) strict;

-- A later record about the same thing replaces one that was not acknowledged yet.
create unique index outbox_by_subject on outbox (kind, subject);

-- Something happened in view of a camera: segments that overlap are uploaded by the policy
-- `events`.
create table event (
    camera blob not null check (length(camera) = 16),
    start_us integer not null,
    end_us integer not null check (end_us >= start_us),
    primary key (camera, start_us, end_us)
) strict, without rowid;
