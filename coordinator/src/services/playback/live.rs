//! Live playlists: the window in the store, moved on at every reload.

use std::time::Duration;

use shared::id::PlaybackId;
use shared::time::WallTime;

use super::super::access::PlaybackGrant;
use super::{Links, PlaybackError, Playbacks};
use crate::domain::playlist::live::LiveWindow;
use crate::domain::segment::{Footage, Fragment};
use crate::stores::StoreError;

/// Segments read to begin a window: the one being written may have just begun.
const NEWEST: usize = 2;
/// Segments read to go on: a player that paused for longer catches up at its next reloads.
const AHEAD: usize = 16;
/// Between the end of one segment and the first word of the next.
const BETWEEN: Duration = Duration::from_secs(15);

impl Playbacks {
    pub(super) async fn live(
        &self,
        grant: &PlaybackGrant,
        links: &Links,
    ) -> Result<String, PlaybackError> {
        let id = grant.playback().id;
        // Somebody else may move the same window on at the same time; then theirs is continued.
        for _ in 0..3 {
            let (revision, window) = self.window(id).await?.unzip();
            let (window, changed) = match window {
                Some(mut window) => {
                    let changed = self.advance(grant, &mut window).await?;
                    (window, changed)
                }
                None => (self.begin(grant).await?, true),
            };
            if !changed || self.save(id, revision, &window).await? {
                return if window.entries().is_empty() {
                    Err(PlaybackError::NothingYet)
                } else {
                    Ok(window.render(links))
                };
            }
        }
        Err(StoreError::Busy { waiting: 1 }.into())
    }

    /// The oldest moment that a live playback lists.
    pub(super) async fn listed(&self, id: PlaybackId) -> Result<Option<WallTime>, StoreError> {
        let window = self.window(id).await?;
        Ok(window.and_then(|(_, window)| Some(window.entries().first()?.start)))
    }

    async fn window(&self, id: PlaybackId) -> Result<Option<(u64, LiveWindow)>, StoreError> {
        let Some((revision, state)) = self.store.live_state(id).await? else {
            return Ok(None);
        };
        let window = serde_json::from_str(&state).map_err(|error| StoreError::Damaged {
            what: format!("the live window of playback {id}: {error}"),
        })?;
        Ok(Some((revision, window)))
    }

    async fn save(
        &self,
        id: PlaybackId,
        revision: Option<u64>,
        window: &LiveWindow,
    ) -> Result<bool, StoreError> {
        let state = serde_json::to_string(window).map_err(|error| StoreError::Failed {
            attempted: "save a live playlist",
            message: error.to_string(),
        })?;
        self.store.save_live_state(id, revision, state).await
    }

    /// Begins with what is recorded now. What was recorded before the site went away is the past,
    /// and must not look like the present.
    async fn begin(&self, grant: &PlaybackGrant) -> Result<LiveWindow, PlaybackError> {
        let (camera, stream) = (grant.camera(), grant.playback().stream);
        if !self.edges.is_connected(camera.agent) {
            return Err(PlaybackError::NothingYet);
        }
        let footage = self
            .store
            .live_footage(camera.id, stream, None, NEWEST)
            .await?;
        let newest = footage.last().ok_or(PlaybackError::NothingYet)?;
        if !newest.growing && !self.is_fresh(newest) {
            return Err(PlaybackError::NothingYet);
        }
        LiveWindow::begin(&footage).ok_or(PlaybackError::NothingYet)
    }

    fn is_fresh(&self, footage: &Footage) -> bool {
        let end = footage.fragments.last().map(Fragment::wall_range);
        let age = |end| self.clock.wall().saturating_duration_since(end);
        end.is_some_and(|last| age(last.end()) < BETWEEN)
    }

    async fn advance(
        &self,
        grant: &PlaybackGrant,
        window: &mut LiveWindow,
    ) -> Result<bool, StoreError> {
        let from = window.next_segment();
        let (camera, stream) = (grant.camera().id, grant.playback().stream);
        let footage = self
            .store
            .live_footage(camera, stream, Some(from), AHEAD)
            .await?;
        Ok(window.advance(&footage))
    }
}
