//! Looking at what an agent holds without touching it, also while it runs: every file against the
//! index, its hashes and its signature, every stream against its ledger, and what other limits
//! would delete. For people who want to know whether they can rely on it.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use shared::fmp4::read::{self, Walk};
use shared::id::{CameraId, SegmentId};
use shared::segment::{SegmentMeta, StreamKind};
use shared::time::{TimeRange, WallTime};
use shared::timeline::{self, Reason};

use super::index::located::{self, Located};
use super::index::{IndexError, holdings, ledger, rows, segments};
use super::reconcile;
use super::retention::{self, Eviction, Rates, Usage};
use super::{BufferConfig, Limits, Policies};

/// Rows read at a time.
const PAGE: usize = 500;
/// Rounding between fragments, as the timeline bridges it.
const ROUNDING: Duration = Duration::from_millis(100);

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    pub closed_segments: u64,
    pub open_segments: u64,
    /// Whole fragments, each with a hash that fits its bytes.
    pub fragments: u64,
    /// Of those fragments and their init parts.
    pub bytes: u64,
    /// Bytes behind the last whole fragment of open segments: the next fragment on its way.
    pub unfinished_bytes: u64,
    pub problems: Vec<Problem>,
    pub streams: Vec<StreamAudit>,
}

impl Audit {
    /// Whether everything is as the index says and every second is explained.
    pub fn is_sound(&self) -> bool {
        let explained = |stream: &StreamAudit| stream.unexplained.is_empty();
        self.problems.is_empty() && self.streams.iter().all(explained)
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub segment: Option<SegmentId>,
    /// From the storage directory.
    pub path: String,
    pub problem: String,
}

/// One stream over the time that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamAudit {
    pub camera: CameraId,
    pub stream: StreamKind,
    pub range: Option<TimeRange>,
    pub recorded_ms: u64,
    pub missing_ms: BTreeMap<String, u64>,
    /// Neither recorded nor in the ledger, and not because it is too new.
    pub unexplained: Vec<TimeRange>,
}

/// The index of an agent, for reading.
#[derive(Debug)]
pub struct Inspection {
    connection: Connection,
    config: BufferConfig,
}

impl Inspection {
    /// # Errors
    /// There is no index, or it cannot be read.
    pub fn open(config: BufferConfig) -> Result<Self, IndexError> {
        let open = |source| IndexError::Open {
            path: config.index.clone(),
            source,
        };
        let connection =
            Connection::open_with_flags(&config.index, OpenFlags::SQLITE_OPEN_READ_ONLY)
                .map_err(open)?;
        connection
            .busy_timeout(Duration::from_secs(5))
            .map_err(open)?;
        Ok(Self { connection, config })
    }

    /// Reads every file that ended after `since`, and says what is wrong. `public_key` is the
    /// agent's; without it signatures are not checked.
    ///
    /// # Errors
    /// The index cannot be read. What is wrong with a file is part of the answer.
    pub fn audit(
        &self,
        public_key: Option<&[u8]>,
        since: WallTime,
        now: WallTime,
    ) -> Result<Audit, IndexError> {
        let mut audit = Audit::default();
        let on_disk = reconcile::list(&self.config.segments);
        let mut known = HashSet::new();
        let mut after = None;
        loop {
            let page = self.ask("listing segments", |connection| {
                located::page(connection, after, PAGE)
            })?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for row in &page {
                known.insert(row.id);
                self.check(row, public_key, since, &mut audit)?;
            }
        }
        for file in on_disk.ours {
            if !known.contains(&file.id) && !self.has_row(file.id)? {
                audit.problems.push(Problem {
                    segment: Some(file.id),
                    path: self.relative(&file.path),
                    problem: "is not in the index; the agent adopts it at its next start"
                        .to_owned(),
                });
            }
        }
        for (camera, stream, first) in self.ask("listing streams", ledger::streams)? {
            let stream = self.account(camera, stream, first.max(since), now)?;
            audit.streams.push(stream);
        }
        Ok(audit)
    }

    /// What these limits and policies would delete now.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn dry_run(
        &self,
        limits: &Limits,
        policies: &Policies,
        now: WallTime,
    ) -> Result<Vec<Eviction>, IndexError> {
        let totals = self.ask("adding up recordings", holdings::totals)?;
        let held = self.ask("listing recordings", |connection| {
            holdings::next_to_evict(connection, usize::MAX)
        })?;
        let usage = Usage {
            used_bytes: totals.bytes,
            ..super::janitor::filesystem(&self.config.segments)
        };
        let rates = Rates::default();
        Ok(retention::plan(limits, policies, &usage, &rates, held, now))
    }

    fn ask<T>(
        &self,
        doing: &'static str,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, IndexError> {
        question(&self.connection).map_err(|source| IndexError::new(doing, source))
    }

    fn has_row(&self, id: SegmentId) -> Result<bool, IndexError> {
        let stream = self.ask("looking for a segment", |connection| {
            located::stream_of_segment(connection, id)
        })?;
        Ok(stream.is_some())
    }

    fn relative(&self, path: &Path) -> String {
        super::files::relative_to(&self.config.segments, path)
    }

    fn check(
        &self,
        row: &Located,
        public_key: Option<&[u8]>,
        since: WallTime,
        audit: &mut Audit,
    ) -> Result<(), IndexError> {
        let meta = self.ask("reading a segment", |connection| {
            segments::meta(connection, row.id)
        })?;
        let range = meta.as_ref().and_then(SegmentMeta::wall_range);
        if range.is_some_and(|range| range.end() < since) {
            return Ok(());
        }
        let path = self.config.segments.join(&row.path);
        let walk = File::open(&path)
            .map_err(read::ReadError::from)
            .and_then(read::walk);
        let problems = match (walk, meta) {
            (Err(error), _) => {
                // Deleted or given up while this was looking?
                if !self.has_row(row.id)? {
                    return Ok(());
                }
                vec![error.to_string()]
            }
            (Ok(walk), Some(meta)) => {
                audit.closed_segments += 1;
                audit.fragments += walk.fragments.len() as u64;
                audit.bytes += walk.end();
                contradictions(&meta, &walk, public_key)
            }
            (Ok(walk), None) => {
                audit.open_segments += 1;
                audit.fragments += walk.fragments.len() as u64;
                audit.bytes += walk.end();
                audit.unfinished_bytes += walk.file_length.saturating_sub(walk.end());
                Vec::new()
            }
        };
        audit
            .problems
            .extend(problems.into_iter().map(|problem| Problem {
                segment: Some(row.id),
                path: row.path.clone(),
                problem,
            }));
        Ok(())
    }

    /// How a stream's time is accounted for, up to what is in closed segments and the ledger.
    fn account(
        &self,
        camera: CameraId,
        stream: StreamKind,
        from: WallTime,
        now: WallTime,
    ) -> Result<StreamAudit, IndexError> {
        let history = self.ask("reading a stream", |connection| {
            ledger::history(connection, camera, stream)
        })?;
        let until = history.map_or(from, |history| history.explained_until.min(now));
        let range = TimeRange::new(from, until)
            .ok()
            .filter(|range| !range.is_empty());
        let mut account = StreamAudit {
            camera,
            stream,
            range,
            recorded_ms: 0,
            missing_ms: BTreeMap::new(),
            unexplained: Vec::new(),
        };
        let Some(range) = range else {
            return Ok(account);
        };
        let covered: Vec<TimeRange> = self
            .ask("reading coverage", |connection| {
                segments::covering(connection, camera, stream, range)
            })?
            .into_iter()
            .flat_map(|(fragments, _)| fragments)
            .filter_map(|fragment| fragment.wall_range().intersection(&range))
            .collect();
        let gaps = self.ask("reading the ledger", |connection| {
            ledger::gaps(connection, camera, stream, range)
        })?;
        account.recorded_ms = millis(timeline::total(covered.iter().copied()));
        for gap in &gaps {
            let inside = gap.range.intersection(&range).into_iter();
            let missing = inside.flat_map(|gap| timeline::subtract(gap, covered.iter().copied()));
            let entry = account.missing_ms.entry(name(gap.reason)).or_default();
            *entry += millis(timeline::total(missing));
        }
        let known = covered
            .into_iter()
            .chain(gaps.into_iter().map(|gap| gap.range));
        let known = timeline::merge(known, ROUNDING);
        account.unexplained = timeline::subtract(range, known)
            .into_iter()
            .filter(|hole| hole.duration() > ROUNDING)
            .collect();
        Ok(account)
    }
}

/// Where a closed segment's file is not what its metadata says.
fn contradictions(meta: &SegmentMeta, walk: &Walk, public_key: Option<&[u8]>) -> Vec<String> {
    let mut found = Vec::new();
    if let Err(error) = meta.check() {
        found.push(format!("the index contradicts itself: {error}"));
    }
    if walk.file_length != meta.size {
        found.push(format!(
            "has {} bytes, and {} in the index",
            walk.file_length, meta.size
        ));
    }
    if walk.fragments != meta.fragments {
        let same = walk.fragments.iter().zip(&meta.fragments);
        let same = same
            .take_while(|(found, expected)| found == expected)
            .count();
        found.push(format!(
            "only {same} of {} fragments are as they were recorded ({:?})",
            meta.fragments.len(),
            walk.stop
        ));
    }
    if walk.init.sha256 != meta.head.init_sha256 {
        found.push("its init part is not the one that was recorded".to_owned());
    }
    if public_key.is_some_and(|key| !meta.signature.verify(key, &meta.statement())) {
        found.push("its signature is not this agent's".to_owned());
    }
    found
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn name(reason: Reason) -> String {
    rows::reason_name(reason)
}
