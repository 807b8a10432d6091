//! What every back end of [`Objects`] must do. A back end calls [`object_suite!`] with a way to open
//! a fresh, empty store.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;

use super::{Listed, ObjectBytes, ObjectError, Objects};

/// Every test of the suite as a test of its own.
macro_rules! object_suite {
    ($open:path) => {
        $crate::stores::objects::suite::object_suite!($open:
            an_object_appears_when_it_is_committed,
            a_partial_object_is_kept_and_continued,
            going_on_drops_what_lies_beyond,
            one_at_a_time_writes_an_object,
            any_range_can_be_read,
            what_is_missing_is_said_to_be_missing,
            a_committed_object_can_be_replaced,
            everything_is_listed,
            there_is_room,
        );
    };
    ($open:path: $($test:ident,)*) => { mod suite {$(
        #[tokio::test]
        async fn $test() {
            let (objects, _keep) = $open().await;
            $crate::stores::objects::suite::$test(objects).await;
        }
    )*} };
}
pub(crate) use object_suite;

/// What a test gets.
type Under = Arc<dyn Objects>;

const PATH: &str = "recordings/METRO/camera/2026/03/01/segment.mp4";

async fn collect(bytes: super::Result<ObjectBytes>) -> Vec<u8> {
    let pieces: Vec<Bytes> = bytes.unwrap().try_collect().await.unwrap();
    assert!(pieces.iter().all(|piece| !piece.is_empty()));
    pieces.concat()
}

async fn put(objects: &dyn Objects, path: &str, content: &'static [u8]) {
    let mut partial = objects.resume(path, 0).await.unwrap();
    partial
        .append(vec![Bytes::from_static(content)])
        .await
        .unwrap();
    partial.commit().await.unwrap();
}

pub(crate) async fn an_object_appears_when_it_is_committed(objects: Under) {
    let mut partial = objects.resume(PATH, 0).await.unwrap();
    let pieces = [&b"one "[..], b"", b"two "].map(Bytes::from_static);
    partial.append(pieces.to_vec()).await.unwrap();
    partial
        .append(vec![Bytes::from_static(b"three")])
        .await
        .unwrap();
    partial.append(Vec::new()).await.unwrap();
    assert_eq!(partial.length(), 13);
    assert_eq!(objects.size(PATH).await.unwrap(), None);
    assert!(objects.read(PATH, 0..1).await.is_err());
    partial.commit().await.unwrap();
    assert_eq!(objects.size(PATH).await.unwrap(), Some(13));
    assert_eq!(objects.partial_length(PATH).await.unwrap(), 0);
    assert_eq!(
        collect(objects.read(PATH, 0..13).await).await,
        b"one two three"
    );
}

pub(crate) async fn a_partial_object_is_kept_and_continued(objects: Under) {
    let mut partial = objects.resume(PATH, 0).await.unwrap();
    partial
        .append(vec![Bytes::from_static(b"first")])
        .await
        .unwrap();
    drop(partial);
    assert_eq!(objects.partial_length(PATH).await.unwrap(), 5);
    assert_eq!(
        collect(objects.read_partial(PATH, 1..5).await).await,
        b"irst"
    );
    let mut partial = objects.resume(PATH, 5).await.unwrap();
    partial
        .append(vec![Bytes::from_static(b" second")])
        .await
        .unwrap();
    partial.commit().await.unwrap();
    assert_eq!(
        collect(objects.read(PATH, 0..12).await).await,
        b"first second"
    );
    let beyond = objects.resume("other", 1).await;
    assert!(beyond.is_err(), "nothing is kept of it");
}

pub(crate) async fn going_on_drops_what_lies_beyond(objects: Under) {
    let mut partial = objects.resume(PATH, 0).await.unwrap();
    partial
        .append(vec![Bytes::from_static(b"good bad")])
        .await
        .unwrap();
    partial.truncate(5).await.unwrap();
    assert_eq!(partial.length(), 5);
    partial
        .append(vec![Bytes::from_static(b"worse")])
        .await
        .unwrap();
    drop(partial);
    let mut partial = objects.resume(PATH, 5).await.unwrap();
    assert_eq!(partial.length(), 5);
    partial
        .append(vec![Bytes::from_static(b"fine")])
        .await
        .unwrap();
    partial.commit().await.unwrap();
    assert_eq!(collect(objects.read(PATH, 0..9).await).await, b"good fine");
    let partial = objects.resume("other", 0).await.unwrap();
    drop(partial);
    objects.discard_partial("other").await.unwrap();
    objects.discard_partial("other").await.unwrap();
    assert_eq!(objects.partial_length("other").await.unwrap(), 0);
}

pub(crate) async fn one_at_a_time_writes_an_object(objects: Under) {
    let first = objects.resume(PATH, 0).await.unwrap();
    for refused in [
        objects.resume(PATH, 0).await.map(drop),
        objects.discard_partial(PATH).await,
    ] {
        assert!(
            matches!(refused, Err(ObjectError::InUse { .. })),
            "{refused:?}"
        );
    }
    let other = objects.resume("other", 0).await.unwrap();
    drop(first);
    drop(objects.resume(PATH, 0).await.unwrap());
    drop(other);
}

pub(crate) async fn any_range_can_be_read(objects: Under) {
    put(&*objects, PATH, b"0123456789").await;
    for start in 0..=10_u64 {
        for end in start..=10 {
            let read = collect(objects.read(PATH, start..end).await).await;
            assert_eq!(read, b"0123456789"[start as usize..end as usize]);
        }
    }
    for (start, end) in [(0, 11), (10, 11), (5, 4), (u64::MAX - 1, u64::MAX)] {
        let refused = objects.read(PATH, start..end).await.map(drop);
        assert!(
            matches!(refused, Err(ObjectError::OutOfRange { size: 10, .. })),
            "{refused:?}"
        );
    }
}

pub(crate) async fn what_is_missing_is_said_to_be_missing(objects: Under) {
    assert_eq!(objects.size(PATH).await.unwrap(), None);
    assert_eq!(objects.partial_length(PATH).await.unwrap(), 0);
    for missing in [
        objects.read(PATH, 0..1).await.map(drop),
        objects.read_partial(PATH, 0..1).await.map(drop),
    ] {
        assert!(
            matches!(missing, Err(ObjectError::NotFound { .. })),
            "{missing:?}"
        );
    }
    objects.delete(PATH).await.unwrap();
    put(&*objects, PATH, b"x").await;
    objects.delete(PATH).await.unwrap();
    assert_eq!(objects.size(PATH).await.unwrap(), None);
}

pub(crate) async fn a_committed_object_can_be_replaced(objects: Under) {
    put(&*objects, PATH, b"before").await;
    // Who reads the old one reads it to its end.
    let reading = objects.read(PATH, 0..6).await;
    put(&*objects, PATH, b"after").await;
    assert_eq!(collect(reading).await, b"before");
    assert_eq!(collect(objects.read(PATH, 0..5).await).await, b"after");
}

pub(crate) async fn everything_is_listed(objects: Under) {
    assert_eq!(list(&*objects).await, []);
    put(&*objects, PATH, b"1234").await;
    put(&*objects, "recordings/BUS/x.mp4", b"12").await;
    let mut partial = objects.resume("recordings/BUS/y.mp4", 0).await.unwrap();
    partial
        .append(vec![Bytes::from_static(b"1")])
        .await
        .unwrap();
    let listed = |path: &str, size, partial| Listed {
        path: path.to_owned(),
        size,
        partial,
    };
    assert_eq!(
        list(&*objects).await,
        [
            listed("recordings/BUS/x.mp4", 2, false),
            listed("recordings/BUS/y.mp4", 1, true),
            listed(PATH, 4, false),
        ]
    );
}

async fn list(objects: &dyn Objects) -> Vec<Listed> {
    let mut listed: Vec<_> = objects.list().await.unwrap().try_collect().await.unwrap();
    listed.sort_by(|a: &Listed, b| a.path.cmp(&b.path));
    listed
}

pub(crate) async fn there_is_room(objects: Under) {
    let space = objects.space().await.unwrap();
    assert!(space.free_bytes > 0 && space.free_bytes <= space.total_bytes);
}
