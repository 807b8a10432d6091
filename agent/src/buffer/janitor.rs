//! Carries out retention: looks at the disk every few seconds, deletes what [`super::retention`]
//! says, and keeps the buffer's status.
//!
//! The intention is written first, then the file goes, then the row: a crash in between is
//! finished at the next start, with the reason it was begun for. Where the index cannot be written
//! because the disk is full, the file goes all the same.

use std::path::Path;
use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::fs::statvfs;
use shared::id::SegmentId;
use shared::time::WallTime;
use shared::timeline::Reason;

use super::index::holdings::{self, Totals};
use super::index::{IndexError, ledger, located, segments};
use super::retention::{self, Eviction, Rates, Usage};
use super::{Inner, files};

const INTERVAL: Duration = Duration::from_secs(5);
/// Segments deleted between two looks at the disk.
const BATCH: usize = 200;
/// Time over which rates are averaged.
const RATE_SECONDS: f64 = 600.0;
/// Acknowledged gaps are kept at least this long, for the local health page.
const KEEP_GAPS: Duration = Duration::from_secs(90 * 86_400);
const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// What wakes the janitor before its time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    /// Recording has no space.
    Space,
    /// The rules have changed.
    Rules,
}

#[derive(Debug)]
pub(super) struct Janitor {
    /// Files that are gone and whose rows are not yet.
    unfinished: Vec<(SegmentId, Reason)>,
    meter: Meter,
    forgot_at: Option<Instant>,
}

impl Janitor {
    pub(super) fn new() -> Self {
        Self {
            unfinished: Vec::new(),
            meter: Meter::default(),
            forgot_at: None,
        }
    }

    /// Until the buffer is closed.
    pub(super) fn run(mut self, buffer: &Weak<Inner>, calls: &Receiver<Call>) {
        loop {
            let Some(inner) = buffer.upgrade() else {
                return;
            };
            if let Err(error) = self.round(&inner) {
                tracing::warn!(%error, "retention could not do its work; it tries again");
            }
            drop(inner);
            match calls.recv_timeout(INTERVAL) {
                Ok(Call::Space | Call::Rules) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // One round answers all calls that came meanwhile.
            while calls.try_recv().is_ok() {}
        }
    }

    fn round(&mut self, inner: &Inner) -> Result<(), IndexError> {
        self.finish(inner)?;
        let now = inner.clock.wall();
        self.expire(inner, now)?;
        let rates = self.meter.rates(inner);
        let (mut usage, mut totals) = look(inner)?;
        loop {
            let bytes = retention::bytes_to_free(&inner.config.limits, &usage, &rates);
            if bytes == 0 {
                break;
            }
            let next = inner
                .index
                .read("looking for what to delete", |connection| {
                    holdings::next_to_evict(connection, BATCH)
                })
                .block()?;
            let evictions = retention::by_space(bytes, &next, &inner.policies());
            if evictions.is_empty() || !self.evict(inner, evictions)? {
                break;
            }
            (usage, totals) = look(inner)?;
        }
        self.forget(inner, now, &totals);
        inner
            .index
            .take_on_ballast(inner.config.limits.reserve_bytes);
        publish(inner, &usage, &totals, &rates, now);
        Ok(())
    }

    /// Deletes by age.
    fn expire(&mut self, inner: &Inner, now: WallTime) -> Result<(), IndexError> {
        let policies = inner.policies();
        let mut cameras: Vec<_> = inner
            .index
            .read("listing streams", ledger::streams)
            .block()?
            .into_iter()
            .map(|(camera, _, _)| camera)
            .collect();
        cameras.dedup();
        for camera in cameras {
            let rule = policies.rule(camera);
            let Some(age) = retention::max_age(&inner.config.limits, rule) else {
                continue;
            };
            let unsent_too = !retention::waits_for_upload(rule);
            loop {
                let expired = inner
                    .index
                    .read("looking for what is too old", move |connection| {
                        holdings::ended_before(connection, camera, now - age, unsent_too, BATCH)
                    })
                    .block()?;
                let mut more = expired.len() == BATCH;
                let evictions: Vec<_> = expired
                    .into_iter()
                    .map(|holding| Eviction {
                        holding,
                        reason: Reason::ExpiredByAge,
                    })
                    .collect();
                if !evictions.is_empty() {
                    more &= self.evict(inner, evictions)?;
                }
                if !more {
                    break;
                }
            }
        }
        Ok(())
    }

    /// False when something could not be deleted: then there is no point in going on.
    fn evict(&mut self, inner: &Inner, evictions: Vec<Eviction>) -> Result<bool, IndexError> {
        let intentions: Vec<_> = evictions
            .iter()
            .map(|eviction| (eviction.holding.segment, eviction.reason))
            .collect();
        let paths: Vec<_> = {
            let wanted = intentions.clone();
            inner
                .index
                .write_now("beginning to delete", move |connection| {
                    segments::begin_eviction(connection, &wanted)
                })
                .block()
                // A full disk is the very reason to go on.
                .unwrap_or_else(|error| tracing::warn!(%error, "deleting without a note"));
            let wanted = intentions.clone();
            inner
                .index
                .read("finding files to delete", move |connection| {
                    located::paths(connection, &wanted)
                })
                .block()?
        };
        let mut kept = Vec::new();
        for (eviction, path) in evictions.iter().zip(paths) {
            let Some(path) = path else { continue };
            let path = inner.config.segments.join(path);
            if delete(&path) {
                tell(eviction);
                self.unfinished
                    .push((eviction.holding.segment, eviction.reason));
            } else {
                kept.push(eviction.holding.segment);
            }
        }
        self.finish(inner)?;
        let all_gone = kept.is_empty();
        if !all_gone {
            inner
                .index
                .write_now("keeping what cannot be deleted", move |connection| {
                    segments::give_up_eviction(connection, &kept)
                })
                .block()?;
        }
        Ok(all_gone)
    }

    /// Rows follow their files.
    fn finish(&mut self, inner: &Inner) -> Result<(), IndexError> {
        if self.unfinished.is_empty() {
            return Ok(());
        }
        let gone = self.unfinished.clone();
        let now = inner.clock.wall();
        inner
            .index
            .write_now("noting deletions", move |connection| {
                gone.iter().try_for_each(|(id, reason)| {
                    segments::finish_eviction(connection, *id, *reason, now)
                })
            })
            .block()?;
        self.unfinished.clear();
        inner.growing.announce();
        Ok(())
    }

    fn forget(&mut self, inner: &Inner, now: WallTime, totals: &Totals) {
        if self.forgot_at.is_some_and(|at| at.elapsed() < FORGET_EVERY) {
            return;
        }
        self.forgot_at = Some(Instant::now());
        let before = (now - KEEP_GAPS).min(totals.oldest.unwrap_or(now));
        // Nothing depends on it being done now.
        drop(inner.index.write("forgetting old gaps", move |connection| {
            ledger::forget_before(connection, before)
        }));
    }
}

/// The file and, when it was the last, its directory; false when the file cannot be deleted.
fn delete(path: &Path) -> bool {
    match std::fs::remove_file(path) {
        Ok(()) => {
            if let Some(directory) = path.parent() {
                // Refused while anything is in it; the writer makes it again if it was too early.
                let _ = std::fs::remove_dir(directory);
            }
            true
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "cannot delete a recording");
            false
        }
    }
}

fn tell(eviction: &Eviction) {
    let Eviction { holding, reason } = eviction;
    if holding.uploaded {
        tracing::debug!(segment.id = %holding.segment, ?reason, "deleted after upload");
    } else {
        tracing::warn!(
            segment.id = %holding.segment,
            camera.id = %holding.camera,
            range = ?holding.range,
            ?reason,
            "deleted the only copy of a recording"
        );
    }
}

pub(super) fn look(inner: &Inner) -> Result<(Usage, Totals), IndexError> {
    let totals = inner
        .index
        .read("adding up recordings", holdings::totals)
        .block()?;
    let open: u64 = inner
        .growing
        .snapshot_sizes()
        .into_iter()
        .fold(0, u64::saturating_add);
    let usage = Usage {
        used_bytes: totals.bytes.saturating_add(open),
        ..filesystem(&inner.config.segments)
    };
    Ok((usage, totals))
}

/// Size and free space of the filesystem. Where the disk does not answer, its state is the
/// recorder's to find out, not a reason to delete.
pub(super) fn filesystem(path: &Path) -> Usage {
    let sizes = statvfs(path).ok();
    let bytes = |blocks: u64, size: u64| blocks.saturating_mul(size);
    Usage {
        total_bytes: sizes.as_ref().map_or(0, |s| bytes(s.f_blocks, s.f_frsize)),
        free_bytes: sizes
            .as_ref()
            .map_or(u64::MAX, |s| bytes(s.f_bavail, s.f_frsize)),
        used_bytes: 0,
    }
}

fn publish(inner: &Inner, usage: &Usage, totals: &Totals, rates: &Rates, now: WallTime) {
    let limits = &inner.config.limits;
    let forecast =
        retention::deletes_unsent_at(limits, &inner.policies(), usage, totals, rates, now);
    inner.status.send_modify(|status| {
        status.total_bytes = usage.total_bytes;
        status.free_bytes = usage.free_bytes;
        status.used_bytes = usage.used_bytes;
        status.reserve_bytes = limits.reserve_bytes;
        status.unsent_bytes = totals.unsent_bytes;
        status.oldest = totals.oldest;
        status.deletes_unsent_at = forecast;
    });
}

/// Rates from counters.
#[derive(Debug, Default)]
struct Meter {
    last: Option<(Duration, u64, u64)>,
    rates: Rates,
}

impl Meter {
    fn rates(&mut self, inner: &Inner) -> Rates {
        let at = inner.clock.monotonic();
        let recorded = inner.recorded_bytes.load(Ordering::Relaxed);
        let uploaded = inner.uploaded_bytes.load(Ordering::Relaxed);
        if let Some((before, recorded_before, uploaded_before)) = self.last {
            let seconds = at.saturating_sub(before).as_secs_f64();
            if seconds >= 1.0 {
                let weight = (seconds / RATE_SECONDS).clamp(0.02, 1.0);
                blend(
                    &mut self.rates.recorded_bytes_per_second,
                    recorded - recorded_before,
                    seconds,
                    weight,
                );
                blend(
                    &mut self.rates.uploaded_bytes_per_second,
                    uploaded - uploaded_before,
                    seconds,
                    weight,
                );
                self.last = Some((at, recorded, uploaded));
            }
        } else {
            self.last = Some((at, recorded, uploaded));
        }
        self.rates
    }
}

fn blend(rate: &mut f64, bytes: u64, seconds: f64, weight: f64) {
    #[expect(clippy::cast_precision_loss, reason = "a rate needs three digits")]
    let newest = bytes as f64 / seconds;
    // The first measurement counts whole.
    *rate = if *rate == 0.0 {
        newest
    } else {
        *rate + (newest - *rate) * weight
    };
}

impl Inner {
    /// The file is of no use: it goes, and the coordinator is told in case it heard of it.
    pub(super) fn discard(&self, id: SegmentId, path: &Path) -> Result<(), IndexError> {
        if delete(path) {
            self.index
                .write_now("discarding a segment", move |connection| {
                    segments::discard(connection, id)
                })
                .block()?;
        }
        Ok(())
    }

    pub(super) fn relative(&self, path: &Path) -> String {
        files::relative_to(&self.config.segments, path)
    }
}
