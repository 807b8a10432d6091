//! From what the camera says to what the disk is told. Pure: events, settings and `now` in, [`Job`]s
//! out, in the order in which things happened.
//!
//! Every picture ends up in a fragment or inside a stretch that some [`Missing`] begins. Which
//! entry of the ledger that becomes is decided by [`crate::buffer::gaps`]; how bytes are written by
//! [`super::disk`].

use std::sync::Arc;
use std::time::Duration;

use shared::sample::{AudioFrame, Sample};
use shared::time::{Ticks90k, WallTime};
use shared::timeline::Reason;

use super::RecorderSettings;
use super::cutter::{Cutter, Lengths, Piece};
use super::gate::{Gate, Trigger, Wish};
use super::job::{Fragment, Job, Missing, RunFacts};
use super::pre_roll::{Held, PreRoll};
use crate::camera::media::{Event, Run};

/// A recording that begins in the middle of a GOP waits so long for a sync sample; then pictures
/// that may not be decodable are better than none.
const WAIT_FOR_SYNC: Duration = Duration::from_secs(10);
/// Bytes of pictures that are held for a stream that is not being recorded.
const HELD_BYTES: usize = 64 << 20;
/// Audio frames that are kept for one fragment; more come only while the video stands still.
const AUDIO_FRAMES: usize = 1_024;

/// The run that is or was last received.
#[derive(Debug)]
struct Current {
    /// `None` when no file can hold it.
    facts: Option<Arc<RunFacts>>,
    /// While it is being recorded.
    cutter: Option<Cutter>,
    sequence: u32,
    audio: Vec<AudioFrame>,
    /// By how much the first picture was shown after it was decoded.
    reorder: Option<Ticks90k>,
    /// Since when a sync sample is waited for.
    waiting_since: Option<WallTime>,
    /// End of the newest picture handed on.
    recorded_until: Option<WallTime>,
    ended: bool,
}

impl Current {
    const fn new(facts: Option<Arc<RunFacts>>) -> Self {
        Self {
            facts,
            cutter: None,
            sequence: 0,
            audio: Vec::new(),
            reorder: None,
            waiting_since: None,
            recorded_until: None,
            ended: false,
        }
    }

    /// The wall time at which the sample was decoded: continuous in decoding order, where that of
    /// showing is not.
    fn decoded_at(&mut self, sample: &Sample, wall: WallTime) -> WallTime {
        let shown_after = sample.pts - sample.dts;
        let reorder = *self.reorder.get_or_insert(shown_after);
        wall.offset_micros((reorder - shown_after).to_micros())
    }
}

/// Why the camera gives no pictures at the moment.
#[derive(Clone, Debug)]
struct Outage {
    since: WallTime,
    reason: Reason,
    detail: Option<String>,
}

#[derive(Debug)]
pub(super) struct Intake {
    gate: Gate,
    current: Option<Current>,
    outage: Option<Outage>,
    held: PreRoll,
    /// What was given last as the reason for not recording; `None` while recording.
    said: Option<Reason>,
    jobs: Vec<Job>,
}

impl Intake {
    pub(super) const fn new(settings: RecorderSettings) -> Self {
        Self {
            gate: Gate::new(settings),
            current: None,
            outage: None,
            held: PreRoll::new(HELD_BYTES),
            said: None,
            jobs: Vec::new(),
        }
    }

    pub(super) const fn pre_roll(&self) -> Duration {
        self.gate.settings().pre_roll
    }

    pub(super) const fn post_roll(&self) -> Duration {
        self.gate.settings().post_roll
    }

    /// What has to be done, in order; to be fetched after every input.
    pub(super) fn jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.jobs)
    }

    /// `room` tells whether the disk could take a fragment now.
    pub(super) fn event(&mut self, event: Event, now: WallTime, room: bool) {
        match event {
            Event::RunStarted(run) => self.run_started(run, now),
            Event::Video { sample, wall } => self.video(sample, wall, room),
            Event::Audio(frame) => self.audio(frame),
            Event::Lost { from, reason, .. } => self.hole(from, reason),
            Event::Skipped { from, .. } => self.hole(from, Reason::HostOverloaded),
            Event::RunEnded { at, reason, detail } => {
                self.run_ended(
                    at,
                    Outage {
                        since: at,
                        reason,
                        detail,
                    },
                );
            }
            Event::Down {
                reason,
                detail,
                since,
            } => {
                self.outage = Some(Outage {
                    since,
                    reason,
                    detail,
                });
                self.explain_outage(now);
            }
        }
    }

    pub(super) fn settings(&mut self, settings: RecorderSettings, now: WallTime) {
        self.gate.set(settings);
        let lengths = self.lengths();
        if let Some(cutter) = self.current.as_mut().and_then(|run| run.cutter.as_mut()) {
            cutter.set_lengths(lengths);
        }
        self.tick(now);
    }

    pub(super) fn trigger(&mut self, trigger: Trigger, now: WallTime) {
        self.gate.trigger(trigger);
        self.tick(now);
    }

    /// Follows schedule and events while no pictures come that would make it do so.
    pub(super) fn tick(&mut self, now: WallTime) {
        let silent = self
            .current
            .as_ref()
            .is_none_or(|run| run.ended || run.facts.is_none());
        match self.gate.wish(now) {
            Wish::Record if silent => {
                self.record_held(now);
                self.explain_outage(now);
            }
            Wish::Hold { reason, held } if silent => self.say(now, reason, None, held),
            Wish::Off => self.switch_off(now),
            Wish::Record | Wish::Hold { .. } => {}
        }
    }

    /// The disk had no room for a fragment that began at `from`. Nothing more of this GOP is
    /// recorded: it could not be decoded.
    pub(super) fn refused(&mut self, from: WallTime, reason: Reason) {
        if let Some(run) = &mut self.current
            && let Some(cutter) = &mut run.cutter
        {
            drop(cutter.hole());
            run.audio.clear();
            run.waiting_since = Some(from);
        }
        self.said = None;
        self.say(from, reason, None, Duration::ZERO);
    }

    /// Hands on what is complete or not; nothing follows.
    pub(super) fn finish(&mut self) {
        self.stop_recording(None);
    }

    fn lengths(&self) -> Lengths {
        let settings = self.gate.settings();
        Lengths {
            segment: Ticks90k::from_duration(settings.segment),
            fragment: Ticks90k::from_duration(settings.fragment),
        }
    }

    fn run_started(&mut self, run: Arc<Run>, now: WallTime) {
        self.stop_recording(None);
        drop(self.held.take());
        self.outage = None;
        let facts = match RunFacts::new(Arc::clone(&run)) {
            Ok(facts) => Some(Arc::new(facts)),
            Err(error) => {
                self.outage = Some(Outage {
                    since: run.origin,
                    reason: Reason::CameraCodecUnsupported,
                    detail: Some(error.to_string()),
                });
                None
            }
        };
        self.current = Some(Current::new(facts));
        self.explain_outage(now);
    }

    fn run_ended(&mut self, at: WallTime, outage: Outage) {
        self.stop_recording(Some(at));
        if let Some(run) = &mut self.current {
            run.ended = true;
        }
        self.outage = Some(outage);
        self.explain_outage(at);
    }

    fn video(&mut self, sample: Sample, wall: WallTime, room: bool) {
        let Some(run) = self.current.as_mut().filter(|run| run.facts.is_some()) else {
            return;
        };
        let wall = run.decoded_at(&sample, wall);
        match self.gate.wish(wall) {
            Wish::Record => {
                self.record_held(wall);
                if self.may_continue_with(&sample, wall, room) {
                    self.record(sample, wall, false);
                }
            }
            Wish::Hold { reason, held } => {
                self.stop_recording(Some(wall));
                self.say(wall, reason, None, held);
                self.held.push_video(sample, wall, held);
            }
            Wish::Off => self.switch_off(wall),
        }
    }

    fn switch_off(&mut self, at: WallTime) {
        self.stop_recording(Some(at));
        drop(self.held.take());
        self.say(at, Reason::RecordingOff, None, Duration::ZERO);
    }

    /// Whether this sample can be recorded, or the next sync sample has to be waited for.
    fn may_continue_with(&mut self, sample: &Sample, wall: WallTime, room: bool) -> bool {
        let Some(run) = &mut self.current else {
            return false;
        };
        if run.cutter.is_some() && run.waiting_since.is_none() {
            return true;
        }
        if !room {
            // Waiting for the disk is not waiting for a sync sample.
            run.waiting_since = Some(wall);
            return false;
        }
        let since = *run.waiting_since.get_or_insert(wall);
        let waited = wall.saturating_duration_since(since);
        let ready = sample.sync || waited >= WAIT_FOR_SYNC;
        if ready {
            run.waiting_since = None;
        }
        ready
    }

    /// Records what is held, if anything; it reaches back before the moment when recording was
    /// wanted.
    fn record_held(&mut self, now: WallTime) {
        if self.current.as_ref().is_none_or(|run| run.cutter.is_some()) {
            return;
        }
        self.held.drop_gops_before(self.gate.wanted_from(now));
        let held = self.held.take();
        if held.is_empty() {
            return;
        }
        for item in held {
            match item {
                Held::Video { sample, wall } => self.record(sample, wall, true),
                Held::Audio(frame) => self.audio(frame),
                Held::Hole { from, reason } => self.hole(from, reason),
            }
        }
        let ended = self.current.as_ref().is_some_and(|run| run.ended);
        if ended {
            self.stop_recording(None);
        }
    }

    fn record(&mut self, sample: Sample, wall: WallTime, held: bool) {
        let lengths = self.lengths();
        let Some(run) = &mut self.current else { return };
        let cutter = run.cutter.get_or_insert_with(|| Cutter::new(lengths));
        if cutter.is_stalled_at(sample.dts) {
            self.hole(wall, Reason::CameraStalled);
            return self.record(sample, wall, held);
        }
        let pieces = cutter.push(sample, wall);
        self.hand_on(pieces, held);
    }

    fn audio(&mut self, frame: AudioFrame) {
        let Some(run) = &mut self.current else { return };
        if run.cutter.is_none() {
            self.held.push_audio(frame);
        } else if run.audio.len() < AUDIO_FRAMES && run.waiting_since.is_none() {
            run.audio.push(frame);
        }
    }

    /// Pictures are missing from the end of the newest one on.
    fn hole(&mut self, from: WallTime, reason: Reason) {
        let Some(run) = &mut self.current else {
            return self.say_if_wanted(from, reason);
        };
        let Some(cutter) = &mut run.cutter else {
            self.held.push_hole(from, reason);
            return self.say_if_wanted(from, reason);
        };
        if run.waiting_since.is_some() {
            // Nothing is being recorded, and why has been said.
            return;
        }
        let pieces = cutter.hole();
        self.hand_on(pieces, false);
        let recorded_until = self.current.as_ref().and_then(|run| run.recorded_until);
        self.say(recorded_until.unwrap_or(from), reason, None, Duration::ZERO);
    }

    fn hand_on(&mut self, pieces: Vec<Piece>, held: bool) {
        let Some(run) = &mut self.current else { return };
        let Some(facts) = &run.facts else { return };
        for piece in pieces {
            run.sequence += 1;
            run.recorded_until = Some(piece.wall_end());
            self.said = None;
            self.jobs.push(Job::Write(Fragment {
                run: Arc::clone(facts),
                sequence: run.sequence,
                piece,
                audio: std::mem::take(&mut run.audio),
                held,
            }));
        }
    }

    fn stop_recording(&mut self, end: Option<WallTime>) {
        let Some(cutter) = self.current.as_mut().and_then(|run| run.cutter.take()) else {
            return;
        };
        let pieces = cutter.finish(end);
        self.hand_on(pieces, false);
        if let Some(run) = &mut self.current {
            run.audio.clear();
            run.waiting_since = None;
        }
        self.jobs.push(Job::EndSegment);
    }

    /// Says why there is no picture, if one is wanted and the camera gives none.
    fn explain_outage(&mut self, now: WallTime) {
        if let Some(outage) = self.outage.clone()
            && self.gate.wish(now) == Wish::Record
        {
            // What policy did not want before now is not the camera's fault.
            let from = match self.said {
                Some(reason) if reason.cause() == shared::timeline::Cause::Policy => now,
                _ => outage.since,
            };
            self.say(from, outage.reason, outage.detail, Duration::ZERO);
        }
    }

    fn say_if_wanted(&mut self, from: WallTime, reason: Reason) {
        if self.gate.wish(from) == Wish::Record {
            self.say(from, reason, None, Duration::ZERO);
        }
    }

    fn say(&mut self, from: WallTime, reason: Reason, detail: Option<String>, hold: Duration) {
        if self.said != Some(reason) {
            self.said = Some(reason);
            self.jobs.push(Job::Missing(Missing {
                from,
                reason,
                detail,
                hold,
            }));
        }
    }
}
