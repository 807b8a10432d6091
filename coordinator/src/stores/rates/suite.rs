//! What every back end of [`Rates`] must do.

use std::time::Duration;

use futures::future::join_all;
use shared::id::UserId;
use shared::time::WallTime;
use tokio::time::{Instant, timeout};

use super::{Rates, Taken};
use crate::domain::agency::AgencyCode;
use crate::domain::rate::{Asked, Key, Rate, Subject};

const LIMIT: Duration = Duration::from_secs(20);

/// So slow that nothing comes in while a test runs.
const fn slow(burst: u32) -> Rate {
    Rate {
        interval: Duration::from_secs(1_000),
        burst,
    }
}

fn new_user() -> UserId {
    UserId::new(WallTime::from_secs(1_700_000_000))
}

fn somebody(what: Asked) -> Key {
    let of = Subject::User(new_user());
    Key { of, what }
}

async fn take(rates: &dyn Rates, buckets: &[(Key, Rate)]) -> Taken {
    rates.take(buckets).await.unwrap()
}

async fn is_granted(rates: &dyn Rates, key: &Key, rate: Rate) -> bool {
    take(rates, &[(key.clone(), rate)]).await == Taken::Granted
}

pub(super) async fn run(rates: &dyn Rates) {
    a_bucket_holds_its_burst_and_says_how_long_to_wait(rates).await;
    a_bucket_fills_again(rates).await;
    buckets_do_not_mix(rates).await;
    all_or_none(rates).await;
    many_at_once_get_no_more_than_the_burst(rates).await;
}

async fn a_bucket_holds_its_burst_and_says_how_long_to_wait(rates: &dyn Rates) {
    let key = somebody(Asked::Api);
    for _ in 0..5 {
        assert!(is_granted(rates, &key, slow(5)).await);
    }
    let Taken::Refused { wait } = take(rates, &[(key, slow(5))]).await else {
        panic!("a sixth of five was granted");
    };
    assert!(wait > Duration::from_secs(900) && wait <= Duration::from_secs(1_000));
}

async fn a_bucket_fills_again(rates: &dyn Rates) {
    let rate = Rate {
        interval: Duration::from_millis(300),
        burst: 1,
    };
    let key = somebody(Asked::Api);
    let started = Instant::now();
    let mut granted = 0;
    timeout(LIMIT, async {
        while granted < 3 {
            granted += u32::from(is_granted(rates, &key, rate).await);
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    // Less a millisecond for the grain of a server's clock.
    assert!(started.elapsed() >= 2 * rate.interval - Duration::from_millis(1));
}

async fn buckets_do_not_mix(rates: &dyn Rates) {
    let user = new_user();
    let agency: AgencyCode = format!("A{}", user.to_string().to_uppercase().replace('-', "_"))
        .chars()
        .take(AgencyCode::MAX_LENGTH)
        .collect::<String>()
        .parse()
        .unwrap();
    let subjects = [
        Subject::User(user),
        Subject::User(new_user()),
        Subject::Agency(agency),
        Subject::Address("2001:db8::1".parse().unwrap()),
        Subject::Address("192.0.2.1".parse().unwrap()),
    ];
    for of in subjects {
        for what in [Asked::Api, Asked::Media] {
            let key = Key {
                of: of.clone(),
                what,
            };
            assert!(is_granted(rates, &key, slow(1)).await, "{key:?}");
            assert!(!is_granted(rates, &key, slow(1)).await, "{key:?}");
        }
    }
}

async fn all_or_none(rates: &dyn Rates) {
    let (wide, narrow) = (somebody(Asked::Api), somebody(Asked::Api));
    let both = [(wide.clone(), slow(3)), (narrow, slow(1))];
    assert_eq!(take(rates, &both).await, Taken::Granted);
    for _ in 0..10 {
        assert!(matches!(take(rates, &both).await, Taken::Refused { .. }));
    }
    // The refused ones have cost nothing.
    assert!(is_granted(rates, &wide, slow(3)).await);
    assert!(is_granted(rates, &wide, slow(3)).await);
    assert!(!is_granted(rates, &wide, slow(3)).await);
}

async fn many_at_once_get_no_more_than_the_burst(rates: &dyn Rates) {
    let key = somebody(Asked::Media);
    let all = (0..200).map(|_| is_granted(rates, &key, slow(50)));
    let granted = join_all(all).await.into_iter().filter(|it| *it).count();
    assert_eq!(granted, 50);
}
