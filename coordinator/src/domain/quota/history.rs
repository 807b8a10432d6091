//! Histories of few agencies, ids and people, so that they meet.

use std::time::Duration;

use proptest::prelude::*;
use shared::id::{CameraId, ReservationId, UserId};

use super::{Limits, Pool, Reservation, Tier};

/// The longest that anything lives without being heard of.
pub(crate) const LONGEST: Duration = Duration::from_secs(40);

/// What may happen. A client that crashes is one that is not heard of any more, and one that retries
/// reserves again.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Reserve(Reservation, Duration, Limits),
    Heartbeat(Reservation, Duration),
    Release(Reservation),
    /// Time goes on.
    Wait(Duration),
}

/// Everywhere where somebody may hold something.
pub(crate) fn pools() -> Vec<Pool> {
    let tiers = [Tier::Full, Tier::Reduced];
    let agencies = ["METRO", "BUS", "TAXI"].into_iter();
    agencies
        .flat_map(|agency| {
            tiers.map(|tier| Pool {
                agency: agency.parse().unwrap(),
                tier,
            })
        })
        .collect()
}

fn reservation() -> impl Strategy<Value = Reservation> {
    let pool = prop::sample::select(pools());
    // Mostly one person and one camera for an id, so that ids are found again.
    let odd = prop::bool::weighted(0.1);
    (0_u8..12, pool, odd).prop_map(|(id, pool, odd)| Reservation {
        id: ReservationId::from_slice(&[id; 16]).unwrap(),
        pool,
        camera: CameraId::from_slice(&[id; 16]).unwrap(),
        holder: UserId::from_slice(&[u8::from(odd); 16]).unwrap(),
    })
}

fn ttl() -> impl Strategy<Value = Duration> {
    (1_u64..=LONGEST.as_secs()).prop_map(Duration::from_secs)
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let limits = (0_u32..5, 0_u32..8).prop_map(|(pool, total)| Limits { pool, total });
    prop_oneof![
        6 => (reservation(), ttl(), limits)
            .prop_map(|(wanted, ttl, limits)| Step::Reserve(wanted, ttl, limits)),
        3 => (reservation(), ttl()).prop_map(|(held, ttl)| Step::Heartbeat(held, ttl)),
        2 => reservation().prop_map(Step::Release),
        2 => (0_u64..20).prop_map(|seconds| Step::Wait(Duration::from_secs(seconds))),
    ]
}
