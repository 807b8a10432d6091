//! The task of one stream: carries events to the [intake](super::intake) and what comes out of it to
//! the disk. Waits for nothing but the camera.

use std::time::Duration;

use shared::time::WallTime;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::disk::Lane;
use super::intake::Intake;
use super::job::Job;
use super::{Assignment, Trigger};
use crate::buffer::{Buffer, StreamHistory};
use shared::time::TimeRange;

/// How often schedule and events are looked at while no pictures come.
const TICK: Duration = Duration::from_secs(1);
/// How long the index is given before it is asked again where the stream's past ends.
const REGISTER_AGAIN: Duration = Duration::from_secs(1);

pub(super) async fn run(assignment: Assignment, cancel: CancellationToken) {
    let Some(history) = register(&assignment, &cancel).await else {
        return;
    };
    let Assignment {
        camera,
        stream,
        predecessor,
        mut subscription,
        mut settings,
        mut triggers,
        buffer,
        disk,
        clock,
        status,
        ..
    } = assignment;
    let lane = disk.lane(camera, stream, predecessor, history, status);
    let mut intake = Intake::new(settings.borrow_and_update().clone());
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut settings_open, mut triggers_open) = (true, true);
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            event = subscription.next() => match event {
                Some(event) => intake.event(event, clock.wall(), lane.has_room()),
                None => break,
            },
            changed = settings.changed(), if settings_open => match changed {
                Ok(()) => intake.settings(settings.borrow_and_update().clone(), clock.wall()),
                Err(_) => settings_open = false,
            },
            trigger = triggers.recv(), if triggers_open => match trigger {
                Some(trigger) => {
                    let range = wanted(trigger, intake.pre_roll(), intake.post_roll());
                    mark(&buffer, camera, range);
                    intake.trigger(trigger, clock.wall());
                }
                None => triggers_open = false,
            },
            _ = tick.tick() => intake.tick(clock.wall()),
        }
        deliver(&mut intake, &lane, &buffer);
    }
    intake.finish();
    deliver(&mut intake, &lane, &buffer);
}

/// Asks the index where the stream's past ends, until it answers; `None` when cancelled.
async fn register(assignment: &Assignment, cancel: &CancellationToken) -> Option<StreamHistory> {
    let Assignment {
        camera,
        stream,
        since,
        buffer,
        ..
    } = assignment;
    loop {
        match buffer.register_stream(*camera, *stream, *since).await {
            Ok(history) => return Some(history),
            Err(error) => {
                tracing::error!(camera.id = %camera, %error, "recording cannot begin; it tries again");
            }
        }
        tokio::select! {
            () = cancel.cancelled() => return None,
            () = tokio::time::sleep(REGISTER_AGAIN) => {}
        }
    }
}

fn deliver(intake: &mut Intake, lane: &Lane, buffer: &Buffer) {
    let mut refused = None;
    for job in intake.jobs() {
        match job {
            // What followed in its GOP cannot be decoded without it.
            Job::Write(fragment) if refused.is_some() && !fragment.piece.begins_with_sync() => {}
            Job::Write(fragment) => {
                let from = fragment.piece.wall_start();
                refused = lane.write(fragment).err();
                if let Some(reason) = refused {
                    intake.refused(from, reason);
                    // The disk thread may be stuck in a call and unable to say so itself.
                    buffer.set_fault(Some(reason));
                }
            }
            fact => lane.tell(fact),
        }
    }
    for fact in intake.jobs() {
        lane.tell(fact);
    }
}

/// The stretch around an event that is to be recorded.
fn wanted(trigger: Trigger, before: Duration, after: Duration) -> TimeRange {
    let start: WallTime = trigger.from - before;
    let end = trigger.until.max(trigger.from) + after;
    TimeRange::starting_at(start, end.saturating_duration_since(start))
}

/// The upload policy `events` goes by it. Nobody waits: should the index fail now, the segments are
/// still there to be asked for.
fn mark(buffer: &Buffer, camera: shared::id::CameraId, range: TimeRange) {
    let buffer = buffer.clone();
    tokio::spawn(async move {
        if let Err(error) = buffer.mark_event(camera, range).await {
            tracing::warn!(camera.id = %camera, %error, "an event is not in the index");
        }
    });
}
