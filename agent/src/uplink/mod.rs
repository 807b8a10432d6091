//! The one door to the coordinator: one outbound connection, reports before recordings, and a
//! planner that decides what leaves the site next.
//!
//! This module keeps the connection up, for ever and without help; what is said on it is in
//! [`control`], [`metadata`], [`upload`] and [`requests`]. Only `lib.rs` and the command line come in
//! here. `design/sync.md` tells the whole.

mod connection;
mod control;
mod day;
mod enrol;
mod fetch;
mod live;
mod metadata;
pub mod planner;
mod requests;
mod session;
pub mod status;
mod upload;
pub mod witness;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use shared::clock::Clock;
use shared::id::BootId;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use connection::{Closed, DialError, Route, StreamError};
pub use enrol::{EnrolError, Enroller};
pub use session::SessionEnd;

use self::connection::{Address, Ways};
use self::day::DayFile;
use self::planner::Now;
use self::planner::budget::Plan;
use self::status::{State, Status};
use crate::backoff::Backoff;
use crate::buffer::Buffer;
use crate::config::TcpFallback;
use crate::identity::{Enrolment, Key};
use crate::metrics::UplinkCounters;
use crate::supervisor::Site;

/// After a refusal that only people can mend.
const SLOW_RETRY: Duration = Duration::from_secs(180);

/// After another agent took our place: fighting back at once would only take turns.
const REPLACED_RETRY: Duration = Duration::from_secs(60);

/// How often an enrolment is looked for while there is none, or the known one is of no use.
const ENROLMENT_CHECK: Duration = Duration::from_secs(3);

/// A session that lasted so long was a success.
const LASTING: Duration = Duration::from_secs(30);

/// What the settings say of the way to the coordinator.
#[derive(Clone, Debug)]
pub struct Settings {
    pub data_dir: PathBuf,
    /// `host` and `port` instead of those of the enrolment.
    pub address: Option<(String, u16)>,
    /// Where TCP goes; where UDP goes if `None`.
    pub tcp_address: Option<(String, u16)>,
    pub tcp_fallback: TcpFallback,
    pub plan: Plan,
    /// Recordings uploaded at the same time.
    pub parallel: usize,
}

/// What all parts of the uplink share.
pub(crate) struct Shared {
    settings: Settings,
    key: Arc<Key>,
    clock: Arc<dyn Clock>,
    started: Instant,
    boot: BootId,
    site: Arc<Site>,
    buffer: Buffer,
    commands: control::Commands,
    counters: UplinkCounters,
    status: watch::Sender<Status>,
    /// Records were acknowledged, so segments may have become candidates.
    acknowledged: Notify,
    /// Bytes fetched by the coordinator and not charged yet.
    fetched: AtomicU64,
    day: DayFile,
}

impl Shared {
    /// For waiting and pacing; the clock of the runtime, because the network keeps real time.
    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    /// Records and recordings that the centre should have and does not, for the heartbeat. What cannot
    /// be counted stays as it was.
    async fn count_backlogs(&self) -> (u64, u64) {
        let metadata = self.buffer.outbox_backlog().await;
        let uploads = self.buffer.upload_backlog(self.clock.wall()).await;
        let mut counted = (0, 0);
        self.status.send_modify(|status| {
            status.metadata_backlog = metadata.unwrap_or(status.metadata_backlog);
            status.upload_backlog = uploads.unwrap_or(status.upload_backlog);
            counted = (status.metadata_backlog, status.upload_backlog);
        });
        counted
    }

    fn now(&self) -> Now {
        Now {
            monotonic: self.monotonic(),
            wall: self.clock.wall(),
        }
    }
}

/// The way to the coordinator, of an agent that runs. Clones share it.
#[derive(Clone)]
pub struct Uplink {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Uplink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uplink").finish_non_exhaustive()
    }
}

impl Uplink {
    pub fn new(
        settings: Settings,
        key: Arc<Key>,
        clock: Arc<dyn Clock>,
        site: Arc<Site>,
        buffer: Buffer,
        counters: UplinkCounters,
    ) -> Self {
        let status = Status::new(clock.wall());
        let shared = Shared {
            day: DayFile::new(&settings.data_dir),
            settings,
            key,
            started: Instant::now(),
            boot: control::new_boot(clock.as_ref()),
            clock,
            site,
            buffer,
            commands: control::Commands::default(),
            counters,
            status: watch::Sender::new(status),
            acknowledged: Notify::new(),
            fetched: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// How it is doing.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.shared.status.subscribe()
    }

    /// Connects, and again for ever; ends when told to. Only one may run at a time.
    pub async fn run(&self, cancel: CancellationToken) {
        let shared = &self.shared;
        let settings = &shared.settings;
        let mut plans = upload::Plans::new(settings.plan.clone(), settings.parallel, shared);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        while !cancel.is_cancelled() {
            let (wait, enrolment) = match Enrolment::load(&settings.data_dir) {
                Ok(Some(enrolment)) => {
                    let began = Instant::now();
                    let end =
                        session::run(shared, &enrolment, &mut plans, cancel.child_token()).await;
                    if began.elapsed() > LASTING {
                        backoff.reset();
                    }
                    let wait = self.after(&end, &mut backoff);
                    (wait, Some(enrolment))
                }
                Ok(None) => {
                    self.report(State::NotEnrolled, None);
                    (ENROLMENT_CHECK, None)
                }
                Err(error) => {
                    self.report(State::Broken, Some(error.to_string()));
                    (SLOW_RETRY, None)
                }
            };
            tokio::select! {
                () = cancel.cancelled() => {}
                () = self.wait(wait, enrolment.as_ref()) => {}
            }
        }
        plans.keep(shared);
    }

    /// Notes why a session ended, and says how long to wait.
    fn after(&self, end: &SessionEnd, backoff: &mut Backoff) -> Duration {
        let (state, wait) = match end {
            SessionEnd::Stopped => (State::Waiting, Duration::ZERO),
            end if end.is_revocation() => (State::Revoked, SLOW_RETRY),
            end if end.is_version() => (State::Version, SLOW_RETRY),
            end if end.is_replacement() => (State::Replaced, REPLACED_RETRY),
            end if end.is_somebody_else() => (State::Elsewhere, backoff.next(rand::random())),
            _ => (State::Waiting, backoff.next(rand::random())),
        };
        if !matches!(end, SessionEnd::Stopped) {
            tracing::warn!(error = %end, retry_ms = wait.as_millis(), "no connection to the coordinator");
            self.shared.counters.connection_ended();
        }
        self.report(state, Some(end.to_string()));
        wait
    }

    fn report(&self, state: State, problem: Option<String>) {
        let now = self.shared.clock.wall();
        self.shared
            .status
            .send_modify(|status| status.enter(state, problem, now));
    }

    /// Waits, but not when the installer enrols anew in the meantime.
    async fn wait(&self, wait: Duration, known: Option<&Enrolment>) {
        let until = Instant::now() + wait;
        while Instant::now() < until {
            let step = ENROLMENT_CHECK.min(until - Instant::now());
            tokio::time::sleep(step).await;
            if Enrolment::load(&self.shared.settings.data_dir)
                .is_ok_and(|found| found.as_ref() != known)
            {
                return;
            }
        }
    }
}

fn ways(settings: &Settings, enrolment: &Enrolment) -> Ways {
    let udp = match &settings.address {
        Some((host, port)) => Address {
            host: host.clone(),
            port: *port,
        },
        None => Address {
            host: enrolment.host.clone(),
            port: enrolment.port,
        },
    };
    let tcp = match &settings.tcp_address {
        Some((host, port)) => Address {
            host: host.clone(),
            port: *port,
        },
        None => udp.clone(),
    };
    Ways {
        udp,
        tcp,
        fallback: settings.tcp_fallback,
    }
}
