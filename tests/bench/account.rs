//! What a process has used, from the kernel's own books.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// Totals since the start of a process, all its threads together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Resident now, of its own (anonymous) memory; mapped files belong to the page cache.
    pub(crate) own_memory_bytes: u64,
    /// Handed to `write` and its kin, to files and sockets alike.
    pub(crate) written_bytes: u64,
    /// Sent to the block layer.
    pub(crate) stored_bytes: u64,
    /// Received from `read` and its kin.
    pub(crate) read_bytes: u64,
    /// Calls of `read` and `write` and their kin.
    pub(crate) calls: u64,
}

impl Usage {
    /// # Errors
    /// There is no such process, or the kernel hides its books.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))
        };
        let io = read("io")?;
        Ok(Self {
            cpu: cpu(&read("stat")?)?,
            own_memory_bytes: field(&read("status")?, "RssAnon:")? * 1024,
            written_bytes: field(&io, "wchar:")?,
            stored_bytes: field(&io, "write_bytes:")?,
            read_bytes: field(&io, "rchar:")?,
            calls: field(&io, "syscr:")? + field(&io, "syscw:")?,
        })
    }

    /// Totals of several processes.
    pub(crate) fn of_all(pids: impl IntoIterator<Item = u32>) -> Result<Self> {
        pids.into_iter().try_fold(Self::default(), |sum, pid| {
            let one = Self::of(pid)?;
            Ok(Self {
                cpu: sum.cpu + one.cpu,
                own_memory_bytes: sum.own_memory_bytes + one.own_memory_bytes,
                written_bytes: sum.written_bytes + one.written_bytes,
                stored_bytes: sum.stored_bytes + one.stored_bytes,
                read_bytes: sum.read_bytes + one.read_bytes,
                calls: sum.calls + one.calls,
            })
        })
    }

    /// What was used between `earlier` and this; memory as it is now.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            own_memory_bytes: self.own_memory_bytes,
            written_bytes: self.written_bytes.saturating_sub(earlier.written_bytes),
            stored_bytes: self.stored_bytes.saturating_sub(earlier.stored_bytes),
            read_bytes: self.read_bytes.saturating_sub(earlier.read_bytes),
            calls: self.calls.saturating_sub(earlier.calls),
        }
    }
}

/// User and system time: fields 14 and 15 of `/proc/<pid>/stat` (proc(5)), in ticks of 10 ms.
fn cpu(stat: &str) -> Result<Duration> {
    let (_, after_name) = stat
        .rsplit_once(')')
        .context("no name in /proc/<pid>/stat")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| -> Result<u64> {
        Ok(fields
            .get(index)
            .context("a short /proc/<pid>/stat")?
            .parse()?)
    };
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Ok(Duration::from_millis(
        (ticks(11)? + ticks(12)?) * 1_000 / per_second,
    ))
}

/// The number behind `key` on its line.
fn field(text: &str, key: &str) -> Result<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .with_context(|| format!("no {key} line"))?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_work_shows_in_the_books() {
        let before = Usage::of(std::process::id()).unwrap();
        let mut digest = 0_u64;
        while Usage::of(std::process::id()).unwrap().since(&before).cpu < Duration::from_millis(30)
        {
            digest = (0..1_000_000_u64).fold(digest, |sum, n| sum.rotate_left(5) ^ n);
        }
        let used = Usage::of(std::process::id()).unwrap().since(&before);
        assert!(
            used.own_memory_bytes > 0 && used.calls > 0,
            "{used:?} {digest}"
        );
    }
}
