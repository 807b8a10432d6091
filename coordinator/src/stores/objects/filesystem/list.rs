//! Walking the directory.

use std::io;
use std::path::Path;

use tokio::sync::mpsc;

use super::super::{Listed, Result};
use super::PARTIAL;

pub(super) fn walk(
    root: &Path,
    directory: &Path,
    found: &mpsc::Sender<Result<Listed>>,
) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(root, &entry.path(), found)?;
        } else if kind.is_file()
            && let Some(listed) = listed(root, &entry)
            && found.blocking_send(Ok(listed)).is_err()
        {
            return Ok(());
        }
    }
    Ok(())
}

/// `None` for hidden files, which are none of our objects, and for one that disappeared meanwhile.
fn listed(root: &Path, entry: &std::fs::DirEntry) -> Option<Listed> {
    let path = entry.path();
    let path = path.strip_prefix(root).ok()?.to_str()?;
    if entry.file_name().as_encoded_bytes().starts_with(b".") {
        return None;
    }
    let (path, partial) = match path.strip_suffix(PARTIAL) {
        Some(path) => (path, true),
        None => (path, false),
    };
    Some(Listed {
        path: path.to_owned(),
        size: entry.metadata().ok()?.len(),
        partial,
    })
}
