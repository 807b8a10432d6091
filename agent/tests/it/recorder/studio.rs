//! A camera made of test pictures, a recorder and a buffer on a directory of their own: everything
//! production has, less the network.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cctv_agent::buffer::{Buffer, BufferConfig, Limits, Predecessor, RecoveryReport, Sign};
use cctv_agent::camera::fanout::{Fanout, QueueLimits};
use cctv_agent::camera::media::{Event, Run, RunStart};
use cctv_agent::identity::Key;
use cctv_agent::recorder::{
    self, Assignment, Disk, DiskConfig, RecorderSettings, RecorderStatus, Trigger,
};
use shared::clock::{Clock, SimulatedClock};
use shared::codec::{AudioCodec, StreamParameters};
use shared::fmp4::read::{self, Stop};
use shared::id::{CameraId, RunId, SegmentId};
use shared::sample::Sample;
use shared::segment::{SegmentMeta, StreamKind};
use shared::testing::{self, GOP_DURATION, PICTURE_DURATION};
use shared::time::{Ticks90k, TimeRange, WallTime};
use shared::timeline::{self, LedgerEntry, Reason, Span, State};
use shared::wire::segment::RecordBody;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a test waits for something that should happen at once, on a slow and busy host.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// 2026-03-01T10:00:00Z.
pub(crate) const START: WallTime = WallTime::from_secs(1_772_359_200);

/// Checks a condition every few milliseconds, for a bounded time.
pub(crate) async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "did not happen in {PATIENCE:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The directories of an agent, which outlive a run of it.
pub(crate) struct Site {
    pub(crate) directory: PathBuf,
    _temporary: Option<tempfile::TempDir>,
    pub(crate) camera: CameraId,
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) limits: Limits,
    pub(crate) key: Arc<Key>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        Self {
            _temporary: Some(temporary),
            ..Self::at(PathBuf::new())
        }
        .settled()
    }

    fn settled(mut self) -> Self {
        if let Some(temporary) = &self._temporary {
            self.directory = temporary.path().to_owned();
            self.key = Arc::new(Key::load_or_create(temporary.path()).unwrap());
        }
        self
    }

    /// With the recordings in a directory of the caller's.
    pub(crate) fn at(directory: PathBuf) -> Self {
        let keys = tempfile::tempdir().unwrap();
        Self {
            directory,
            _temporary: None,
            camera: CameraId::new(START),
            clock: Arc::new(SimulatedClock::new(START)),
            limits: Limits {
                max_bytes: None,
                reserve_bytes: 0,
                max_age: None,
            },
            key: Arc::new(Key::load_or_create(keys.path()).unwrap()),
        }
    }

    /// A copy of everything on the disk, for another life that begins at `now`.
    pub(crate) fn copied(&self, now: WallTime) -> Self {
        let mut copy = Self::new();
        copy_directory(&self.directory, &copy.directory);
        copy.camera = self.camera;
        copy.clock = Arc::new(SimulatedClock::new(now));
        copy.key = Arc::clone(&self.key);
        copy
    }

    pub(crate) fn config(&self) -> BufferConfig {
        BufferConfig {
            index: self.directory.join("index.sqlite"),
            segments: self.segments(),
            limits: self.limits,
        }
    }

    pub(crate) fn segments(&self) -> PathBuf {
        self.directory.join("segments")
    }

    pub(crate) fn sign(&self) -> Sign {
        let key = Arc::clone(&self.key);
        Arc::new(move |statement| key.sign(statement))
    }

    pub(crate) fn open(&self) -> (Buffer, RecoveryReport) {
        // The log of a test that fails is shown with it. Another test may have been first.
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        Buffer::open(self.config(), clock, self.sign()).unwrap()
    }

    pub(crate) fn file_of(&self, segment: SegmentId) -> PathBuf {
        let name = format!("{segment}.mp4");
        let mut files = self.files().into_iter();
        files
            .find(|path| path.ends_with(&name))
            .expect("the segment has a file")
    }

    /// Every file below the storage directory.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut pending = vec![self.segments()];
        while let Some(directory) = pending.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    pending.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files.sort();
        files
    }
}

fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// One run of the agent on a [`Site`].
pub(crate) struct Studio {
    pub(crate) buffer: Buffer,
    pub(crate) disk: Disk,
    pub(crate) fanout: Fanout,
    pub(crate) settings: watch::Sender<RecorderSettings>,
    pub(crate) triggers: mpsc::Sender<Trigger>,
    pub(crate) status: watch::Receiver<RecorderStatus>,
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) camera: CameraId,
    recorder: JoinHandle<()>,
    run: Option<Arc<Run>>,
    /// Where the next picture of the run begins.
    position: Ticks90k,
}

pub(crate) fn settings() -> RecorderSettings {
    RecorderSettings {
        segment: Duration::from_secs(10),
        ..RecorderSettings::default()
    }
}

pub(crate) fn disk_config() -> DiskConfig {
    DiskConfig {
        sync_interval: Duration::from_millis(20),
        ..DiskConfig::default()
    }
}

impl Studio {
    pub(crate) fn start(site: &Site) -> Self {
        Self::start_with(site, settings())
    }

    pub(crate) fn start_with(site: &Site, settings: RecorderSettings) -> Self {
        let (buffer, _) = site.open();
        Self::on(site, buffer, settings)
    }

    pub(crate) fn on(site: &Site, buffer: Buffer, settings: RecorderSettings) -> Self {
        let clock: Arc<dyn Clock> = Arc::clone(&site.clock) as _;
        let disk = Disk::start(&buffer, disk_config(), Arc::clone(&clock)).unwrap();
        Self::with_disk(site, buffer, disk, settings)
    }

    pub(crate) fn with_disk(
        site: &Site,
        buffer: Buffer,
        disk: Disk,
        settings: RecorderSettings,
    ) -> Self {
        Self::following(site, buffer, disk, settings, Predecessor::EarlierRun)
    }

    pub(crate) fn following(
        site: &Site,
        buffer: Buffer,
        disk: Disk,
        settings: RecorderSettings,
        predecessor: Predecessor,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::clone(&site.clock) as _;
        let fanout = Fanout::new();
        let (settings, settings_receiver) = watch::channel(settings);
        let (triggers, trigger_receiver) = mpsc::channel(8);
        let (status_sender, status) = watch::channel(RecorderStatus::default());
        let assignment = Assignment {
            camera: site.camera,
            stream: StreamKind::Main,
            since: site.clock.wall(),
            predecessor,
            subscription: fanout.subscribe(QueueLimits::KEPT_GOP),
            settings: settings_receiver,
            triggers: trigger_receiver,
            buffer: buffer.clone(),
            disk: disk.clone(),
            clock,
            status: status_sender,
        };
        let recorder = tokio::spawn(recorder::run(assignment, CancellationToken::new()));
        Self {
            buffer,
            disk,
            fanout,
            settings,
            triggers,
            status,
            clock: Arc::clone(&site.clock),
            camera: site.camera,
            recorder,
            run: None,
            position: Ticks90k::ZERO,
        }
    }

    /// The camera begins to send.
    pub(crate) fn begin_run(&mut self) {
        self.begin_run_of(testing::parameters());
    }

    pub(crate) fn begin_run_of(&mut self, parameters: StreamParameters) {
        let origin = self.clock.wall();
        let run = Arc::new(Run {
            id: RunId::new(origin),
            camera: self.camera,
            stream: StreamKind::Main,
            parameters: Arc::new(parameters),
            origin,
            wall_uncertainty_us: Some(10_000),
            started_because: RunStart::Connected,
        });
        self.position = Ticks90k::ZERO;
        self.run = Some(Arc::clone(&run));
        self.fanout.publish(Event::RunStarted(run));
    }

    fn wall(&self, at: Ticks90k) -> WallTime {
        let run = self.run.as_ref().expect("a run has begun");
        run.origin.offset_micros(at.to_micros())
    }

    /// Sends so many GOPs of 0.4 s; the clock goes along.
    pub(crate) fn film(&mut self, gops: usize) {
        for _ in 0..gops {
            let pictures = testing::gop(self.position);
            self.film_samples(pictures);
        }
    }

    pub(crate) fn film_samples(&mut self, pictures: Vec<Sample>) {
        for sample in pictures {
            self.position = sample.dts + PICTURE_DURATION;
            let wall = self.wall(sample.pts);
            self.fanout.publish(Event::Video { sample, wall });
            self.clock.advance(PICTURE_DURATION.to_duration().unwrap());
        }
    }

    /// As [`Studio::film`], with AAC.
    pub(crate) fn film_with_sound(&mut self, gops: i64) {
        for _ in 0..gops {
            let rate = 16_000;
            let start = self.position.get() * rate / 90_000;
            let end = (self.position + GOP_DURATION).get() * rate / 90_000;
            let first = start.div_euclid(1_024) * 1_024;
            for frame in testing::audio(AudioCodec::Aac, first, end) {
                if frame.start >= start {
                    self.fanout.publish(Event::Audio(frame));
                }
            }
            let pictures = testing::gop(self.position);
            self.film_samples(pictures);
        }
    }

    /// Nothing comes for a while, and the run goes on afterwards.
    pub(crate) fn lose(&mut self, duration: Duration) {
        let from = self.wall(self.position);
        self.clock.advance(duration);
        self.position = self.position + Ticks90k::from_duration(duration);
        self.fanout.publish(Event::Lost {
            from,
            to: self.wall(self.position),
            reason: Reason::PacketsLost,
        });
    }

    pub(crate) fn end_run(&mut self, reason: Reason) {
        let at = self.wall(self.position);
        self.run = None;
        self.fanout.publish(Event::RunEnded {
            at,
            reason,
            detail: None,
        });
    }

    /// Media time of the next picture.
    pub(crate) fn position(&self) -> Ticks90k {
        self.position
    }

    /// End of the newest picture.
    pub(crate) fn now(&self) -> WallTime {
        self.wall(self.position)
    }

    /// Waits until what was filmed, less what is still in the making, is in the file.
    pub(crate) async fn written(&mut self) -> WallTime {
        let until = self.now() - Duration::from_secs(1);
        self.written_until(until).await
    }

    pub(crate) async fn written_until(&mut self, until: WallTime) -> WallTime {
        let mut status = self.status.clone();
        let written = status.wait_for(|status| status.recorded_until >= Some(until));
        let status = tokio::time::timeout(PATIENCE, written)
            .await
            .expect("pictures are written in time")
            .unwrap();
        status.recorded_until.unwrap()
    }

    pub(crate) async fn durable_until(&self, until: WallTime) {
        let mut status = self.status.clone();
        let durable = status.wait_for(|status| status.durable_until >= Some(until));
        tokio::time::timeout(PATIENCE, durable)
            .await
            .expect("pictures become durable in time")
            .unwrap();
    }

    /// Ends the recorder and the disk in an orderly way; the buffer stays open.
    pub(crate) async fn wrap(self) -> Buffer {
        // The recorder hears everything that was filmed, and then the end.
        drop(self.fanout);
        self.recorder.await.unwrap();
        self.disk.shutdown().await;
        self.buffer
    }

    /// Ends the recorder in the middle of what it does; disk and buffer go on.
    pub(crate) async fn abort(self) -> (Buffer, Disk) {
        self.recorder.abort();
        assert!(self.recorder.await.is_err_and(|end| end.is_cancelled()));
        (self.buffer, self.disk)
    }

    /// Ends everything in an orderly way.
    pub(crate) async fn stop(self) {
        let buffer = self.wrap().await;
        buffer.close().await.unwrap();
    }
}

/// All segments and gaps in the outbox, by what was said last.
pub(crate) async fn told(buffer: &Buffer) -> (Vec<SegmentMeta>, Vec<LedgerEntry>) {
    let mut segments = Vec::new();
    let mut gaps = Vec::new();
    for record in buffer.outbox_after(0, 100_000).await.unwrap() {
        match record.body {
            RecordBody::Segment(meta) => segments.push(meta),
            RecordBody::Gap(entry) => gaps.push(entry),
            _ => {}
        }
    }
    segments.sort_by_key(|meta| meta.wall_range().map(|range| range.start()));
    gaps.sort_by_key(|gap| gap.range.start());
    (segments, gaps)
}

/// The timeline as the agent's own index knows it.
pub(crate) async fn spans(buffer: &Buffer, camera: CameraId, range: TimeRange) -> Vec<Span> {
    let facts = buffer.facts(camera, StreamKind::Main, range).await.unwrap();
    timeline::build(range, &facts, Duration::from_millis(100))
}

/// Nothing before `until` is unexplained or unreported; returns what is missing and why.
pub(crate) async fn assert_explained(
    buffer: &Buffer,
    camera: CameraId,
    range: TimeRange,
) -> Vec<(TimeRange, Reason)> {
    let mut missing = Vec::new();
    for span in spans(buffer, camera, range).await {
        match span.state {
            State::Recorded { .. } => {}
            State::Missing { reason, .. } => missing.push((span.range, reason)),
            State::Unexplained | State::NotYetReported => {
                panic!("{:?} is {:?}", span.range, span.state)
            }
        }
    }
    missing
}

/// Every file consists of whole fragments, at least one.
pub(crate) fn assert_whole(site: &Site) {
    for path in site.files() {
        let file = match File::open(&path) {
            // Retention may be at work.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file.unwrap(),
        };
        let walk = read::walk(file).unwrap();
        assert_eq!(walk.stop, Stop::EndOfFile, "{}", path.display());
        assert!(!walk.fragments.is_empty(), "{}", path.display());
    }
}

/// What ffprobe says of a file: nothing on its error output, and its count of packets per stream.
pub(crate) fn ffprobe(path: &Path) -> Vec<(String, u64)> {
    let output = std::process::Command::new("ffprobe")
        .args(["-v", "warning", "-count_packets", "-show_entries"])
        .args(["stream=codec_name,nb_read_packets", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .expect("ffprobe is installed");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{}: {complaints}",
        path.display()
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let (codec, packets) = line.split_once(',')?;
            Some((
                codec.to_owned(),
                packets.trim_end_matches(',').parse().ok()?,
            ))
        })
        .collect()
}
