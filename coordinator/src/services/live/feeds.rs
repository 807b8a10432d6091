//! One feed for each stream that somebody watches, as long as somebody does and a little longer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use shared::id::CameraId;
use shared::segment::StreamKind;
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::services::live_hub::Feed;

/// How long a stream is pulled on after the last viewer left: layouts change and come back.
const LINGER: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) camera: CameraId,
    pub(super) stream: StreamKind,
}

/// A feed and what keeps it filled. With its last holder the pull ends.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) feed: Arc<Feed>,
    _over: DropGuard,
}

#[derive(Debug, Default)]
pub(super) struct Feeds(Mutex<HashMap<Key, Weak<Channel>>>);

impl Feeds {
    /// The channel of the stream; a new one is given to `fill` to be filled until it is over.
    pub(super) fn join(
        &self,
        key: Key,
        fill: impl FnOnce(Arc<Feed>, CancellationToken),
    ) -> Arc<Channel> {
        let mut open = self.lock();
        if let Some(channel) = open.get(&key).and_then(Weak::upgrade) {
            return channel;
        }
        // Whatever is over goes now, so that the list is no longer than what was open at once.
        open.retain(|_, channel| channel.strong_count() > 0);
        let (feed, over) = (Arc::new(Feed::new()), CancellationToken::new());
        let channel = Arc::new(Channel {
            feed: Arc::clone(&feed),
            _over: over.clone().drop_guard(),
        });
        open.insert(key, Arc::downgrade(&channel));
        drop(open);
        fill(feed, over);
        channel
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        let open = self.lock();
        let channels = open.values().filter_map(Weak::upgrade);
        channels.fold((0, 0), |(feeds, viewers), channel| {
            (feeds + 1, viewers + channel.feed.viewers())
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Weak<Channel>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the stream for a while if this is its last viewer.
pub(super) fn linger(channel: &Arc<Channel>) {
    if Arc::strong_count(channel) > 1 {
        return;
    }
    let channel = Arc::clone(channel);
    // Without a runtime everything ends anyway.
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(async move {
            tokio::time::sleep(LINGER).await;
            drop(channel);
        });
    }
}
