//! Sessions and what hangs on them.

use shared::id::{CameraId, PlaybackId};
use shared::segment::StreamKind;

use super::{NOW, Under, after, agent, around, camera_info, entry, session, user};
use crate::domain::playback::{Playback, Show};
use crate::domain::user::{Session, User};
use crate::stores::Store;

/// A camera, and somebody to watch it.
async fn watched(store: &dyn Store) -> (CameraId, User) {
    let agent = agent(store, 1).await;
    let camera = CameraId::new(NOW);
    let told = vec![camera_info(camera, "gate")];
    store.tell_cameras(agent, told).await.unwrap();
    let layla = user("layla");
    super::people::create(store, &layla).await;
    (camera, layla)
}

async fn playback(store: &dyn Store, session: &Session, camera: CameraId) -> Playback {
    let playback = Playback {
        id: PlaybackId::new(NOW),
        owner: session.user,
        session: session.id,
        camera,
        stream: StreamKind::Sub,
        show: Show::Range(around(NOW, 60)),
        created_at: NOW,
        last_used: NOW,
    };
    store
        .create_playback(playback.clone(), entry())
        .await
        .unwrap();
    playback
}

pub(crate) async fn sessions_end_with_everything_on_them(store: Under) {
    let (camera, layla) = watched(&*store).await;
    let (one, two) = (session(&layla, b"1"), session(&layla, b"2"));
    store.create_session(one.clone(), entry()).await.unwrap();
    store.create_session(two.clone(), entry()).await.unwrap();
    let ended = playback(&*store, &one, camera).await;
    let kept = playback(&*store, &two, camera).await;
    assert_eq!(store.playback(ended.id).await.unwrap(), Some(ended.clone()));
    store.end_session(one.id, entry()).await.unwrap();
    assert_eq!(store.session(one.id).await.unwrap(), None);
    assert_eq!(store.playback(ended.id).await.unwrap(), None);
    store.touch_session(two.id, NOW + after(100)).await.unwrap();
    store.touch_session(two.id, NOW + after(50)).await.unwrap();
    let (seen, _) = store.session(two.id).await.unwrap().unwrap();
    assert_eq!((seen.last_seen, seen.user), (NOW + after(100), layla.id));
    store
        .touch_playback(kept.id, NOW + after(10))
        .await
        .unwrap();
    assert_eq!(store.purge_playbacks(NOW + after(10)).await.unwrap(), 0);
    assert_eq!(
        store
            .purge_sessions(NOW + after(100), NOW, NOW)
            .await
            .unwrap(),
        0
    );
    assert_eq!(store.purge_playbacks(NOW + after(11)).await.unwrap(), 1);
    assert_eq!(
        store
            .purge_sessions(NOW + after(101), NOW, NOW)
            .await
            .unwrap(),
        1
    );
    assert_eq!(store.session_by_token(two.token).await.unwrap(), None);
}

pub(crate) async fn a_live_playlist_is_saved_by_the_fastest(store: Under) {
    let (camera, layla) = watched(&*store).await;
    let session = session(&layla, b"1");
    store
        .create_session(session.clone(), entry())
        .await
        .unwrap();
    let id = playback(&*store, &session, camera).await.id;
    assert_eq!(store.live_state(id).await.unwrap(), None);
    let save = |revision, state: &str| store.save_live_state(id, revision, state.to_owned());
    assert!(save(None, "a").await.unwrap());
    assert!(!save(None, "b").await.unwrap());
    let (revision, state) = store.live_state(id).await.unwrap().unwrap();
    assert_eq!(state, "a");
    assert!(save(Some(revision), "c").await.unwrap());
    assert!(!save(Some(revision), "d").await.unwrap());
    assert_eq!(store.live_state(id).await.unwrap().unwrap().1, "c");
}
