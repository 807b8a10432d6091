//! Keeps one feed filled: pulls the stream, says why there is no picture, and asks again for ever.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use shared::clock::Clock;
use shared::id::AgentId;
use tokio::time::{sleep, timeout};

use super::feeds::Key;
use crate::services::EdgeSource;
use crate::services::edge_source::{EdgeError, EdgePicture, EdgePictures};
use crate::services::live_hub::{Down, Event, Feed, Outage};

/// An agent says something every second; this long without is worth telling people.
const SILENCE: Duration = Duration::from_secs(2);

/// How soon an agent that is not connected, or failed, is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// How soon one is asked again whose pull has just ended.
const SOON: Duration = Duration::from_millis(50);

/// How soon it is asked again for what it does not have.
const MUCH_LATER: Duration = Duration::from_secs(30);

/// Where the pictures come from.
pub(super) struct Source {
    pub(super) edges: Arc<dyn EdgeSource>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) agent: AgentId,
    pub(super) key: Key,
}

/// Never returns.
pub(super) async fn keep(source: Source, feed: Arc<Feed>) {
    let mut teller = Teller {
        feed,
        clock: Arc::clone(&source.clock),
        told: None,
    };
    loop {
        let Source { agent, key, .. } = source;
        let pulled = source.edges.live(agent, key.camera, key.stream).await;
        let pause = match pulled {
            Ok(pictures) => teller.pass_on(pictures).await,
            Err(error) => {
                let (outage, pause) = met(&error);
                teller.down(outage);
                pause
            }
        };
        sleep(pause).await;
    }
}

/// What an error means to viewers, and how soon to ask again.
const fn met(error: &EdgeError) -> (Outage, Duration) {
    match error {
        EdgeError::Offline => (Outage::SiteOffline, AGAIN),
        EdgeError::Unsupported => (Outage::SiteTooOld, MUCH_LATER),
        EdgeError::NotFound { .. } => (Outage::NoSuchStream, MUCH_LATER),
        EdgeError::TimedOut => (Outage::SiteSilent, AGAIN),
        EdgeError::Overloaded | EdgeError::Failed { .. } | EdgeError::Corrupt { .. } => {
            (Outage::SiteFailed, AGAIN)
        }
    }
}

/// Tells viewers, and the same outage once.
struct Teller {
    feed: Arc<Feed>,
    clock: Arc<dyn Clock>,
    told: Option<Outage>,
}

impl Teller {
    /// Until the pull ends; how soon to ask again.
    async fn pass_on(&mut self, mut pictures: EdgePictures) -> Duration {
        let mut anything = false;
        loop {
            match timeout(SILENCE, pictures.next()).await {
                Ok(Some(EdgePicture::Alive)) => anything = true,
                Ok(Some(EdgePicture::Event(event))) => {
                    anything = true;
                    self.event(event);
                }
                Ok(Some(EdgePicture::NotFound { message })) => {
                    tracing::warn!(message, "an agent does not have a stream that it listed");
                    self.down(Outage::NoSuchStream);
                    return MUCH_LATER;
                }
                Ok(Some(EdgePicture::Unsupported)) => {
                    self.down(Outage::SiteTooOld);
                    return MUCH_LATER;
                }
                // Why is seen by asking again.
                Ok(None) if anything => return SOON,
                Ok(None) => {
                    self.down(Outage::SiteFailed);
                    return AGAIN;
                }
                Err(_) => self.down(Outage::SiteSilent),
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.told = match &event {
            Event::Down(down) => Some(down.because),
            Event::Picture(_) => None,
            Event::Sound(_) | Event::Skipped => self.told,
        };
        self.feed.publish(event);
    }

    fn down(&mut self, because: Outage) {
        if self.told.replace(because) != Some(because) {
            let since = self.clock.wall();
            self.feed.publish(Event::Down(Down { because, since }));
        }
    }
}
