//! The task of one stream: sessions one after the other, for ever, and what is said of them.
//!
//! It carries out what [`super::retry`] decides and [`super::runs`] concludes. Nothing it waits for
//! is without a limit, and everything it waits for ends at once when the stream is stopped,
//! restarted or no longer wanted.

mod playing;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use shared::time::WallTime;
use shared::timeline::Reason;
use shared::wire::control::StreamState;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use self::playing::Playing;
use super::clock_map::Now;
use super::demand::{Demand, Hold};
use super::fanout::Fanout;
use super::media::{Event, Run};
use super::quirks::Quirk;
use super::retry::{Outcome, Retry, Wait};
use super::rtsp::{self, Fault, Item, Note, PastSessions, Session};
use super::runs::Runs;
use super::status::{CameraStatus, PictureFormat, Rates};
use super::stream::{StreamConfig, Surroundings};

/// Silence of the video after which a session is given up, unless pictures are rare anyway.
const STALL: Duration = Duration::from_secs(10);

/// How often status is renewed and silence is looked for.
const TICK: Duration = Duration::from_millis(500);

/// A description that takes longer than this is no sign that the camera is back.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

/// The task's side of a stream.
#[derive(Debug)]
pub struct Puller {
    config: StreamConfig,
    surroundings: Surroundings,
    office: Office,
    /// A stream that is not on request holds itself.
    _own_hold: Option<Hold>,
    retry: Retry,
    past: PastSessions,
    /// Packets of a past session spoiled the last one, and not for the first time.
    haunted: bool,
    rates: Rates,
    outage: Outage,
    events: Vec<Event>,
}

/// Where the task is told what to do and says what it does.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) fanout: Arc<Fanout>,
    pub(super) status: watch::Sender<CameraStatus>,
    pub(super) demand: Demand,
    pub(super) restart: Arc<Notify>,
}

/// The present stretch without pictures.
#[derive(Debug, Default)]
struct Outage {
    since: Option<WallTime>,
    /// What was said of it last.
    reason: Option<Reason>,
}

/// Why the task turns away from what it is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interruption {
    Stopped,
    Restart,
    Unwanted,
}

impl Interruption {
    const fn reason(self) -> Reason {
        match self {
            Self::Stopped => Reason::AgentStopped,
            Self::Restart => Reason::OperatorRestart,
            Self::Unwanted => Reason::RecordingOff,
        }
    }
}

impl Puller {
    pub(super) fn new(config: StreamConfig, surroundings: Surroundings, office: Office) -> Self {
        Self {
            _own_hold: (!config.on_request).then(|| office.demand.hold()),
            config,
            surroundings,
            office,
            retry: Retry::default(),
            past: PastSessions::default(),
            haunted: false,
            rates: Rates::default(),
            outage: Outage::default(),
            events: Vec::new(),
        }
    }

    /// Pulls the stream until cancelled.
    pub async fn run(mut self, cancel: CancellationToken) {
        loop {
            if !self.office.demand.is_wanted() {
                self.office
                    .status
                    .send_modify(|status| status.state = StreamState::Off);
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => return,
                    () = self.office.demand.begins() => {}
                }
            }
            let interrupted = match self.try_once(&cancel).await {
                Ok(outcome) => {
                    let wait = self.retry.after(outcome, rand::random());
                    self.wait(wait, &cancel).await.err()
                }
                Err(interruption) => Some(interruption),
            };
            match interrupted {
                Some(Interruption::Stopped) => return,
                Some(Interruption::Restart | Interruption::Unwanted) => {
                    self.retry = Retry::default();
                }
                None => {}
            }
        }
    }

    /// One session, from its turn to its end.
    async fn try_once(&mut self, cancel: &CancellationToken) -> Result<Outcome, Interruption> {
        if self.outage.reason.is_none() {
            self.office
                .status
                .send_modify(|status| status.state = StreamState::Connecting);
        }
        let wall = self.now().wall;
        self.outage.since.get_or_insert(wall);
        let quirks = self.surroundings.quirks.of(self.config.camera);
        let turn = self.surroundings.starts.take_turn(self.now().monotonic);
        let opened = {
            let open = async {
                tokio::time::sleep(turn).await;
                Session::open(&self.config.source, &self.past, &quirks).await
            };
            tokio::select! {
                biased;
                interruption = self.interruption(cancel) => Err(interruption),
                opened = open => Ok(opened),
            }
        };
        match opened {
            Err(interruption) => {
                self.interrupted(interruption);
                Err(interruption)
            }
            Ok(Err(fault)) => {
                let wiser = self.learn(&fault);
                self.down(&fault);
                Ok(match wiser {
                    true => Outcome::Wiser,
                    false => Outcome::Refused(fault.reason),
                })
            }
            Ok(Ok(session)) => self.play(session, cancel).await,
        }
    }

    /// Passes on what the session gives until it ends.
    async fn play(
        &mut self,
        mut session: Session,
        cancel: &CancellationToken,
    ) -> Result<Outcome, Interruption> {
        let sound = session.description().audio_encoding.clone();
        self.office.status.send_modify(|status| {
            status.sessions += 1;
            status.unrecorded_sound = sound.filter(|_| session.audio().is_none());
        });
        tracing::info!(
            camera = self.config.name,
            stream = ?self.config.stream,
            server = session.description().server,
            "the camera plays"
        );
        let (camera, kind) = (self.config.camera, self.config.stream);
        let mut runs = Runs::new(camera, kind, session.audio().cloned(), self.now());
        let mut playing = Playing::new(self.now().monotonic);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (demand, restart) = (self.office.demand.clone(), Arc::clone(&self.office.restart));
        let mut interruption = pin!(interruption(cancel, &restart, &demand));
        loop {
            // Items first: they are most of what happens, and the runtime's budget lets the others in.
            let fault = tokio::select! {
                biased;
                item = session.next() => match item {
                    Ok(item) => {
                        self.take(item, &mut runs, &mut playing);
                        None
                    }
                    Err(fault) => Some(fault),
                },
                interruption = &mut interruption => {
                    self.end(&mut runs, interruption.reason(), None);
                    self.interrupted(interruption);
                    return Err(interruption);
                }
                _ = tick.tick() => self.look(&mut runs, &playing),
            };
            if let Some(fault) = fault {
                let wiser = self.learn(&fault);
                self.end(&mut runs, fault.reason, Some(fault.detail.clone()));
                self.down(&fault);
                return Ok(match wiser {
                    true => Outcome::Wiser,
                    false => playing.outcome(),
                });
            }
        }
    }

    fn take(&mut self, item: Item, runs: &mut Runs, playing: &mut Playing) {
        let now = self.now();
        match item {
            Item::Picture(picture) => {
                playing.picture(u64::from(picture.lost_packets), now.monotonic);
                self.rates.picture(picture.payload.len(), now.monotonic);
                runs.picture(picture, now, &mut self.events);
            }
            Item::Sound(sound) => {
                self.rates.sound(sound.payload.len(), now.monotonic);
                runs.sound(sound, now, &mut self.events);
            }
            Item::Report(report) => runs.report(report, now, &mut self.events),
            Item::Note(note) => self.note(&note),
        }
        self.publish();
    }

    /// Settles what waited long enough, renews the status, and looks for silence.
    fn look(&mut self, runs: &mut Runs, playing: &Playing) -> Option<Fault> {
        let now = self.now();
        runs.settle(now, &mut self.events);
        self.publish();
        let standing = runs.standing(now);
        let (bits_per_second, milli_fps) = self.rates.per_second(now.monotonic);
        self.office.status.send_modify(|status| {
            status.last_picture = standing.newest.or(status.last_picture);
            status.bits_per_second = bits_per_second;
            status.milli_fps = milli_fps;
            status.clock_uncertainty_us = standing.uncertainty_us;
            status.clock_offset_us = standing.camera_offset_us;
            status.lost_packets += playing.lost_packets.replace(0);
        });
        let limit = standing
            .interval
            .map_or(STALL, |usual| STALL.max(usual * 4));
        let silent = now.monotonic.saturating_sub(playing.latest());
        (silent >= limit).then(|| {
            let detail = format!(
                "{}: no picture for {} s while the connection stands",
                self.config.source.shown(),
                silent.as_secs()
            );
            Fault::new(Reason::CameraStalled, detail)
        })
    }

    fn publish(&mut self) {
        for event in self.events.drain(..) {
            match &event {
                Event::RunStarted(run) => {
                    self.outage = Outage::default();
                    live(&self.office.status, run);
                }
                Event::RunEnded { at, reason, detail } => {
                    self.outage.since = Some(*at);
                    tracing::info!(
                        camera = self.config.name,
                        stream = ?self.config.stream,
                        ?reason,
                        detail,
                        "a run ended"
                    );
                }
                _ => {}
            }
            self.office.fanout.publish(event);
        }
    }

    fn end(&mut self, runs: &mut Runs, reason: Reason, detail: Option<String>) {
        let newest = runs.standing(self.now()).newest;
        runs.end(reason, detail, &mut self.events);
        self.publish();
        self.office.status.send_modify(|status| {
            status.last_picture = newest.or(status.last_picture);
        });
    }

    /// Says that there is no picture, and why; once per reason.
    fn down(&mut self, fault: &Fault) {
        let wall = self.now().wall;
        let since = *self.outage.since.get_or_insert(wall);
        let reason = fault.reason;
        self.office.status.send_modify(|status| {
            status.state = StreamState::Down { reason, since };
            status.detail = Some(fault.detail.clone());
            status.bits_per_second = 0;
            status.milli_fps = 0;
        });
        if self.outage.reason.replace(reason) == Some(reason) {
            return;
        }
        tracing::warn!(
            camera = self.config.name,
            stream = ?self.config.stream,
            ?reason,
            detail = fault.detail,
            "no picture"
        );
        self.office.fanout.publish(Event::Down {
            reason,
            detail: Some(fault.detail.clone()),
            since,
        });
    }

    fn interrupted(&mut self, interruption: Interruption) {
        let what = match interruption {
            // The agent goes down; nobody is left to be told.
            Interruption::Stopped => return,
            Interruption::Restart => "restarted on request",
            Interruption::Unwanted => "nobody wants the stream",
        };
        self.down(&Fault::new(interruption.reason(), what));
        if interruption == Interruption::Unwanted {
            self.outage = Outage::default();
            self.office
                .status
                .send_modify(|status| status.state = StreamState::Off);
        }
    }

    /// Whether the fault taught something new.
    fn learn(&mut self, fault: &Fault) -> bool {
        let wiser = fault.quirk.is_some_and(|quirk| self.learn_quirk(quirk));
        // Ending sessions properly did not help, so only time does.
        self.haunted = fault.quirk == Some(Quirk::StaleSession) && !wiser;
        wiser
    }

    fn learn_quirk(&self, quirk: Quirk) -> bool {
        let news = self.surroundings.quirks.learn(self.config.camera, quirk);
        if news {
            tracing::info!(camera = self.config.name, "the camera {}", quirk.sentence());
        }
        let quirks = self.surroundings.quirks.of(self.config.camera);
        self.office
            .status
            .send_modify(|status| status.quirks = quirks);
        news
    }

    fn note(&self, note: &Note) {
        tracing::info!(
            camera = self.config.name,
            stream = ?self.config.stream,
            "{}",
            note.text
        );
        if let Some(quirk) = note.quirk {
            self.learn_quirk(quirk);
        }
    }

    /// Waits for the next try, which may come early.
    async fn wait(&mut self, wait: Wait, cancel: &CancellationToken) -> Result<(), Interruption> {
        let haunted = match self.haunted {
            true => self.past.haunted_for(),
            false => None,
        };
        let until = Instant::now() + wait.until_try.max(haunted.unwrap_or_default());
        loop {
            let next = wait
                .look_every
                .map_or(until, |every| until.min(Instant::now() + every));
            let interrupted = tokio::select! {
                biased;
                interruption = self.interruption(cancel) => Some(interruption),
                () = tokio::time::sleep_until(next) => None,
            };
            if let Some(interruption) = interrupted {
                self.interrupted(interruption);
                return Err(interruption);
            }
            if Instant::now() >= until {
                return Ok(());
            }
            let looked = tokio::select! {
                biased;
                interruption = self.interruption(cancel) => Err(interruption),
                looked = tokio::time::timeout(LOOK_LIMIT, rtsp::examine(&self.config.source)) => Ok(looked),
            };
            match looked {
                Err(interruption) => {
                    self.interrupted(interruption);
                    return Err(interruption);
                }
                Ok(Ok(Ok(_))) => return Ok(()),
                Ok(Ok(Err(fault))) => {
                    self.down(&fault);
                    if fault.reason == Reason::CameraRefusedCredentials {
                        // Not one more question than a refused password allows.
                        let more = self
                            .retry
                            .after(Outcome::Refused(fault.reason), rand::random());
                        return Box::pin(self.wait(more, cancel)).await;
                    }
                }
                Ok(Err(_)) => {}
            }
        }
    }

    async fn interruption(&self, cancel: &CancellationToken) -> Interruption {
        interruption(cancel, &self.office.restart, &self.office.demand).await
    }

    fn now(&self) -> Now {
        let (monotonic, wall) = self.surroundings.clock.both();
        Now { monotonic, wall }
    }
}

async fn interruption(
    cancel: &CancellationToken,
    restart: &Notify,
    demand: &Demand,
) -> Interruption {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Interruption::Stopped,
        () = restart.notified() => Interruption::Restart,
        () = demand.ends() => Interruption::Unwanted,
    }
}

fn live(status: &watch::Sender<CameraStatus>, run: &Run) {
    let video = &run.parameters.video;
    status.send_modify(|status| {
        status.state = StreamState::Live;
        status.detail = None;
        status.run = Some(run.id);
        status.last_picture = Some(run.origin);
        status.picture = Some(PictureFormat {
            codec: video.codec,
            width: video.width,
            height: video.height,
            has_sound: run.parameters.audio.is_some(),
        });
    });
}
