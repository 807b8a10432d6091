//! Reading stored bytes back and comparing them with the index.

use bytes::Bytes;
use futures::TryStreamExt;

use crate::domain::verifier::{Piece, Verifier};
use crate::stores::objects::{ObjectBytes, ObjectError, Objects};

/// What is found in the place of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::services) enum Stored {
    Missing,
    /// Every byte is that of the index.
    Right,
    Wrong,
}

/// Compares a committed object with its index.
pub(in crate::services) async fn verify_stored(
    objects: &dyn Objects,
    path: &str,
    pieces: Vec<Piece>,
) -> Result<Stored, ObjectError> {
    let Some(size) = objects.size(path).await? else {
        return Ok(Stored::Missing);
    };
    let verifier = Verifier::new(pieces);
    if size != verifier.length() {
        return Ok(Stored::Wrong);
    }
    let verifier = verify(objects.read(path, 0..size).await?, verifier).await?;
    Ok(if verifier.is_complete() {
        Stored::Right
    } else {
        Stored::Wrong
    })
}

/// Finds how far what is kept of a partial object is right; the verifier goes on from there.
pub(in crate::services) async fn verify_partial(
    objects: &dyn Objects,
    path: &str,
    kept: u64,
    verifier: Verifier,
) -> Result<Verifier, ObjectError> {
    let kept = kept.min(verifier.length());
    let bytes = objects.read_partial(path, 0..kept).await?;
    let mut verifier = verify(bytes, verifier).await?;
    verifier.rewind();
    Ok(verifier)
}

async fn verify(mut bytes: ObjectBytes, mut verifier: Verifier) -> Result<Verifier, ObjectError> {
    while let Some(piece) = bytes.try_next().await? {
        verifier = update(verifier, piece).await;
        if verifier.fault().is_some() {
            break;
        }
    }
    Ok(verifier)
}

async fn update(mut verifier: Verifier, piece: Bytes) -> Verifier {
    let updated = tokio::task::spawn_blocking(move || {
        verifier.update(&piece);
        verifier
    });
    match updated.await {
        Ok(verifier) => verifier,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
