//! Where things rest: one trait per family of tables, and one for the bytes.
//!
//! A method is one transaction: it happens whole or not at all, and it is durable when it returns.
//! Stores decide nothing except what only a transaction can see (is this id taken, does this camera
//! belong to that agent). Every back end passes the same tests, `suite` for these traits and
//! `objects::suite` for the bytes; nothing above this layer knows which one it has.

mod credentials;
pub mod objects;
mod outside;
pub mod packed;
pub mod quotas;
pub mod rates;
pub mod sqlite;
#[cfg(test)]
pub mod suite;
pub mod valkey;

use std::fmt::Debug;

use async_trait::async_trait;
use serde_json::Value;
use shared::hash::Sha256;
use shared::id::{
    AgentId, CameraId, CommandId, InviteId, PlaybackId, RunId, SegmentId, SessionId, SiteId, UserId,
};
use shared::segment::{FragmentMeta, SegmentMeta, StreamKind};
use shared::time::{TimeRange, WallTime};
use shared::timeline::{LedgerEntry, Reason};
use shared::wire::control::{CameraInfo, Command, CommandOutcome};
use shared::wire::segment::{Growth, Watermark};

use crate::domain::access::Rule;
use crate::domain::agency::AgencyCode;
use crate::domain::agent::{Agent, AgentStatus, Greeting, Invite, PublicKey};
use crate::domain::audit::Entry;
use crate::domain::audit::chain::{Head, Record};
use crate::domain::audit::search::{Found, Place, Search, Visible};
use crate::domain::audit::witness::{Compared, Dispute, Witness};
use crate::domain::camera::{Camera, CameraChange};
use crate::domain::directory::{self, Directory};
use crate::domain::playback::Playback;
use crate::domain::quota::{AllAllowed, Allowed};
use crate::domain::segment::{CentreCopy, EdgeCopy, Footage, Segment};
use crate::domain::user::{Language, Login, Session, User};
pub use credentials::{
    ApiTokens, Attempts, RefreshTokens, SecondFactors, SeenMessages, SigningKeys,
};
pub use outside::{Admission, Linked, OutsideLink, OutsidePeople, StandingSession};

/// Everything the coordinator remembers besides the bytes of segments.
pub trait Store:
    Agents
    + ApiTokens
    + Attempts
    + Audit
    + Cameras
    + Catalogue
    + OutsidePeople
    + People
    + Playbacks
    + Secrets
    + Sessions
    + RefreshTokens
    + SecondFactors
    + SeenMessages
    + SigningKeys
    + StreamLimits
    + Uploads
    + Debug
    + Send
    + Sync
{
}

impl<T> Store for T where
    T: Agents
        + ApiTokens
        + Attempts
        + Audit
        + Cameras
        + Catalogue
        + OutsidePeople
        + People
        + Playbacks
        + RefreshTokens
        + SecondFactors
        + Secrets
        + Sessions
        + SeenMessages
        + SigningKeys
        + StreamLimits
        + Uploads
        + Debug
        + Send
        + Sync
{
}

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why a store could not do what was asked. None of these is the asker's fault.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Too much is waiting already; try again later.
    #[error("the database is busy: {waiting} changes are waiting")]
    Busy { waiting: usize },
    #[error("the database is closed")]
    Closed,
    #[error("could not {attempted}: {message}")]
    Failed {
        attempted: &'static str,
        message: String,
    },
    /// What was read cannot have been written by us.
    #[error("the database is damaged: {what}")]
    Damaged { what: String },
    #[error(
        "the database was written by a newer version (schema {found}, this program knows {known}); update the coordinator"
    )]
    TooNew { found: u32, known: u32 },
    #[error(
        "the database was written by an older version (schema {found}, this program writes {known}); start the coordinator of this version once, which migrates it"
    )]
    TooOld { found: u32, known: u32 },
}

/// Sites, agents, invitations.
#[async_trait]
pub trait Agents {
    /// The site is found by name, or made with the id given.
    async fn create_invite(&self, invite: NewInvite, audit: Entry) -> Result<Invite>;
    async fn invite_by_secret(&self, secret: Sha256) -> Result<Option<Invite>>;
    /// Newest first.
    async fn invites(&self) -> Result<Vec<Invite>>;
    /// Uses the invitation and enters the agent, or renews it if its id is known already.
    async fn enrol(&self, enrolment: Enrolment, audit: Entry) -> Result<Enrolled>;
    async fn agent(&self, id: AgentId) -> Result<Option<Agent>>;
    async fn agent_by_key(&self, public_key: PublicKey) -> Result<Option<Agent>>;
    /// By name.
    async fn agents(&self) -> Result<Vec<Agent>>;
    /// By name, with the number of agents.
    async fn sites(&self) -> Result<Vec<(crate::domain::agent::Site, u32)>>;
    /// `false` when there is no such agent.
    async fn revoke(&self, id: AgentId, at: WallTime, audit: Entry) -> Result<bool>;
    async fn greet(&self, id: AgentId, greeting: Greeting) -> Result<()>;
    async fn save_status(&self, id: AgentId, status: AgentStatus) -> Result<()>;
}

#[derive(Clone, Debug)]
pub struct NewInvite {
    pub id: InviteId,
    pub site_name: String,
    /// For the site, if there is none of that name.
    pub new_site: SiteId,
    pub agent_name: Option<String>,
    pub secret: Sha256,
    pub created_at: WallTime,
    pub created_by: Option<UserId>,
    pub expires_at: WallTime,
}

#[derive(Clone, Debug)]
pub struct Enrolment {
    pub invite: InviteId,
    pub agent: AgentId,
    pub name: String,
    pub public_key: PublicKey,
    pub certificate: Sha256,
    pub at: WallTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enrolled {
    Yes,
    /// Somebody else used the invitation in the meantime, or the key belongs to another agent.
    No,
}

/// Cameras, and what the centre tells agents.
#[async_trait]
pub trait Cameras {
    async fn camera(&self, id: CameraId) -> Result<Option<Camera>>;
    /// By site, title and id.
    async fn cameras(&self) -> Result<Vec<Camera>>;
    /// The whole list of an agent's cameras. Those it no longer lists are marked as not present;
    /// those of another agent are left alone and returned.
    async fn tell_cameras(&self, agent: AgentId, cameras: Vec<CameraInfo>)
    -> Result<Vec<CameraId>>;
    /// Changes a camera; where that concerns its agent, a command with its whole configuration and
    /// the next revision is made and kept until its outcome is known.
    async fn change_camera(
        &self,
        id: CameraId,
        change: CameraChange,
        command: CommandId,
        at: WallTime,
        audit: Entry,
    ) -> Result<CameraChanged>;
    /// The newest configuration command of an agent, if its outcome is not known yet.
    async fn pending_command(&self, agent: AgentId) -> Result<Option<Command>>;
    /// The outcome of a command; ignored for one that is not kept.
    async fn finish_command(
        &self,
        agent: AgentId,
        command: CommandId,
        outcome: CommandOutcome,
        at: WallTime,
    ) -> Result<()>;
}

#[derive(Clone, Debug, PartialEq)]
pub enum CameraChanged {
    /// The camera as changed, and what its agent has to be told.
    Yes(Box<Camera>, Option<Command>),
    NoCamera,
    NoAgency(AgencyCode),
}

/// Who did what. Entries of changes are written by the methods that make the change; each is chained
/// to the one before, also those that share a transaction.
#[async_trait]
pub trait Audit {
    /// Writes entries that go with no other change.
    async fn audit(&self, entries: Vec<Entry>) -> Result<()>;
    /// The newest entry's number and hash; `None` before the first. Numbers are contiguous.
    async fn audit_head(&self) -> Result<Option<Head>>;
    /// Newest first, after a place, at most `limit`.
    async fn audit_search(
        &self,
        search: Search,
        visible: Visible,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Found>;
    /// Notes the head that an agent remembers and compares it with the chain. Writes the entry only
    /// where they differ for the first time, and at most
    /// [`MAX_DISPUTES`](crate::domain::audit::witness::MAX_DISPUTES) times for an agent.
    async fn audit_compare(
        &self,
        agent: AgentId,
        told: Head,
        at: WallTime,
        audit: Entry,
    ) -> Result<Compared>;
    /// By the agents' names.
    async fn audit_witnesses(&self) -> Result<Vec<Witness>>;
    /// Newest first.
    async fn audit_disputes(&self) -> Result<Vec<Dispute>>;
    /// Marks the open disputes as explained; the entry is written only if there are any.
    async fn explain_disputes(&self, at: WallTime, audit: Entry) -> Result<u64>;
    /// Entries as they are stored, after a number, in the order of their numbers.
    async fn audit_records(&self, after: u64, limit: usize) -> Result<Vec<Record>>;
}

/// Segments, their fragments, the ledger, the watermarks.
#[async_trait]
pub trait Catalogue {
    /// Applies a report of an agent in order and in one transaction, and remembers `through` as
    /// acknowledged. A camera that nobody has told of yet becomes this agent's. What belongs to
    /// another agent changes nothing; its records are set aside.
    ///
    /// Repeating a report changes nothing: a segment that was closed grows no more, one that the
    /// agent deleted does not come back, one that is stored keeps the fragments it was verified
    /// with.
    async fn apply(
        &self,
        agent: AgentId,
        changes: Vec<Numbered>,
        through: Option<u64>,
        at: WallTime,
    ) -> Result<Applied>;
    async fn segment(&self, id: SegmentId) -> Result<Option<Segment>>;
    /// All fragments known of a segment, with their hashes; empty when the segment is unknown.
    async fn fragments(&self, id: SegmentId) -> Result<Vec<FragmentMeta>>;
    /// Everything a timeline of that range is computed from, as of one instant.
    async fn facts(
        &self,
        camera: CameraId,
        stream: StreamKind,
        range: TimeRange,
    ) -> Result<StreamFacts>;
    /// Playable segments that overlap the range, by the time of their first picture.
    async fn footage(
        &self,
        camera: CameraId,
        stream: StreamKind,
        range: TimeRange,
    ) -> Result<Vec<Footage>>;
    /// Playable segments of a run that begin before a time, latest first, at most `limit`.
    async fn footage_before(
        &self,
        run: RunId,
        before: WallTime,
        limit: usize,
    ) -> Result<Vec<Footage>>;
    /// Segments of a stream that were told of while they grew, in the order of their opening,
    /// beginning with `from` (or the newest, when `None` or unknown), at most `limit`.
    async fn live_footage(
        &self,
        camera: CameraId,
        stream: StreamKind,
        from: Option<SegmentId>,
        limit: usize,
    ) -> Result<Vec<Footage>>;
    /// How many records were set aside so far.
    async fn set_aside(&self) -> Result<u64>;
}

/// One change of a report, already checked against itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Closed(Box<SegmentMeta>),
    Gap(LedgerEntry),
    Evicted {
        segment: SegmentId,
        at: WallTime,
    },
    Discarded {
        segment: SegmentId,
    },
    Grown(Growth),
    Watermark(Watermark),
    /// Not believed: kept aside with its reason.
    SetAside {
        reason: String,
        body: Value,
    },
}

/// A change with the sequence number of its record in the agent's outbox, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    pub seq: Option<u64>,
    pub change: Change,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Places in the list of changes that concerned something of another agent.
    pub foreign: Vec<usize>,
    /// Growth that does not continue what is known, or makes a segment longer than is believed;
    /// ignored until the segment is closed or told of whole.
    pub unconnected: Vec<SegmentId>,
}

/// What is known of a stream over a range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamFacts {
    pub pieces: Vec<Piece>,
    pub missing: Vec<(TimeRange, Reason)>,
    pub reported_until: Option<WallTime>,
}

/// A stretch covered by a segment, or by fragments of one that has holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub range: TimeRange,
    pub edge: EdgeCopy,
    pub centre: CentreCopy,
}

/// Objects on their way in and at rest.
#[async_trait]
pub trait Uploads {
    /// Takes the lease on a segment's upload. Fixes the object's path at the first attempt.
    async fn begin_upload(&self, upload: NewUpload, now: WallTime) -> Result<UploadBegun>;
    /// Prolongs the lease; `false` when somebody else has it.
    async fn renew_upload(&self, segment: SegmentId, owner: Owner, until: WallTime)
    -> Result<bool>;
    /// Gives the lease back, whatever became of the bytes.
    async fn end_upload(&self, segment: SegmentId, owner: Owner) -> Result<()>;
    /// Marks the segment as stored and ends its upload, provided its root is still the one that
    /// was verified; `false` otherwise.
    async fn mark_stored(&self, segment: SegmentId, root: Sha256, at: WallTime) -> Result<bool>;
    /// Marks a stored segment as lost.
    async fn mark_lost(&self, segment: SegmentId, at: WallTime, audit: Entry) -> Result<()>;
    /// Segments with a path and without a stored object: what a crash may have interrupted.
    async fn unfinished_uploads(&self, limit: usize) -> Result<Vec<Segment>>;
    /// Stored segments after the given id, in the order of their ids.
    async fn stored_after(&self, after: Option<SegmentId>, limit: usize) -> Result<Vec<Segment>>;
    /// Number and bytes of stored segments.
    async fn stored_totals(&self) -> Result<(u64, u64)>;
}

/// One running coordinator; tells its leases from those of others and of its own past.
pub type Owner = [u8; 16];

#[derive(Clone, Debug)]
pub struct NewUpload {
    pub segment: SegmentId,
    pub path: String,
    pub owner: Owner,
    pub until: WallTime,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadBegun {
    Yes {
        /// The path fixed at the first attempt.
        path: String,
    },
    /// Another coordinator receives it.
    Held {
        until: WallTime,
    },
    NoSegment,
}

/// People, groups, roles and agencies.
#[async_trait]
pub trait People {
    /// Everybody and what they may do, as of one instant.
    async fn directory(&self) -> Result<Directory>;
    /// Makes a change that was decided on the directory of revision `seen`; `false` when the
    /// directory has changed since. `password` is a hash as a PHC string, for a person who is created
    /// or whose credentials are reset. Whoever is disabled or reset has no session afterwards.
    async fn change_directory(
        &self,
        seen: u64,
        change: directory::Change,
        password: Option<String>,
        audit: Entry,
    ) -> Result<bool>;
    /// Creates the user only when there is none at all.
    async fn create_first_user(&self, user: User, password: String, audit: Entry) -> Result<bool>;
    async fn person(&self, id: UserId) -> Result<Option<Person>>;
    /// With the password's hash as a PHC string, if they have a password.
    async fn person_by_login(&self, login: Login) -> Result<Option<(Person, Option<String>)>>;
    /// In which somebody wants the pages; `None` until they have chosen.
    async fn language(&self, user: UserId) -> Result<Option<Language>>;
    /// `false`, and no entry, where it is that already or there is nobody. It is no change of the
    /// directory: nothing is decided on it.
    async fn set_language(&self, user: UserId, language: Language, audit: Entry) -> Result<bool>;
}

/// One person of the directory, without the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub user: User,
    /// All they have, by roles, groups and on their own.
    pub rules: Vec<Rule>,
    /// Of the directory when this was read.
    pub revision: u64,
}

/// Signed-in browsers and clients. Each comes with the revision of the directory, which tells
/// whether what is remembered of its person still holds.
#[async_trait]
pub trait Sessions {
    async fn create_session(&self, session: Session, audit: Entry) -> Result<()>;
    async fn session_by_token(&self, token: Sha256) -> Result<Option<(Session, u64)>>;
    async fn session(&self, id: SessionId) -> Result<Option<(Session, u64)>>;
    async fn touch_session(&self, id: SessionId, now: WallTime) -> Result<()>;
    /// Ends the session and everything that hangs on it.
    async fn end_session(&self, id: SessionId, audit: Entry) -> Result<()>;
    /// All of one person, newest first.
    async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>>;
    /// Ends a session of one person; `false` when it is none of theirs.
    async fn end_session_of(&self, user: UserId, id: SessionId, audit: Entry) -> Result<bool>;
    /// Ends all sessions of one person, and what was begun; how many there were.
    async fn end_sessions_of(&self, user: UserId, audit: Entry) -> Result<u64>;
    /// Grows whenever somebody may do something else than before, or a session ends.
    async fn access_revision(&self) -> Result<u64>;
    /// Removes sessions that were created or used too long ago, and those of machines whose time
    /// has come.
    async fn purge_sessions(
        &self,
        idle_since: WallTime,
        created_before: WallTime,
        now: WallTime,
    ) -> Result<u64>;
}

/// Prepared playbacks.
#[async_trait]
pub trait Playbacks {
    async fn create_playback(&self, playback: Playback, audit: Entry) -> Result<()>;
    async fn playback(&self, id: PlaybackId) -> Result<Option<Playback>>;
    async fn touch_playback(&self, id: PlaybackId, now: WallTime) -> Result<()>;
    /// The state of a playback's live playlist with its revision; `None` before the first.
    async fn live_state(&self, id: PlaybackId) -> Result<Option<(u64, String)>>;
    /// Saves the state that follows `revision`; `false` when somebody else was faster.
    async fn save_live_state(
        &self,
        id: PlaybackId,
        revision: Option<u64>,
        state: String,
    ) -> Result<bool>;
    async fn purge_playbacks(&self, used_before: WallTime) -> Result<u64>;
}

/// How many streams agencies may have at once.
#[async_trait]
pub trait StreamLimits {
    async fn stream_limits(&self) -> Result<AllAllowed>;
    /// `false` when there is no such agency.
    async fn set_stream_limit(
        &self,
        agency: AgencyCode,
        allowed: Allowed,
        audit: Entry,
    ) -> Result<bool>;
    async fn set_stream_totals(&self, full: u32, reduced: u32, audit: Entry) -> Result<()>;
}

/// Keys that all coordinators over this store share.
#[async_trait]
pub trait Secrets {
    /// The secret of that name; `candidate` becomes it when there is none.
    async fn secret(&self, name: &'static str, candidate: Vec<u8>) -> Result<Vec<u8>>;
}
