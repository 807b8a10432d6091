//! Tells how cameras are doing whenever that changes, while anybody listens.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use shared::id::CameraId;
use tokio::time::{MissedTickBehavior, interval};

use super::{CameraNews, Event, Events};
use crate::services::cameras::{CameraView, Cameras};

/// How often it is looked; a page says within two seconds what is wrong.
const LOOK: Duration = Duration::from_millis(500);

/// Until dropped.
pub(in crate::services) async fn follow(events: &Events, cameras: &Cameras) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = HashMap::new();
    loop {
        ticks.tick().await;
        if !events.is_heard() {
            continue;
        }
        match cameras.all().await {
            Ok(views) => tell(events, &mut told, views),
            Err(error) => tracing::warn!(%error, "how cameras are doing could not be looked for"),
        }
    }
}

fn tell(
    events: &Events,
    told: &mut HashMap<CameraId, CameraNews>,
    views: impl IntoIterator<Item = CameraView>,
) {
    for CameraView { camera, health } in views {
        let news = CameraNews {
            camera: camera.id,
            agency: camera.agency,
            state: health.state,
            reason: health.reason,
            since: health.since,
            newest: health.last_picture,
        };
        let before = told.get(&news.camera);
        if before.is_some_and(|before| is_same(before, &news)) {
            continue;
        }
        told.insert(news.camera, news.clone());
        events.publish(Event::Camera(Arc::new(news)));
    }
}

/// A newer picture alone is no news.
fn is_same(before: &CameraNews, now: &CameraNews) -> bool {
    let of = |news: &CameraNews| (news.agency.clone(), news.state, news.reason, news.since);
    of(before) == of(now)
}
