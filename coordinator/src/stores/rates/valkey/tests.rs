//! Against a real server.

use std::time::Duration;

use super::process::Process;
use super::*;
use crate::stores::rates::suite;

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

#[tokio::test]
async fn it_passes_the_suite() {
    let process = Process::start(false).await;
    let valkey = process.client();
    valkey.connect().await.unwrap();
    suite::run(&valkey).await;
}

#[tokio::test]
async fn two_coordinators_share_their_buckets() {
    let process = Process::start(true).await;
    let (one, other) = (process.client(), process.client());
    one.connect().await.unwrap();
    other.connect().await.unwrap();
    let bucket = [(key("192.0.2.1"), SLOW)];
    assert_eq!(one.take(&bucket).await.unwrap(), Taken::Granted);
    assert_eq!(other.take(&bucket).await.unwrap(), Taken::Granted);
    for valkey in [one, other] {
        let taken = valkey.take(&bucket).await.unwrap();
        assert!(matches!(taken, Taken::Refused { .. }));
    }
}

#[tokio::test]
async fn a_server_that_was_restarted_is_taught_the_script_again() {
    let mut process = Process::start(false).await;
    let valkey = process.client();
    let bucket = [(key("192.0.2.1"), SLOW)];
    let before = valkey.take(&bucket).await.unwrap_err();
    assert!(matches!(before, RatesError::Apart { .. }));
    valkey.connect().await.unwrap();
    valkey.take(&bucket).await.unwrap();

    process.kill().await;
    assert!(valkey.take(&bucket).await.is_err());
    // From then on nobody waits for it.
    assert!(!valkey.is_connected());
    let error = valkey.connect().await.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1") && !error.contains(process::PASSWORD));

    process.restart().await;
    valkey.connect().await.unwrap();
    assert_eq!(valkey.take(&bucket).await.unwrap(), Taken::Granted);
}

#[tokio::test]
async fn buckets_that_are_full_again_are_not_kept() {
    let process = Process::start(false).await;
    let valkey = process.client();
    valkey.connect().await.unwrap();
    let rate = Rate {
        interval: Duration::from_millis(20),
        burst: 2,
    };
    let bucket = [(key("192.0.2.1"), rate)];
    valkey.take(&bucket).await.unwrap();
    let mut connection = MultiplexedConnection::clone(&valkey.connection.load_full().unwrap());
    tokio::time::timeout(Duration::from_secs(20), async {
        let count = async |connection: &mut MultiplexedConnection| {
            redis::cmd("DBSIZE")
                .query_async::<u64>(connection)
                .await
                .unwrap()
        };
        while count(&mut connection).await > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_an_error_that_does_not_show_it() {
    let process = Process::start(false).await;
    let valkey = process.client_with("something-else");
    let error = valkey.connect().await.unwrap_err();
    assert!(!format!("{error} {error:?} {valkey:?}").contains("something-else"));
    assert!(!valkey.is_connected());
}
