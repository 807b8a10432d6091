//! Measures a camera: one session of its own, some seconds of its pictures, a report for the
//! installer. The camera's task is not involved and goes on recording.
//!
//! What is counted is in [`tally`], what is concluded in [`verdict`], what is told in [`report`].

mod report;
mod tally;
mod verdict;

use std::time::Duration;

use shared::clock::Clock;
use shared::timeline::Reason;
use tokio::time::Instant;

pub use self::report::{
    AudioReport, ClockReport, GopReport, Playability, ProbeReport, Span, VideoReport,
};
use self::tally::Tally;
pub use self::verdict::{Grade, Verdict};
use super::clock_map::Now;
use super::quirks::Quirks;
use super::rtsp::{Fault, Item, PastSessions, Session};
use super::source::Source;

/// A camera is never watched longer than this, so that the answer is there within twenty seconds.
const LONGEST: Duration = Duration::from_secs(15);

/// From the first try to the answer, whatever the camera does.
const LIMIT: Duration = Duration::from_millis(19_500);

/// Silence that ends a measurement early.
const SILENCE: Duration = Duration::from_secs(8);

/// Why there is nothing to report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ProbeError {
    pub reason: Reason,
    /// For the technician; never a secret.
    pub detail: String,
}

impl From<Fault> for ProbeError {
    fn from(fault: Fault) -> Self {
        Self {
            reason: fault.reason,
            detail: fault.detail,
        }
    }
}

/// Watches the stream for `lasts` (at most 15 s) and reports, within 20 s.
///
/// A session that ends early is reported as far as it went.
///
/// # Errors
/// There is no session, or not one picture.
pub async fn measure(
    source: &Source,
    lasts: Duration,
    clock: &dyn Clock,
) -> Result<ProbeReport, ProbeError> {
    let began = Instant::now();
    let mut quirks = Quirks::default();
    let past = PastSessions::default();
    let session = loop {
        match Session::open(source, &past, &quirks).await {
            Ok(session) => break session,
            // What is learned at the first try is used at once, as the recorder would.
            Err(fault) if fault.quirk.is_some_and(|quirk| quirks.learn(quirk)) => {}
            Err(fault) => return Err(fault.into()),
        }
    };
    let opened = began.elapsed();
    let mut tally = Tally::new(&session, now(clock));
    for quirk in quirks.iter() {
        tally.quirk(quirk);
    }
    let until = (Instant::now() + lasts.min(LONGEST)).min(began + LIMIT);
    let ended = watch(session, &mut tally, until, clock).await;
    if tally.pictures() == 0 {
        return Err(ended.unwrap_or_else(|| silent(source)).into());
    }
    Ok(report::conclude(source, opened, tally, ended, now(clock)))
}

/// Counts until then; how the session ended, if it did.
async fn watch(
    mut session: Session,
    tally: &mut Tally,
    until: Instant,
    clock: &dyn Clock,
) -> Option<Fault> {
    loop {
        let next = until.min(Instant::now() + SILENCE);
        match tokio::time::timeout_at(next, session.next()).await {
            Ok(Ok(item)) => {
                if let Item::Note(note) = &item {
                    tally.note(note);
                }
                tally.take(item, now(clock));
            }
            Ok(Err(fault)) => return Some(fault),
            Err(_) => return None,
        }
        if Instant::now() >= until {
            return None;
        }
    }
}

fn silent(source: &Source) -> Fault {
    Fault::new(
        Reason::CameraStalled,
        format!("{}: the camera plays and sends no picture", source.shown()),
    )
}

fn now(clock: &dyn Clock) -> Now {
    let (monotonic, wall) = clock.both();
    Now { monotonic, wall }
}
