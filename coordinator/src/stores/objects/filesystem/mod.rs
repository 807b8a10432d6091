//! Objects as files below one directory. A partial object is the file `….part` beside the place of
//! the final one; committing it is a rename.
//!
//! Files are read and written on blocking threads with positioned calls. What makes an object
//! durable is, in this order: sync of the file, rename, sync of its directory and of every
//! directory above that was new.

mod list;
mod read;
mod write;

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use list::walk;
use read::read;
use tokio::sync::mpsc;
use write::{Claim, PartialFile, Writing};

use super::{Listed, ObjectBytes, ObjectError, Objects, PartialObject, Result, Space};

const PARTIAL: &str = ".part";

/// Opens the store below `directory`, creating it where needed, and checks that it can be written.
///
/// # Errors
/// The directory cannot be made or written to.
pub async fn open(directory: &Path) -> Result<Arc<dyn Objects>> {
    let root = directory.to_owned();
    blocking(
        "open the object store",
        directory.display().to_string(),
        move || {
            std::fs::create_dir_all(&root)?;
            let probe = root.join(".probe");
            File::create(&probe)?.write_all(b"written at every start\n")?;
            // Another process may have opened the store at the same time.
            remove(&probe)?;
            Ok(Arc::new(Filesystem {
                root: root.into(),
                written: Arc::default(),
                durable: Arc::default(),
            }) as Arc<dyn Objects>)
        },
    )
    .await
}

#[derive(Debug)]
struct Filesystem {
    root: Arc<Path>,
    /// Objects that somebody writes at the moment.
    written: Arc<Mutex<HashSet<String>>>,
    durable: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Filesystem {
    fn file(&self, path: &str) -> Result<PathBuf> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let mut parts = path.split('/');
        let safe = parts
            .all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed));
        if !safe || path.ends_with(PARTIAL) {
            return Err(ObjectError::Path {
                path: path.chars().take(200).collect(),
            });
        }
        Ok(self.root.join(path))
    }

    fn partial(&self, path: &str) -> Result<PathBuf> {
        let mut partial = self.file(path)?.into_os_string();
        partial.push(PARTIAL);
        Ok(partial.into())
    }

    fn claim(&self, path: &str) -> Result<Claim> {
        if !lock(&self.written).insert(path.to_owned()) {
            return Err(ObjectError::InUse {
                path: path.to_owned(),
            });
        }
        Ok(Claim {
            path: path.to_owned(),
            written: Arc::clone(&self.written),
        })
    }
}

#[async_trait]
impl Objects for Filesystem {
    async fn partial_length(&self, path: &str) -> Result<u64> {
        let file = self.partial(path)?;
        let length = blocking("look at partial object", path, move || length_of(&file)).await?;
        Ok(length.unwrap_or(0))
    }

    async fn read_partial(&self, path: &str, range: Range<u64>) -> Result<ObjectBytes> {
        read(self.partial(path)?, path, range).await
    }

    async fn resume(&self, path: &str, at: u64) -> Result<Box<dyn PartialObject>> {
        let (partial, target) = (self.partial(path)?, self.file(path)?);
        let claim = self.claim(path)?;
        let file = blocking("open partial object", path, move || {
            if let Some(directory) = partial.parent() {
                std::fs::create_dir_all(directory)?;
            }
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&partial)?;
            let kept = file.metadata()?.len();
            if kept < at {
                return Err(io::Error::other(format!(
                    "only {kept} bytes are kept of it"
                )));
            }
            file.set_len(at)?;
            Ok(Writing {
                file,
                length: at,
                partial,
                target,
                _claim: claim,
            })
        });
        Ok(Box::new(PartialFile {
            path: path.to_owned(),
            root: Arc::clone(&self.root),
            durable: Arc::clone(&self.durable),
            length: at,
            writing: Some(file.await?),
        }))
    }

    async fn discard_partial(&self, path: &str) -> Result<()> {
        let file = self.partial(path)?;
        let _claim = self.claim(path)?;
        blocking("discard partial object", path, move || remove(&file)).await
    }

    async fn size(&self, path: &str) -> Result<Option<u64>> {
        let file = self.file(path)?;
        blocking("look at object", path, move || length_of(&file)).await
    }

    async fn read(&self, path: &str, range: Range<u64>) -> Result<ObjectBytes> {
        read(self.file(path)?, path, range).await
    }

    async fn delete(&self, path: &str) -> Result<()> {
        let file = self.file(path)?;
        blocking("delete object", path, move || remove(&file)).await
    }

    async fn list(&self) -> Result<BoxStream<'static, Result<Listed>>> {
        let (found, queue) = mpsc::channel(256);
        let root = Arc::clone(&self.root);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = walk(&root, &root, &found) {
                let error = failed("list the objects below", root.display(), &error);
                // Nobody may be listening any more.
                let _ = found.blocking_send(Err(error));
            }
        });
        let listed = stream::unfold(queue, async |mut queue| {
            let next = queue.recv().await?;
            Some((next, queue))
        });
        Ok(listed.boxed())
    }

    async fn space(&self) -> Result<Space> {
        let root = Arc::clone(&self.root);
        let name = root.display().to_string();
        blocking("ask for the space of", name, move || {
            let space = rustix::fs::statvfs(&*root)?;
            Ok(Space {
                total_bytes: space.f_blocks.saturating_mul(space.f_frsize),
                free_bytes: space.f_bavail.saturating_mul(space.f_frsize),
            })
        })
        .await
    }
}

fn length_of(file: &Path) -> io::Result<Option<u64>> {
    match std::fs::metadata(file) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove(file: &Path) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Runs file system calls on a blocking thread.
async fn blocking<T: Send + 'static>(
    attempted: &'static str,
    path: impl Into<String>,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let path = path.into();
    let request = tracing::Span::current();
    match tokio::task::spawn_blocking(move || request.in_scope(work)).await {
        Ok(done) => done.map_err(|error| failed(attempted, path, &error)),
        Err(error) => Err(failed(attempted, path, &io::Error::other(error))),
    }
}

fn failed(attempted: &'static str, path: impl ToString, error: &io::Error) -> ObjectError {
    let path = path.to_string();
    match error.kind() {
        io::ErrorKind::NotFound => ObjectError::NotFound { path },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ObjectError::Full { attempted, path }
        }
        _ => ObjectError::Failed {
            attempted,
            path,
            message: error.to_string(),
        },
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
