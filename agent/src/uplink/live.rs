//! Pictures as they come, for as long as somebody watches at the centre: one stream for each GOP,
//! newer first, late ones ended.
//!
//! The camera waits for nobody: what comes is put into the GOP that is being sent, or left out until
//! the next sync sample when too much waits there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use shared::sample::{AudioFrame, Sample};
use shared::time::WallTime;
use shared::timeline::Reason;
use shared::wire::live::{FrameHead, FrameKind, GopHeader, LiveFact, LiveRequest};
use shared::wire::{CloseCode, StreamHeader};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::connection::{Opener, Receiver, Sender, StreamError};
use crate::camera::fanout::{QueueLimits, Subscription};
use crate::camera::media::{Event, Run};
use crate::supervisor::NoStream;

/// Somebody is watching now: above everything but control.
const NEWEST: i32 = 95;
const OLDER: i32 = 94;

/// How long the rest of a GOP may take when the next has begun.
const LATE: Duration = Duration::from_millis(500);

/// How often the coordinator hears that the pull lives.
const ALIVE: Duration = Duration::from_secs(1);

/// What may wait of one GOP: a little more than the fan-out keeps, which comes at once.
const MAX_FRAMES: usize = 24_576;
const MAX_BYTES: usize = 12 << 20;

/// Why there is no picture, and since when.
type Down = Option<(Reason, WallTime)>;

/// Serves one pull until either side ends it.
pub(super) async fn answer(
    mut facts: Sender,
    receiver: Receiver,
    request: &LiveRequest,
    uplink: &Shared,
    opener: &Opener,
) -> Result<(), StreamError> {
    facts.set_priority(NEWEST);
    let stream = match uplink.site.stream(request.camera, request.stream) {
        Ok(stream) => stream,
        Err(NoStream::Starting) => {
            facts.give_up(CloseCode::Overloaded);
            return Ok(());
        }
        Err(missing) => {
            let message = missing.to_string();
            facts.message(&LiveFact::NotFound { message }).await?;
            facts.finish();
            return Ok(());
        }
    };
    let _wanted = stream.hold();
    let subscription = stream.subscribe(QueueLimits::KEPT_GOP);
    drop(stream);
    let (down, news) = watch::channel(None);
    let pull = Pull {
        id: request.pull,
        gops: 0,
        run: None,
        current: None,
        sending: JoinSet::new(),
        opener: opener.clone(),
        down,
    };
    tokio::select! {
        () = pull.run(subscription) => Ok(()),
        result = say(&mut facts, news) => result,
        () = ended(receiver) => {
            facts.finish();
            Ok(())
        }
    }
}

/// Says how it stands, every second and with every change; never returns but with an error.
async fn say(facts: &mut Sender, mut news: watch::Receiver<Down>) -> Result<(), StreamError> {
    let mut every = tokio::time::interval(ALIVE);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => facts.message(&LiveFact::Alive).await?,
            changed = news.changed() => {
                let down = *news.borrow_and_update();
                if let Some((reason, since)) = down {
                    facts.message(&LiveFact::Down { reason, since }).await?;
                }
                if changed.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

/// Returns when the coordinator wants no more.
async fn ended(mut receiver: Receiver) {
    while let Ok(Some(_)) = receiver.message::<serde::de::IgnoredAny>().await {}
}

/// What is sent of one stream.
struct Pull {
    id: u64,
    /// How many GOPs have begun.
    gops: u64,
    run: Option<Arc<Run>>,
    current: Option<Gop>,
    sending: JoinSet<()>,
    opener: Opener,
    down: watch::Sender<Down>,
}

/// The GOP that frames are put into.
struct Gop {
    frames: mpsc::Sender<Frame>,
    /// Bytes of payload that are not sent.
    waiting: Arc<AtomicUsize>,
    superseded: CancellationToken,
}

struct Frame {
    head: FrameHead,
    payload: Bytes,
}

impl Pull {
    /// Until the stream's task ends.
    async fn run(mut self, mut subscription: Subscription) {
        loop {
            tokio::select! {
                event = subscription.next() => match event {
                    Some(event) => self.take(event),
                    None => return,
                },
                Some(_) = self.sending.join_next() => {}
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::RunStarted(run) => self.run = Some(run),
            Event::Video { sample, wall } => self.picture(&sample, wall),
            Event::Audio(frame) => self.sound(&frame),
            Event::Skipped { .. } | Event::RunEnded { .. } => self.current = None,
            Event::Down { reason, since, .. } => {
                self.current = None;
                self.down.send_replace(Some((reason, since)));
            }
            // The decoder conceals what it lacks until the next sync sample.
            Event::Lost { .. } => {}
        }
    }

    fn picture(&mut self, sample: &Sample, wall: WallTime) {
        if sample.sync {
            self.begin();
        }
        let Ok(length) = u32::try_from(sample.payload.len()) else {
            return;
        };
        let head = FrameHead::picture(sample.sync, length, sample.dts, sample.pts, wall);
        self.put(head, &sample.payload);
    }

    fn sound(&mut self, frame: &AudioFrame) {
        let Ok(length) = u32::try_from(frame.payload.len()) else {
            return;
        };
        let head = FrameHead {
            kind: FrameKind::Audio,
            length,
            dts: frame.start,
            pts: frame.start.saturating_add(i64::from(frame.duration)),
            wall: WallTime::from_micros(0),
        };
        self.put(head, &frame.payload);
    }

    /// Ends the GOP before, and sends from now on into a new one.
    fn begin(&mut self) {
        if let Some(older) = self.current.take() {
            older.superseded.cancel();
        }
        let Some(run) = &self.run else {
            return;
        };
        let header = GopHeader::new(self.id, self.gops, run.id, &run.parameters);
        self.gops += 1;
        let (frames, queue) = mpsc::channel(MAX_FRAMES);
        let waiting = Arc::new(AtomicUsize::new(0));
        let superseded = CancellationToken::new();
        self.sending.spawn(send(
            self.opener.clone(),
            header,
            queue,
            Arc::clone(&waiting),
            superseded.clone(),
        ));
        self.current = Some(Gop {
            frames,
            waiting,
            superseded,
        });
    }

    /// Leaves the rest of the GOP out when too much of it waits.
    fn put(&mut self, head: FrameHead, payload: &Bytes) {
        let Some(gop) = &self.current else {
            return;
        };
        let waiting = gop.waiting.fetch_add(payload.len(), Ordering::Relaxed);
        let frame = Frame {
            head,
            payload: payload.clone(),
        };
        let full = waiting > MAX_BYTES || head.length > FrameHead::MAX_PAYLOAD;
        if full || gop.frames.try_send(frame).is_err() {
            self.current = None;
        }
    }
}

/// Sends one GOP; gives it up when it is late.
async fn send(
    opener: Opener,
    header: GopHeader,
    mut frames: mpsc::Receiver<Frame>,
    waiting: Arc<AtomicUsize>,
    superseded: CancellationToken,
) {
    let opened = superseded.run_until_cancelled(opener.open_one_way()).await;
    let Some(Ok(mut sender)) = opened else {
        return;
    };
    sender.set_priority(NEWEST);
    let sent = write(&mut sender, &header, &mut frames, &waiting, &superseded).await;
    match sent {
        Ok(true) => {}
        Ok(false) => sender.give_up(CloseCode::Done),
        Err(error) => tracing::debug!(%error, gop = header.gop, "a GOP was not wanted any more"),
    }
}

/// Whether everything arrived in time.
async fn write(
    sender: &mut Sender,
    header: &GopHeader,
    frames: &mut mpsc::Receiver<Frame>,
    waiting: &AtomicUsize,
    superseded: &CancellationToken,
) -> Result<bool, StreamError> {
    sender.message(&StreamHeader::Gop(header.clone())).await?;
    let mut pieces = VecDeque::with_capacity(2);
    let mut deadline = None;
    let mut more = true;
    while more || !pieces.is_empty() {
        tokio::select! {
            biased;
            () = superseded.cancelled(), if deadline.is_none() => {
                sender.set_priority(OLDER);
                deadline = Some(Instant::now() + LATE);
            }
            () = until(deadline), if deadline.is_some() => return Ok(false),
            sent = sender.some(&mut pieces), if !pieces.is_empty() => sent?,
            frame = frames.recv(), if pieces.is_empty() => match frame {
                Some(frame) => {
                    waiting.fetch_sub(frame.payload.len(), Ordering::Relaxed);
                    pieces.push_back(Bytes::copy_from_slice(&frame.head.encode()));
                    pieces.push_back(frame.payload);
                }
                None => more = false,
            }
        }
    }
    sender.finish();
    let late = deadline.unwrap_or_else(|| Instant::now() + LATE);
    Ok(tokio::time::timeout_at(late, sender.arrived())
        .await
        .is_ok())
}

/// Never where there is no deadline.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
