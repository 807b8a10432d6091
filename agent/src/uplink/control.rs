//! The control stream: greeting, heartbeats, commands.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::StreamExt;
use futures::future::{BoxFuture, Shared};
use futures::stream::FuturesUnordered;
use shared::clock::Clock;
use shared::id::{AgentId, BootId, CommandId};
use shared::wire::control::{
    CameraInfo, Command, CommandOutcome, FromAgent, Heartbeat, Hello, ToAgent, UplinkStatus,
    Welcome,
};
use shared::wire::{PROTOCOL_MAX, PROTOCOL_MIN, StreamHeader};

use super::connection::{Connection, Receiver, Sender};
use super::witness::Witness;
use super::{SessionEnd, Shared as Uplink};

/// Above all other streams.
const PRIORITY: i32 = 100;

/// How long the coordinator may take to say welcome.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// Commands that are being carried out at the same time; more are refused.
const COMMANDS_AT_ONCE: usize = 16;

/// Commands whose outcome is remembered.
const COMMANDS_REMEMBERED: usize = 256;

/// After a change of state, further changes are gathered for so long.
const HEARTBEAT_PAUSE: Duration = Duration::from_millis(200);

/// An open control stream after the greeting.
pub(super) struct Control {
    sender: Sender,
    receiver: Receiver,
    /// As told in the hello.
    cameras: Vec<CameraInfo>,
    witness: Witness,
}

/// Says hello and waits for the welcome. Gives the stream, the welcome, and how far our clock is
/// ahead of the coordinator's in microseconds.
pub(super) async fn greet(
    connection: &Connection,
    uplink: &Uplink,
    agent: AgentId,
    witness: Witness,
) -> Result<(Control, Welcome, i64), SessionEnd> {
    let (mut sender, mut receiver) = connection.open().await?;
    sender.set_priority(PRIORITY);
    sender.message(&StreamHeader::Control).await?;
    let cameras = uplink.site.cameras();
    let asked = uplink.clock.wall();
    let hello = Hello {
        protocol_min: PROTOCOL_MIN,
        protocol_max: PROTOCOL_MAX,
        agent,
        boot: uplink.boot,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host_description(),
        time_zone: zone_name(uplink),
        now: asked,
        cameras: cameras.clone(),
        audit_head: witness.newest(),
    };
    sender.message(&FromAgent::Hello(hello)).await?;
    let welcome = async {
        loop {
            match receiver.message::<ToAgent>().await? {
                Some(ToAgent::Welcome(welcome)) => return Ok(welcome),
                // Heads follow; one that comes early comes again.
                Some(ToAgent::Unknown | ToAgent::AuditHead(_)) => {}
                Some(ToAgent::Command(_)) => {
                    return Err(SessionEnd::Protocol(
                        "a command before the welcome".to_owned(),
                    ));
                }
                None => return Err(SessionEnd::Protocol("no welcome".to_owned())),
            }
        }
    };
    let welcome = tokio::time::timeout(GREETING_TIMEOUT, welcome)
        .await
        .map_err(|_| SessionEnd::Protocol("no welcome in time".to_owned()))??;
    if !(PROTOCOL_MIN..=PROTOCOL_MAX).contains(&welcome.protocol) {
        return Err(SessionEnd::Version);
    }
    let answered = uplink.clock.wall();
    let half = answered.micros_since(asked) / 2;
    let offset = asked.offset_micros(half).micros_since(welcome.now);
    let control = Control {
        sender,
        receiver,
        cameras,
        witness,
    };
    Ok((control, welcome, offset))
}

/// As people at the site read their clocks; nameless when the host's zone is a bare offset.
fn zone_name(uplink: &Uplink) -> Option<String> {
    let zone = uplink.site.config().agent.zone();
    zone.iana_name().map(str::to_owned)
}

/// Such as `Linux 6.1.0 x86_64`.
fn host_description() -> String {
    let name = rustix::system::uname();
    [name.sysname(), name.release(), name.machine()]
        .map(|part| part.to_string_lossy())
        .join(" ")
}

/// Heartbeats out, commands in, until the stream ends.
pub(super) async fn run(
    control: Control,
    connection: &Connection,
    uplink: &Uplink,
    every: Duration,
    offset: i64,
) -> SessionEnd {
    let Control {
        mut sender,
        receiver,
        mut cameras,
        mut witness,
    } = control;
    let mut incoming = pin!(receiver.messages::<ToAgent>());
    let mut outcomes = FuturesUnordered::new();
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut changes = uplink.site.changes();
    loop {
        let message = tokio::select! {
            _ = ticks.tick() => FromAgent::Heartbeat(heartbeat(connection, uplink, offset).await),
            Ok(()) = changes.changed() => {
                tokio::time::sleep(HEARTBEAT_PAUSE).await;
                changes.mark_unchanged();
                let now = uplink.site.cameras();
                if now != cameras {
                    cameras.clone_from(&now);
                    if let Err(error) = sender.message(&FromAgent::Cameras { cameras: now }).await {
                        return error.into();
                    }
                }
                FromAgent::Heartbeat(heartbeat(connection, uplink, offset).await)
            }
            Some((id, outcome)) = outcomes.next() => FromAgent::CommandResult { id, outcome },
            message = incoming.next() => {
                match message {
                    Some(Ok(ToAgent::Command(command))) => outcomes.push(uplink.commands.begin(command, uplink)),
                    Some(Ok(ToAgent::AuditHead(head))) => witness.take(head, uplink.clock.wall()),
                    Some(Ok(ToAgent::Welcome(_) | ToAgent::Unknown)) => {}
                    Some(Err(error)) => return error.into(),
                    None => return SessionEnd::Protocol("the control stream ended".to_owned()),
                }
                continue;
            }
        };
        if let Err(error) = sender.message(&message).await {
            return error.into();
        }
    }
}

async fn heartbeat(connection: &Connection, uplink: &Uplink, offset: i64) -> Heartbeat {
    let (metadata_backlog, upload_backlog) = uplink.count_backlogs().await;
    let round_trip = connection.round_trip();
    uplink.status.send_modify(|status| {
        status.round_trip = Some(round_trip);
        status.traffic = connection.traffic();
    });
    Heartbeat {
        now: uplink.clock.wall(),
        streams: uplink.site.streams(),
        buffer: uplink.buffer.status(),
        uplink: UplinkStatus {
            metadata_backlog,
            upload_backlog,
            clock_offset_us: Some(offset),
            round_trip_us: u64::try_from(round_trip.as_micros()).ok(),
        },
    }
}

type Outcome = Shared<BoxFuture<'static, CommandOutcome>>;

/// Commands by id, also across connections: one that is repeated is not carried out again.
#[derive(Default)]
pub(super) struct Commands(Mutex<VecDeque<(CommandId, Outcome)>>);

impl Commands {
    /// The outcome of `command`, begun now or earlier.
    fn begin(
        &self,
        command: Command,
        uplink: &Uplink,
    ) -> BoxFuture<'static, (CommandId, CommandOutcome)> {
        let id = command.id;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = known
            .iter()
            .find(|(other, _)| *other == id)
            .map(|(_, outcome)| outcome.clone());
        let outcome = outcome.unwrap_or_else(|| {
            let busy = known
                .iter()
                .filter(|(_, outcome)| outcome.peek().is_none())
                .count();
            if busy >= COMMANDS_AT_ONCE {
                return refuse("too many commands at the same time; try again later");
            }
            let outcome = carry_out(command, uplink);
            if known.len() >= COMMANDS_REMEMBERED {
                known.pop_front();
            }
            known.push_back((id, outcome.clone()));
            outcome
        });
        outcome.map(move |outcome| (id, outcome)).boxed()
    }
}

fn refuse(message: &str) -> Outcome {
    let outcome = CommandOutcome::Failed {
        message: message.to_owned(),
    };
    futures::future::ready(outcome).boxed().shared()
}

/// Runs by itself, so that a lost connection does not stop it half way.
fn carry_out(command: Command, uplink: &Uplink) -> Outcome {
    let site = Arc::clone(&uplink.site);
    tracing::info!(command.id = %command.id, action = ?command.action, "a command from the centre");
    tokio::spawn(async move { site.carry_out(command.action).await })
        .map(|finished| {
            finished.unwrap_or_else(|error| CommandOutcome::Failed {
                message: format!("the command ended unexpectedly: {error}"),
            })
        })
        .boxed()
        .shared()
}

/// One start of this process.
pub(super) fn new_boot(clock: &dyn Clock) -> BootId {
    BootId::new(clock.wall())
}
