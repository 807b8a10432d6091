//! Objects as files below one directory. A partial object is the file `….part` beside the place of
//! the final one; committing it is a rename.
//!
//! Files are read and written on blocking threads with positioned calls. What makes an object
//! durable is, in this order: sync of the file, rename, sync of its directory and of every
//! directory above that was new.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::mpsc;

use super::{Listed, ObjectBytes, ObjectError, Objects, PartialObject, Result, Space};

/// Bytes of one read. Large enough that changing threads costs little beside the copy.
const READ_BYTES: u64 = 256 * 1024;
const PARTIAL: &str = ".part";
/// Directories remembered as durable; forgetting them only costs syncs.
const REMEMBERED: usize = 16_384;

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

/// That nobody else writes an object. Ends with the last call that may still write.
#[derive(Debug)]
struct Claim {
    path: String,
    written: Arc<Mutex<HashSet<String>>>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.written).remove(&self.path);
    }
}

#[derive(Debug)]
struct PartialFile {
    path: String,
    root: Arc<Path>,
    durable: Arc<Mutex<HashSet<PathBuf>>>,
    length: u64,
    /// Away while a blocking thread writes, and for good when that failed.
    writing: Option<Writing>,
}

#[derive(Debug)]
struct Writing {
    file: File,
    length: u64,
    partial: PathBuf,
    target: PathBuf,
    _claim: Claim,
}

impl PartialFile {
    async fn change(
        &mut self,
        attempted: &'static str,
        work: impl FnOnce(&mut Writing) -> io::Result<()> + Send + 'static,
    ) -> Result<()> {
        let mut writing = self.take()?;
        let writing = blocking(attempted, &self.path, move || {
            work(&mut writing)?;
            Ok(writing)
        });
        let writing = writing.await?;
        self.length = writing.length;
        self.writing = Some(writing);
        Ok(())
    }

    fn take(&mut self) -> Result<Writing> {
        self.writing.take().ok_or_else(|| {
            let gone = io::Error::other("an earlier write failed or was abandoned");
            failed("go on with partial object", &self.path, &gone)
        })
    }
}

#[async_trait]
impl PartialObject for PartialFile {
    fn length(&self) -> u64 {
        self.length
    }

    async fn append(&mut self, pieces: Vec<Bytes>) -> Result<()> {
        self.change("write to object", move |writing| {
            write_at(&writing.file, &pieces, writing.length)?;
            writing.length += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
            Ok(())
        })
        .await
    }

    async fn truncate(&mut self, length: u64) -> Result<()> {
        self.change("shorten object", move |writing| {
            writing.length = writing.length.min(length);
            writing.file.set_len(writing.length)
        })
        .await
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let writing = self.take()?;
        let (root, durable) = (Arc::clone(&self.root), Arc::clone(&self.durable));
        blocking("make durable object", &self.path, move || {
            writing.file.sync_all()?;
            std::fs::rename(&writing.partial, &writing.target)?;
            sync_directories(&root, &writing.target, &durable)
        })
        .await
    }
}

/// Writes all pieces one behind the other from `offset` on.
fn write_at(mut file: &File, pieces: &[Bytes], offset: u64) -> io::Result<()> {
    if let [piece] = pieces {
        return file.write_all_at(piece, offset);
    }
    io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
    let mut slices: Vec<_> = pieces
        .iter()
        .filter(|piece| !piece.is_empty())
        .map(|piece| IoSlice::new(piece))
        .collect();
    let mut left = slices.as_mut_slice();
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Syncs the directory of a file that was just renamed into it, and the entries of the directories
/// above, unless those were synced before.
fn sync_directories(root: &Path, file: &Path, durable: &Mutex<HashSet<PathBuf>>) -> io::Result<()> {
    let mut ancestors = file.ancestors().skip(1);
    let Some(directory) = ancestors.next() else {
        return Ok(());
    };
    File::open(directory)?.sync_all()?;
    let mut child = directory;
    for parent in ancestors {
        if child == root || lock(durable).contains(child) {
            break;
        }
        File::open(parent)?.sync_all()?;
        let mut durable = lock(durable);
        if durable.len() >= REMEMBERED {
            durable.clear();
        }
        durable.insert(child.to_owned());
        child = parent;
    }
    Ok(())
}

async fn read(file: PathBuf, path: &str, range: Range<u64>) -> Result<ObjectBytes> {
    let reading = Reading {
        path: path.to_owned(),
        position: range.start,
        end: range.end,
    };
    let (file, first) = reading.open(file).await?;
    let position = range.start + first.len() as u64;
    let rest = stream::try_unfold(
        (
            file,
            Reading {
                position,
                ..reading
            },
        ),
        |(file, reading)| reading.next(file),
    );
    Ok(stream::once(async { Ok(first) })
        .filter(|first| std::future::ready(!matches!(first, Ok(first) if first.is_empty())))
        .chain(rest)
        .boxed())
}

/// How far a reader has come.
struct Reading {
    path: String,
    position: u64,
    end: u64,
}

impl Reading {
    /// Opens the file and reads the first piece, in one visit to a blocking thread.
    async fn open(&self, path: PathBuf) -> Result<(Arc<File>, Bytes)> {
        let (start, end, name) = (self.position, self.end, self.path.clone());
        let (file, size, first) = blocking("open object", &self.path, move || {
            let file = File::open(&path)?;
            let size = file.metadata()?.len();
            let first = if start <= end && end <= size {
                read_piece(&file, start, end)?
            } else {
                Bytes::new()
            };
            Ok((Arc::new(file), size, first))
        })
        .await?;
        if start > end || end > size {
            return Err(ObjectError::OutOfRange {
                path: name,
                size,
                start,
                end,
            });
        }
        Ok((file, first))
    }

    async fn next(self, file: Arc<File>) -> Result<Option<(Bytes, (Arc<File>, Self))>> {
        if self.position >= self.end {
            return Ok(None);
        }
        let (start, end, source) = (self.position, self.end, Arc::clone(&file));
        let piece = blocking("read object", &self.path, move || {
            read_piece(&source, start, end)
        })
        .await?;
        let position = self.position + piece.len() as u64;
        Ok(Some((piece, (file, Self { position, ..self }))))
    }
}

fn read_piece(file: &File, start: u64, end: u64) -> io::Result<Bytes> {
    let length = (end - start).min(READ_BYTES);
    let mut buffer = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut buffer, start)?;
    Ok(buffer.into())
}

fn walk(root: &Path, directory: &Path, found: &mpsc::Sender<Result<Listed>>) -> io::Result<()> {
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
    match tokio::task::spawn_blocking(work).await {
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
mod tests {
    use futures::TryStreamExt;

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
}
