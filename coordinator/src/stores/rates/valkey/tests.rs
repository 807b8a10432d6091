//! Against a real server.

use std::time::Duration;

use super::*;
use crate::stores::rates::suite;
use crate::stores::valkey::ValkeyError;
use crate::stores::valkey::process::{PASSWORD, Process};

fn key(address: &str) -> Key {
    Key {
        of: Subject::Address(address.parse().unwrap()),
        what: Asked::Api,
    }
}

const SLOW: Rate = Rate {
    interval: Duration::from_secs(1_000),
    burst: 2,
};

async fn connected(process: &Process) -> Shared {
    let server = process.client();
    server.connect().await.unwrap();
    Shared::new(server)
}

#[tokio::test]
async fn it_passes_the_suite() {
    let process = Process::start(false).await;
    let rates = connected(&process).await;
    suite::run(&rates).await;
}

#[tokio::test]
async fn two_coordinators_share_their_buckets() {
    let process = Process::start(true).await;
    let (one, other) = (connected(&process).await, connected(&process).await);
    let bucket = [(key("192.0.2.1"), SLOW)];
    assert_eq!(one.take(&bucket).await.unwrap(), Taken::Granted);
    assert_eq!(other.take(&bucket).await.unwrap(), Taken::Granted);
    for rates in [one, other] {
        let taken = rates.take(&bucket).await.unwrap();
        assert!(matches!(taken, Taken::Refused { .. }));
    }
}

#[tokio::test]
async fn a_server_that_was_restarted_is_taught_the_script_again() {
    let mut process = Process::start(false).await;
    let rates = Shared::new(process.client());
    let valkey = rates.server();
    let bucket = [(key("192.0.2.1"), SLOW)];
    let before = rates.take(&bucket).await.unwrap_err();
    assert!(matches!(before, RatesError(ValkeyError::Apart { .. })));
    valkey.connect().await.unwrap();
    rates.take(&bucket).await.unwrap();

    process.kill().await;
    assert!(rates.take(&bucket).await.is_err());
    // From then on nobody waits for it.
    assert!(!valkey.is_connected());
    let error = valkey.connect().await.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1") && !error.contains(PASSWORD));

    process.restart().await;
    valkey.connect().await.unwrap();
    assert_eq!(rates.take(&bucket).await.unwrap(), Taken::Granted);
}

#[tokio::test]
async fn buckets_that_are_full_again_are_not_kept() {
    let process = Process::start(false).await;
    let rates = connected(&process).await;
    let rate = Rate {
        interval: Duration::from_millis(20),
        burst: 2,
    };
    let bucket = [(key("192.0.2.1"), rate)];
    rates.take(&bucket).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), async {
        while rates.server().size().await > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}
