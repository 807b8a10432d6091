//! What everybody is told: how many streams there are, which limits hold, and when little is left.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Quotas;
use crate::domain::quota::AllAllowed;
use crate::domain::quota::alarm::{Alarms, Turn};
use crate::domain::quota::streams::Streams;
use crate::services::events::{Alert, AlertAbout, Event, LimitsSet};
use crate::stores::StoreError;

/// How often it is looked, also when nothing happened here: reservations end by themselves, and
/// others grant some.
const LOOK: Duration = Duration::from_secs(1);
/// How long changes are gathered before they are told.
const GATHER: Duration = Duration::from_millis(200);

/// What was told last.
#[derive(Debug, Default)]
struct Told {
    streams: Option<Arc<Streams>>,
    alarms: Alarms,
    server_lost: bool,
}

impl Quotas {
    /// Until dropped.
    pub(super) async fn tell(&self) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Told::default();
        loop {
            tokio::select! {
                _ = ticks.tick() => if let Err(error) = self.reload().await {
                    tracing::warn!(%error, "how many streams there may be could not be looked up");
                },
                () = self.changed.notified() => {}
            }
            let streams = self.count().await;
            self.tell_changes(&mut told, streams);
            sleep(GATHER).await;
        }
    }

    fn tell_changes(&self, told: &mut Told, streams: Streams) {
        if told.streams.as_deref() != Some(&streams) {
            let streams = Arc::new(streams);
            self.tell_alarms(&mut told.alarms, &streams);
            self.figures.streams.store(Some(Arc::clone(&streams)));
            self.events.publish(Event::Streams(Arc::clone(&streams)));
            told.streams = Some(streams);
        }
        let lost = self.counting.is_lost();
        if lost != told.server_lost {
            told.server_lost = lost;
            self.alert(AlertAbout::QuotaServer, lost);
        }
    }

    fn tell_alarms(&self, alarms: &mut Alarms, streams: &Streams) {
        for (limited, usage) in streams.usages() {
            let Some(turn) = alarms.look(&limited, usage) else {
                continue;
            };
            let raised = turn == Turn::Raised;
            if raised {
                tracing::warn!(?limited, ?usage, "little is left of a limit of streams");
            }
            self.alert(AlertAbout::Streams(limited, usage), raised);
        }
        let standing = u64::try_from(alarms.standing()).unwrap_or(u64::MAX);
        self.figures.streams_short.set(standing);
    }

    fn alert(&self, about: AlertAbout, raised: bool) {
        let alert = Alert {
            about,
            raised,
            at: self.clock.wall(),
        };
        self.events.publish(Event::Alert(Arc::new(alert)));
    }

    /// The limits as they stand in the store, whoever wrote them there.
    pub(super) async fn reload(&self) -> Result<(), StoreError> {
        let allowed = self.store.stream_limits().await?;
        let before = self.counting.allow(allowed.clone());
        if *before == allowed {
            return Ok(());
        }
        for limits in changes(&before, &allowed) {
            self.events.publish(Event::Limits(limits));
        }
        self.changed.notify_one();
        Ok(())
    }
}

fn changes(before: &AllAllowed, now: &AllAllowed) -> Vec<LimitsSet> {
    let totals = |all: &AllAllowed| (all.total_full, all.total_reduced);
    let total = (totals(before) != totals(now)).then_some(LimitsSet::Total {
        full: now.total_full,
        reduced: now.total_reduced,
    });
    let agencies = now.agencies.iter();
    agencies
        .filter(|(code, allowed)| before.agencies.get(code) != Some(allowed))
        .map(|(code, allowed)| LimitsSet::Agency(code.clone(), *allowed))
        .chain(total)
        .collect()
}
