//! Reservations by which something is shown.

use shared::testing::SegmentBuilder;
use tokio::time::{Instant, interval, timeout};

use super::*;
use crate::services::testing::{NOW, World};

const LIMIT: Duration = Duration::from_secs(20);

/// A quota service whose leases are looked after every few milliseconds, and somebody who may watch.
async fn scene(lease: Duration) -> (World, CameraGrant, Arc<Quotas>) {
    let world = World::with(|config| config.quotas.lease = lease).await;
    let agent = world.agent().await;
    let built = SegmentBuilder::new(NOW).build();
    world.report(&agent, &[&built]).await;
    let actor = world.administrator().await;
    let grant = world.grant(&actor, &built, Deed::ViewCamera).await;
    let quotas = Arc::clone(&world.services.quotas);
    (world, grant, quotas)
}

async fn count(quotas: &Quotas) -> u32 {
    quotas.count().await.total.full.current
}

async fn until(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    let mut ticks = interval(Duration::from_millis(5));
    while !check().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        ticks.tick().await;
    }
}

#[tokio::test]
async fn one_reservation_shows_one_thing_and_is_given_back_with_it() {
    let (_world, grant, quotas) = scene(Duration::from_secs(60)).await;
    let first = quotas.reserve(&grant, Tier::Full, None).await.unwrap();
    let id = first.reservation.id;
    let hold = quotas.hold(&grant, Tier::Full, Some(id)).await.unwrap();
    // What was reserved before, not one more.
    assert_eq!(
        (hold.reserved().usage.current, count(&quotas).await),
        (1, 1)
    );
    let twice = quotas.hold(&grant, Tier::Full, Some(id)).await;
    assert!(matches!(twice, Err(QuotaError::Taken)), "{twice:?}");
    drop(hold);
    until("its place", async || count(&quotas).await == 0).await;
    until("its id", async || quotas.held().is_empty()).await;

    let again = quotas.hold(&grant, Tier::Full, Some(id)).await.unwrap();
    quotas.release(grant.actor(), id).await.unwrap();
    timeout(LIMIT, again.lost())
        .await
        .expect("it is still shown");
    assert_eq!(count(&quotas).await, 0);
}

#[tokio::test]
async fn a_lease_that_was_lost_is_had_again_while_there_is_room() {
    let lease = Duration::from_millis(60);
    let (world, grant, quotas) = scene(lease).await;
    let hold = quotas.hold(&grant, Tier::Full, None).await.unwrap();
    let granted = || quotas.figures.streams_granted.get();
    assert_eq!(granted(), 1);
    // As if the host had stood still.
    world.clock.advance(lease * 10);
    until("it to be had again", async || count(&quotas).await == 1).await;
    let lost = timeout(Duration::ZERO, hold.lost()).await;
    assert!(lost.is_err(), "there was room");

    quotas.counting.allow(AllAllowed::default());
    world.clock.advance(lease * 10);
    timeout(LIMIT, hold.lost())
        .await
        .expect("it is still shown");
    assert_eq!(count(&quotas).await, 0);
}
