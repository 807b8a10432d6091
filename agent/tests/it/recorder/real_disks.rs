//! Real filesystems, as small as needed: full to the last byte, read-only, smaller than the reserve.
//! Only where this process may mount one, as in CI; it says so where it may not.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use cctv_agent::buffer::Buffer;
use cctv_agent::recorder::{Disk, DiskConfig};
use shared::clock::Clock;
use shared::time::TimeRange;
use shared::timeline::Reason;

use super::studio::{
    START, Site, Studio, assert_explained, assert_whole, disk_config, eventually, settings, told,
};

/// A filesystem in memory.
struct SmallDisk {
    directory: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(bytes: u64) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={bytes}");
        if !mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], directory.path()) {
            eprintln!(
                "SKIPPED: this process may not mount a filesystem, so nothing was shown of a real \
                 one; injected faults show the rest"
            );
            return None;
        }
        Some(Self { directory })
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// False while something is open for writing.
    fn turn_read_only(&self) -> bool {
        mount(&["-o", "remount,ro"], self.path())
    }

    fn turn_writable(&self) {
        assert!(mount(&["-o", "remount,rw"], self.path()));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

fn mount(arguments: &[&str], place: &Path) -> bool {
    let output = Command::new("mount").args(arguments).arg(place).output();
    output.is_ok_and(|output| output.status.success())
}

/// Something else that takes every byte it can get.
struct Hog(PathBuf);

impl Hog {
    fn fill(&self) {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(&self.0)
            .unwrap();
        for block in [65_536, 4_096, 512, 1] {
            while file.write_all(&vec![0; block]).is_ok() {}
        }
    }

    fn go(self) {
        fs::remove_file(self.0).unwrap();
    }
}

/// As production records, but soon out of patience.
fn studio(site: &Site, buffer: Buffer) -> Studio {
    let config = DiskConfig {
        patience: Duration::from_millis(700),
        ..disk_config()
    };
    let clock: Arc<dyn Clock> = Arc::clone(&site.clock) as _;
    let disk = Disk::start(&buffer, config, clock).unwrap();
    Studio::with_disk(site, buffer, disk, settings())
}

/// Films on until `reason` is what keeps pictures from being recorded, and the centre is told.
async fn suffer(studio: &mut Studio, reason: Reason, mut meanwhile: impl FnMut()) {
    let (status, buffer) = (studio.status.clone(), studio.buffer.clone());
    eventually("the fault is noticed and is a gap", async || {
        meanwhile();
        studio.film(1);
        let noticed = buffer.status().fault == Some(reason);
        (noticed && status.borrow().missing == Some(reason)).then_some(())
    })
    .await;
}

/// Films on until the disk is used again, and a little longer.
async fn go_on(mut studio: Studio) -> (Buffer, TimeRange) {
    let (status, buffer) = (studio.status.clone(), studio.buffer.clone());
    eventually("recording goes on by itself", async || {
        studio.film(1);
        let well = buffer.status().fault.is_none();
        (well && status.borrow().missing.is_none()).then_some(())
    })
    .await;
    studio.film(10);
    let end = studio.now();
    (studio.wrap().await, TimeRange::new(START, end).unwrap())
}

/// The index stands on the same disk, and has no byte for its commits either.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_disk_that_something_else_fills_is_a_gap_and_recording_goes_on_by_itself() {
    let Some(disk) = SmallDisk::mount(16 << 20) else {
        return;
    };
    let site = Site::at(disk.path().to_owned());
    let mut studio = studio(&site, site.open().0);
    studio.begin_run();
    studio.film(10);
    studio.written().await;
    let hog = Hog(disk.path().join("hog"));
    suffer(&mut studio, Reason::DiskFull, || hog.fill()).await;
    hog.go();
    let (buffer, range) = go_on(studio).await;
    assert_whole(&site);
    let missing = assert_explained(&buffer, site.camera, range).await;
    // What was deleted to make room is missing for that.
    assert!(
        missing.iter().all(|(_, reason)| {
            matches!(reason, Reason::DiskFull | Reason::ExpiredBeforeUpload)
        }),
        "{missing:?}"
    );
    let (_, gaps) = told(&buffer).await;
    assert!(
        gaps.iter().any(|gap| gap.reason == Reason::DiskFull),
        "{gaps:?}"
    );
    buffer.close().await.unwrap();
    drop(buffer);
    let (_, report) = site.open();
    assert_eq!(report.previous_ending, Some(Reason::AgentStopped));
    assert!(!report.index_rebuilt);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_disk_that_turns_read_only_is_a_gap_and_recording_goes_on_by_itself() {
    let Some(disk) = SmallDisk::mount(16 << 20) else {
        return;
    };
    let site = Site::new();
    std::os::unix::fs::symlink(disk.path(), site.segments()).unwrap();
    let mut studio = studio(&site, site.open().0);
    studio.begin_run();
    studio.film(10);
    studio.end_run(Reason::CameraDisconnected);
    eventually("no file is open", async || {
        disk.turn_read_only().then_some(())
    })
    .await;
    studio.begin_run();
    suffer(&mut studio, Reason::DiskReadOnly, || {}).await;
    disk.turn_writable();
    let (buffer, range) = go_on(studio).await;
    assert_whole(&site);
    let missing = assert_explained(&buffer, site.camera, range).await;
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(missing[0].1, Reason::DiskReadOnly);
    let (_, gaps) = told(&buffer).await;
    assert!(
        gaps.iter().any(|gap| gap.reason == Reason::DiskReadOnly),
        "{gaps:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_disk_smaller_than_the_reserve_records_nothing_and_deletes_nothing() {
    let Some(disk) = SmallDisk::mount(4 << 20) else {
        return;
    };
    let mut site = Site::at(disk.path().to_owned());
    // What was recorded before somebody wrote a number too many.
    let mut before = Studio::start(&site);
    before.begin_run();
    before.film(10);
    let until = before.now();
    before.stop().await;
    let kept = site.files();
    site.limits.reserve_bytes = 2_000_000_000;
    let mut studio = studio(&site, site.open().0);
    studio.begin_run();
    suffer(&mut studio, Reason::DiskFull, || {}).await;
    let status = studio.buffer.status();
    let range = TimeRange::new(START, studio.now()).unwrap();
    let buffer = studio.wrap().await;
    assert_eq!(
        site.files(),
        kept,
        "nothing is deleted for a hopeless reserve"
    );
    eventually("the centre can see why", async || {
        let status = buffer.status();
        (status.total_bytes > 0 && status.total_bytes < status.reserve_bytes).then_some(())
    })
    .await;
    assert_eq!(status.fault, Some(Reason::DiskFull));
    let missing = assert_explained(&buffer, site.camera, range).await;
    let range = TimeRange::new(until, range.end()).unwrap();
    assert_eq!(missing, [(range, Reason::DiskFull)]);
}

#[test]
fn a_data_directory_on_a_read_only_disk_is_named_at_the_start() {
    let Some(disk) = SmallDisk::mount(4 << 20) else {
        return;
    };
    let site = Site::at(disk.path().to_owned());
    assert!(disk.turn_read_only());
    let clock: Arc<dyn Clock> = Arc::clone(&site.clock) as _;
    let error = Buffer::open(site.config(), clock, site.sign()).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains(&disk.path().display().to_string()),
        "{error}"
    );
    assert!(error.contains("Read-only file system"), "{error}");
}

/// Index and recordings share a disk of 4 MiB and more than that is filmed: the oldest goes, every
/// second is accounted for.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_real_disk_that_fills_up_the_oldest_goes_and_the_ledger_says_so() {
    let Some(disk) = SmallDisk::mount(4 << 20) else {
        return;
    };
    let mut site = Site::at(disk.path().to_owned());
    site.limits.reserve_bytes = 1 << 20;
    let mut studio = Studio::start(&site);
    studio.begin_run();
    // 50 kB/s: half a megabyte in a segment.
    let picture = bytes::Bytes::from(vec![0x5a; 2_000]);
    for _ in 0..250 {
        let mut pictures = shared::testing::gop(studio.position());
        for sample in &mut pictures {
            sample.payload = picture.clone();
        }
        studio.film_samples(pictures);
        let until = studio.now() - Duration::from_secs(1);
        studio.written_until(until).await;
    }
    let end = studio.now();
    let buffer = studio.wrap().await;
    assert_whole(&site);
    let (_, gaps) = told(&buffer).await;
    assert!(
        gaps.iter()
            .any(|gap| gap.reason == Reason::ExpiredBeforeUpload),
        "{gaps:?}"
    );
    let range = TimeRange::new(START, end).unwrap();
    let missing = assert_explained(&buffer, site.camera, range).await;
    assert!(
        missing
            .iter()
            .all(|(_, reason)| *reason == Reason::ExpiredBeforeUpload),
        "{missing:?}"
    );
}
