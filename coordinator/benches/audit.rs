//! What the audit costs: `cargo bench -p cctv-coordinator --bench audit`.
//!
//! Writing entries one by one, by many at once and in batches, walking the chain, and searching it.
//! `ENTRIES=1000000 cargo bench …` for a long-lived coordinator; the disk is that of the temporary
//! directory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cctv_coordinator::domain::audit::chain::{Record, Verifier};
use cctv_coordinator::domain::audit::search::{Search, Visible};
use cctv_coordinator::domain::audit::{Entry, Origin, What, Who};
use cctv_coordinator::stores::{Store, sqlite};
use shared::clock::{Clock as _, SystemClock};
use shared::id::UserId;
use shared::time::WallTime;

#[tokio::main]
async fn main() {
    let entries = std::env::var("ENTRIES").map_or(100_000, |text| text.parse().expect("a number"));
    let directory = tempfile::tempdir().expect("a directory");
    let store = sqlite::open(directory.path()).await.expect("a database");
    let start = SystemClock::new().wall();
    sealing(start);
    writing(&store, start).await;
    let begun = Instant::now();
    for first in (0..entries).step_by(256) {
        let batch = (first..(first + 256).min(entries)).map(|number| entry(start, number));
        store.audit(batch.collect()).await.expect("written");
    }
    per_second("written in batches of 256", entries, begun.elapsed());
    verifying(&store).await;
    searching(&store, start).await;
}

fn per_second(what: &str, count: u64, took: Duration) {
    let rate = count as f64 / took.as_secs_f64();
    eprintln!("{what:<44} {rate:>10.0} entries/s");
}

/// As an operator's day makes them.
fn entry(start: WallTime, number: u64) -> Entry {
    let kinds = [
        What::PlaybackPrepared,
        What::PlaybackViewed,
        What::PlaybackSought,
        What::SignedIn,
    ];
    let id = UserId::from_slice(&[(number % 200) as u8; 16]).expect("sixteen bytes");
    let address = [10, 0, (number % 7) as u8, (number % 251) as u8].into();
    let agent =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0";
    let at = start + Duration::from_secs(number * 30);
    Entry::new(at, Who::User(id), kinds[(number % 4) as usize])
        .on(format!("{:032x}", number % 3_000))
        .in_agency("METRO".parse().ok())
        .with(serde_json::json!({ "stream": "main", "from": "2026-03-01T14:00:00.000Z" }))
        .from_origin(Origin::new(
            Some(address),
            Some(agent),
            Some("9f86d081884c7d659a2feaa0c55ad015"),
        ))
}

/// The hashing alone.
fn sealing(start: WallTime) {
    let (count, begun) = (100_000, Instant::now());
    let mut head = None;
    let entry = entry(start, 7);
    for _ in 0..count {
        head = Record::following(head, &entry, rand::random()).head();
    }
    let each = begun.elapsed().as_secs_f64() / f64::from(count) * 1e6;
    eprintln!("{:<44} {each:>10.2} us each, {}", "sealed", head.is_some());
}

async fn writing(store: &Arc<dyn Store>, start: WallTime) {
    let (count, begun) = (500, Instant::now());
    for number in 0..count {
        let entry = entry(start, number);
        store.audit(vec![entry]).await.expect("written");
    }
    per_second("written one after the other", count, begun.elapsed());
    let (count, begun) = (20_000, Instant::now());
    let writers = (0..100).map(|writer| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for number in 0..count / 100 {
                let entry = entry(start, writer * count + number);
                store.audit(vec![entry]).await.expect("written");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("a writer");
    }
    per_second("written by a hundred at once", count, begun.elapsed());
}

async fn verifying(store: &Arc<dyn Store>) {
    let begun = Instant::now();
    let mut verifier = Verifier::new(Vec::new());
    loop {
        let records = store.audit_records(verifier.length(), 4_096).await;
        let records = records.expect("records");
        if records.is_empty() {
            break;
        }
        for record in &records {
            verifier.next(record).expect("a whole chain");
        }
    }
    per_second("verified", verifier.length(), begun.elapsed());
}

async fn searching(store: &Arc<dyn Store>, start: WallTime) {
    let month = Search {
        from: Some(start),
        to: Some(start + Duration::from_secs(30 * 86_400)),
        ..Search::default()
    };
    let searches = [
        ("of a month", month.clone()),
        (
            "of a month and a person",
            Search {
                user: UserId::from_slice(&[7; 16]),
                ..month.clone()
            },
        ),
        (
            "of a month and two kinds",
            Search {
                what: vec![What::SignedIn, What::PlaybackSought],
                ..month.clone()
            },
        ),
        (
            "of a month with a text that is nowhere",
            Search {
                text: Some("nowhere".to_owned()),
                ..month
            },
        ),
    ];
    for (what, search) in searches {
        let mut took = Vec::new();
        for _ in 0..5 {
            let begun = Instant::now();
            let everything = Visible::AllBut(Vec::new());
            let found = store.audit_search(search.clone(), everything, None, 100);
            found.await.expect("found");
            took.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        took.sort_by(f64::total_cmp);
        eprintln!("a page {what:<37} {:>10.2} ms", took[2]);
    }
}
