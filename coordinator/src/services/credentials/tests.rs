use std::time::Instant;

use super::super::testing::{PASSWORD, World};
use super::*;
use crate::domain::access::Deed;

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
