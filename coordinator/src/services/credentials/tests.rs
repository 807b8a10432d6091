use std::time::Instant;

use serde_json::Value;

use super::super::testing::{PASSWORD, World};
use super::*;
use crate::domain::access::Deed;
use crate::domain::audit::search::Search;

/// Seconds that a refusal took.
async fn refused(world: &World, login: &str, password: &str) -> f64 {
    // Every wait and every count is over.
    world.clock.advance(lockout::FORGOTTEN);
    let access = &world.services.access;
    let begun = Instant::now();
    let answer = access.sign_in(login, password.into(), Origin::default());
    let answer = answer.await;
    let took = begun.elapsed().as_secs_f64();
    assert!(matches!(answer, Err(SignInError::Wrong)), "{answer:?}");
    took
}

/// What a guesser could learn from the time an answer takes. Measured in pairs, one right after the
/// other and in turns, so that what slows the machine down slows both; of the ratios within the
/// pairs the median counts. Leaving the hash out for a login that nobody has would make that a
/// hundredth; a difference of some percent, which the network hides, is not looked for.
#[tokio::test]
async fn a_refusal_takes_as_long_whoever_the_login_belongs_to() {
    const PAIRS: usize = 15;
    let world = World::new().await;
    world.operator("METRO").await;
    let disabled = world.operator("BUS").await;
    let (access, users) = (&world.services.access, &world.services.users);
    let grant = access.console(Deed::ManageUsers);
    let status = users.set_status(&grant, disabled.user_id(), Status::Disabled);
    status.await.unwrap();
    for (other, password) in [
        ("nobody-of-that-name", PASSWORD),
        // Right, and of no use.
        ("BUS", PASSWORD),
        // Cannot be anybody's.
        ("\u{202e}", PASSWORD),
        ("nobody-of-that-name", &*"x".repeat(10_000)),
    ] {
        let mut ratios = Vec::with_capacity(PAIRS);
        for pair in 0..PAIRS {
            let known = || refused(&world, "METRO", "not the password");
            let other = || refused(&world, other, password);
            let (known, other) = if pair % 2 == 0 {
                let known = known().await;
                (known, other().await)
            } else {
                let other = other().await;
                (known().await, other)
            };
            ratios.push(other / known);
        }
        ratios.sort_by(f64::total_cmp);
        let median = ratios[PAIRS / 2];
        assert!((0.5..2.0).contains(&median), "{other}: {median} {ratios:?}");
    }
}

/// Of every entry about a refused sign-in, oldest first.
async fn entries(world: &World) -> Vec<Value> {
    let grant = world.services.access.console(Deed::ViewAudit);
    let search = Search {
        what: vec![What::SignInRefused],
        ..Search::default()
    };
    let found = world.services.audit.search(&grant, &search, None, 500);
    let details = found.await.unwrap().items.into_iter().rev();
    let details = details.map(|entry| serde_json::from_str(&entry.details.unwrap()).unwrap());
    details.collect()
}

#[tokio::test]
async fn refused_sign_ins_are_few_entries_and_none_is_forgotten() {
    let world = World::new().await;
    world.operator("METRO").await;
    let access = &world.services.access;
    let (mut wrong, mut waits) = (0, 0);
    for attempt in 0..60_u8 {
        let origin = Origin::new(Some([192, 0, 2, attempt % 2].into()), None, None);
        // However it is typed, it is one login.
        let login = ["metro", " Metro", "nobody"][usize::from(attempt % 3)];
        match access.sign_in(login, "not it".into(), origin).await {
            Err(SignInError::Wrong) => wrong += 1,
            Err(SignInError::Wait { .. }) => waits += 1,
            other => panic!("{other:?}"),
        }
        let written = entries(&world).await.len();
        assert!(written > 0, "the first is there when it is answered");
        world.clock.advance(Duration::from_secs(1));
    }
    assert!(wrong > 10 && waits > 20, "{wrong} {waits}");
    // Two logins, two addresses, and two reasons.
    assert_eq!(entries(&world).await.len(), 8);
    world.services.audit.finish().await;
    let entries = entries(&world).await;
    assert_eq!(entries.len(), 16);
    let count = |reason: &str| -> u64 {
        let entries = entries.iter().filter(|entry| entry["wrong"] == reason);
        entries
            .map(|entry| entry["more"].as_u64().unwrap_or(1))
            .sum()
    };
    assert_eq!((count("password"), count("too_often")), (wrong, waits));
    assert_eq!(world.services.figures.sign_ins_refused.get(), 60);
}
