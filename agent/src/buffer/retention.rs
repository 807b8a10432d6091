//! What is deleted, why, and when the first thing will be that nobody has a copy of. Pure.
//!
//! Space is made oldest first, of what was uploaded before what was not, and of what is kept as
//! evidence last. Age deletes what is older than a camera's rule, but what policy wants uploaded
//! waits for its upload: only space forces that. Deleting is [`super::janitor`]'s work.

use std::time::Duration;

use shared::time::WallTime;
use shared::timeline::Reason;
use shared::wire::control::UploadPolicy;

use super::index::holdings::{Holding, Totals};
use super::{CameraRule, Limits, Policies};

/// The filesystem and what of it is ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the filesystem.
    pub total_bytes: u64,
    /// What an ordinary user may still write.
    pub free_bytes: u64,
    /// Of all segment files, open ones included.
    pub used_bytes: u64,
}

/// How fast things change, averaged over minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    pub recorded_bytes_per_second: f64,
    pub uploaded_bytes_per_second: f64,
}

/// One segment to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    pub holding: Holding,
    pub reason: Reason,
}

/// Space is made so long before the reserve is touched, at the rate of recording.
const HEADROOM: Duration = Duration::from_secs(30);
/// The headroom is at most this part of the filesystem.
const HEADROOM_PART: u64 = 50;

/// Whether age waits for the upload of such a camera's segments.
pub(super) fn waits_for_upload(rule: CameraRule) -> bool {
    matches!(rule.upload, UploadPolicy::All | UploadPolicy::Schedule)
}

/// The age at which a camera's segments are deleted.
pub(super) fn max_age(limits: &Limits, rule: CameraRule) -> Option<Duration> {
    rule.max_age.or(limits.max_age)
}

/// Smaller is deleted first.
pub(super) fn eviction_order(holding: &Holding) -> impl Ord + use<> {
    (
        holding.locked,
        !holding.uploaded,
        holding.range.end(),
        holding.segment,
    )
}

/// How many bytes have to go so that the limits are kept and recording has headroom. Where not even
/// deleting everything would leave the reserve free, nothing is deleted for it: that would cost all
/// recordings and gain none.
pub(super) fn bytes_to_free(limits: &Limits, usage: &Usage, rates: &Rates) -> u64 {
    let over_size = limits
        .max_bytes
        .map_or(0, |max| usage.used_bytes.saturating_sub(max));
    if usage.free_bytes.saturating_add(usage.used_bytes) < limits.reserve_bytes {
        return over_size;
    }
    let wanted = limits
        .reserve_bytes
        .saturating_add(headroom_bytes(usage, rates));
    over_size.max(wanted.saturating_sub(usage.free_bytes))
}

fn headroom_bytes(usage: &Usage, rates: &Rates) -> u64 {
    let bytes = rates.recorded_bytes_per_second.max(0.0) * HEADROOM.as_secs_f64();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float that is too large or negative becomes the nearest bound"
    )]
    let bytes = bytes as u64;
    bytes.min(usage.total_bytes / HEADROOM_PART)
}

/// Takes from the front of `in_order` (see [`eviction_order`]) until `bytes` are free.
pub(super) fn by_space(bytes: u64, in_order: &[Holding], policies: &Policies) -> Vec<Eviction> {
    let mut freed = 0_u64;
    in_order
        .iter()
        .take_while(|holding| {
            let needed = freed < bytes;
            freed = freed.saturating_add(holding.size);
            needed
        })
        .map(|holding| Eviction {
            holding: holding.clone(),
            reason: space_reason(holding, policies.rule(holding.camera)),
        })
        .collect()
}

fn space_reason(holding: &Holding, rule: CameraRule) -> Reason {
    if holding.uploaded || rule.upload == UploadPolicy::OnDemand {
        Reason::ExpiredBySpace
    } else {
        Reason::ExpiredBeforeUpload
    }
}

/// Whether age deletes the segment now.
pub(super) fn is_expired(
    holding: &Holding,
    limits: &Limits,
    rule: CameraRule,
    now: WallTime,
) -> bool {
    max_age(limits, rule).is_some_and(|age| holding.range.end() < now - age)
        && !holding.locked
        && (holding.uploaded || !waits_for_upload(rule))
}

/// Everything that these limits and policies would delete now, of all that is held.
pub(super) fn plan(
    limits: &Limits,
    policies: &Policies,
    usage: &Usage,
    rates: &Rates,
    mut holdings: Vec<Holding>,
    now: WallTime,
) -> Vec<Eviction> {
    holdings.sort_by_key(eviction_order);
    let (expired, kept): (Vec<_>, Vec<_>) = holdings
        .into_iter()
        .partition(|holding| is_expired(holding, limits, policies.rule(holding.camera), now));
    let freed: u64 = expired.iter().map(|holding| holding.size).sum();
    let usage = Usage {
        free_bytes: usage.free_bytes.saturating_add(freed),
        used_bytes: usage.used_bytes.saturating_sub(freed),
        ..*usage
    };
    let mut evictions: Vec<_> = expired
        .into_iter()
        .map(|holding| Eviction {
            holding,
            reason: Reason::ExpiredByAge,
        })
        .collect();
    let bytes = bytes_to_free(limits, &usage, rates);
    evictions.extend(by_space(bytes, &kept, policies));
    evictions
}

/// Uploads keep up as long as no more waits than was recorded in this time: recordings wait until
/// their segment is closed, and go in bursts.
const KEEPING_UP_SECONDS: f64 = 300.0;

/// When space will force the deletion of something that was never uploaded, at the present rates;
/// `None` when that will not happen, or when `policies` want nothing uploaded anyway.
pub(super) fn deletes_unsent_at(
    limits: &Limits,
    policies: &Policies,
    usage: &Usage,
    totals: &Totals,
    rates: &Rates,
    now: WallTime,
) -> Option<WallTime> {
    let nothing_to_send = totals.unsent_bytes == 0 || !policies.want_uploads();
    if nothing_to_send || keeps_up(totals, rates) {
        return None;
    }
    let by_disk = (usage.used_bytes.saturating_add(usage.free_bytes)).saturating_sub(
        limits
            .reserve_bytes
            .saturating_add(headroom_bytes(usage, rates)),
    );
    let capacity = limits.max_bytes.unwrap_or(u64::MAX).min(by_disk);
    // What is locked goes after everything else, uploaded or not.
    let locked_copies = totals
        .locked_bytes
        .saturating_sub(totals.unsent_locked_bytes);
    let open = usage.used_bytes.saturating_sub(totals.bytes);
    let pinned = totals
        .unsent_bytes
        .saturating_add(locked_copies)
        .saturating_add(open);
    let room = capacity.saturating_sub(pinned);
    let growth = rates.recorded_bytes_per_second - rates.uploaded_bytes_per_second;
    if growth < 1.0 {
        return None;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a forecast in seconds of bytes that are megabytes"
    )]
    let seconds = room as f64 / growth;
    let delay = Duration::try_from_secs_f64(seconds).ok()?;
    // Beyond what a person plans for, and what a time can hold.
    (delay < Duration::from_secs(100 * 365 * 86_400)).then(|| now + delay)
}

fn keeps_up(totals: &Totals, rates: &Rates) -> bool {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a forecast in seconds of bytes that are megabytes"
    )]
    let waiting = totals.unsent_bytes as f64;
    let usual = rates.recorded_bytes_per_second * KEEPING_UP_SECONDS;
    rates.uploaded_bytes_per_second > 0.0 && waiting <= usual
}

#[cfg(test)]
mod tests;
