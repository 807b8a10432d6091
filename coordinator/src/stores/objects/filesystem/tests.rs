//! The suite of all object stores, and what is of files alone.

use bytes::Bytes;
use futures::TryStreamExt;

use super::read::READ_BYTES;
use super::*;
use crate::stores::objects::suite::object_suite;

async fn fresh() -> (Arc<dyn Objects>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (open(directory.path()).await.unwrap(), directory)
}

object_suite!(super::fresh);

#[tokio::test]
async fn nothing_outside_the_directory_can_be_named() {
    let (objects, _directory) = fresh().await;
    for path in [
        "",
        "/etc/passwd",
        "..",
        "../secret.txt",
        "a/../../b",
        "a//b",
        "./a",
        "a/.hidden",
        "a\0b",
        "a b",
        "a\\b",
        "a.part",
        "é",
    ] {
        let refused = |result: Result<()>| matches!(result, Err(ObjectError::Path { .. }));
        assert!(refused(objects.delete(path).await), "{path:?}");
        assert!(refused(objects.size(path).await.map(drop)), "{path:?}");
        assert!(refused(objects.resume(path, 0).await.map(drop)), "{path:?}");
        assert!(
            refused(objects.read(path, 0..1).await.map(drop)),
            "{path:?}"
        );
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_a_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let error = open(&file.join("objects")).await.unwrap_err().to_string();
    assert!(error.contains("open the object store"), "{error}");
}

#[tokio::test]
async fn a_large_object_is_read_in_pieces() {
    let (objects, _directory) = fresh().await;
    let whole: Vec<u8> = (0..READ_BYTES * 3 + 7).map(|n| (n % 251) as u8).collect();
    let mut partial = objects.resume("large", 0).await.unwrap();
    partial.append(vec![whole.clone().into()]).await.unwrap();
    partial.commit().await.unwrap();
    let end = whole.len() as u64;
    let pieces: Vec<Bytes> = objects
        .read("large", 3..end)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(pieces.len(), 4);
    assert_eq!(pieces.concat(), whole[3..]);
}
