//! What recording costs: cameras of 4 Mbit/s through fan-out, recorder, disk thread and index, in
//! real time, without network and without a camera's protocol.
//!
//! `cargo bench -p cctv-agent --bench recording -- [cameras] [seconds] [directory]` prints CPU
//! seconds per camera-hour, bytes written per byte of payload, write calls and memory. CPU time is
//! the kernel's accounting of this process; what the kernel's own threads write back is not in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cctv_agent::buffer::{Buffer, BufferConfig, Limits, Predecessor};
use cctv_agent::camera::fanout::{Fanout, QueueLimits};
use cctv_agent::camera::media::{Event, Run, RunStart};
use cctv_agent::identity::Key;
use cctv_agent::recorder::{self, Assignment, Disk, DiskConfig, RecorderSettings, RecorderStatus};
use shared::clock::{Clock, SystemClock};
use shared::id::{CameraId, RunId};
use shared::sample::Sample;
use shared::segment::StreamKind;
use shared::testing;
use shared::time::Ticks90k;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

const PICTURES_PER_SECOND: u64 = 25;
const GOP: u64 = 50;
/// A GOP of two seconds at 4 Mbit/s: one large picture and 49 small ones.
const SYNC_BYTES: usize = 100_000;
const OTHER_BYTES: usize = 18_367;

/// What the kernel counts for this process.
#[derive(Clone, Copy, Debug)]
struct Usage {
    cpu_seconds: f64,
    wchar: u64,
    write_bytes: u64,
    write_calls: u64,
    resident_kb: u64,
}

impl Usage {
    fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let after_name = stat.rsplit(')').next().unwrap();
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        let io = std::fs::read_to_string("/proc/self/io").unwrap();
        let count = |name: &str| {
            let line = io.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let resident = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        Self {
            // Linux counts in hundredths for everybody (USER_HZ).
            cpu_seconds: ticks / 100.0,
            wchar: count("wchar:"),
            write_bytes: count("write_bytes:"),
            write_calls: count("syscw:"),
            resident_kb: resident.split_whitespace().nth(1).unwrap().parse().unwrap(),
        }
    }
}

struct Camera {
    fanout: Fanout,
    status: watch::Receiver<RecorderStatus>,
    origin: shared::time::WallTime,
    // Dropped, the recorder would take them for gone.
    _settings: watch::Sender<RecorderSettings>,
    _triggers: mpsc::Sender<recorder::Trigger>,
}

fn argument<T: std::str::FromStr>(position: usize, default: T) -> T {
    let given = std::env::args().filter(|argument| !argument.starts_with("--"));
    given
        .skip(1 + position)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(default)
}

#[tokio::main]
async fn main() {
    let cameras: usize = argument(0, 20);
    let seconds: u64 = argument(1, 20);
    let scratch = tempfile::tempdir().unwrap();
    let directory: PathBuf = std::env::args()
        .nth(3)
        .map_or_else(|| scratch.path().to_owned(), PathBuf::from);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let key = Key::load_or_create(&directory).unwrap();
    let config = BufferConfig {
        index: directory.join("index.sqlite"),
        segments: directory.join("segments"),
        limits: Limits {
            max_bytes: None,
            reserve_bytes: 0,
            max_age: None,
        },
    };
    let sign = Arc::new(move |statement: &[u8]| key.sign(statement));
    let (buffer, _) = Buffer::open(config, Arc::clone(&clock), sign).unwrap();
    let disk = Disk::start(&buffer, DiskConfig::default(), Arc::clone(&clock)).unwrap();

    let before_cameras = Usage::now();
    let mut recorders = Vec::new();
    let mut studio = Vec::new();
    for _ in 0..cameras {
        let (camera, recorder) = start(&buffer, &disk, &clock);
        studio.push(camera);
        recorders.push(recorder);
    }
    let noise: Bytes = (0..1_000_003_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    // Once around the segment length and the reserve before it counts.
    let warm_up = 2 * PICTURES_PER_SECOND;
    let total = warm_up + seconds * PICTURES_PER_SECOND;
    let began = Instant::now();
    let mut at_start = before_cameras;
    let mut payload = 0_u64;
    for number in 0..total {
        if number == warm_up {
            at_start = Usage::now();
            payload = 0;
        }
        let due = began
            + Duration::from_millis(1_000 / PICTURES_PER_SECOND) * u32::try_from(number).unwrap();
        tokio::time::sleep_until(due.into()).await;
        for (index, camera) in studio.iter().enumerate() {
            // Cameras do not have their key frames together.
            let place = number + u64::try_from(index).unwrap() * 7;
            let sync = number == 0 || place % GOP == 0;
            let bytes = if sync {
                SYNC_BYTES
            } else {
                OTHER_BYTES + usize::try_from(place % 3).unwrap()
            };
            let offset = usize::try_from(place * 7_919 % 800_000).unwrap();
            let time = Ticks90k::new(i64::try_from(number * 90_000 / PICTURES_PER_SECOND).unwrap());
            payload += bytes as u64;
            camera.fanout.publish(Event::Video {
                wall: camera.origin.offset_micros(time.to_micros()),
                sample: Sample {
                    pts: time,
                    dts: time,
                    sync,
                    payload: noise.slice(offset..offset + bytes),
                },
            });
        }
    }
    let at_end = Usage::now();
    let elapsed = began.elapsed().as_secs_f64() - 2.0;
    let lag = studio
        .iter()
        .filter_map(|camera| {
            let status = camera.status.borrow();
            Some(
                status
                    .recorded_until?
                    .saturating_duration_since(status.durable_until?),
            )
        })
        .max();
    drop(studio);
    for recorder in recorders {
        recorder.await.unwrap();
    }
    disk.shutdown().await;
    let closed = Usage::now();
    report(
        cameras,
        elapsed,
        payload,
        at_start,
        at_end,
        closed,
        before_cameras,
    );
    eprintln!("written and not yet durable at the end: {lag:?}");
}

fn start(
    buffer: &Buffer,
    disk: &Disk,
    clock: &Arc<dyn Clock>,
) -> (Camera, tokio::task::JoinHandle<()>) {
    let origin = clock.wall();
    let camera = CameraId::new(origin);
    let fanout = Fanout::new();
    let (settings, settings_receiver) = watch::channel(RecorderSettings::default());
    let (triggers, trigger_receiver) = mpsc::channel(1);
    let (status_sender, status) = watch::channel(RecorderStatus::default());
    let assignment = Assignment {
        camera,
        stream: StreamKind::Main,
        since: origin,
        predecessor: Predecessor::EarlierRun,
        subscription: fanout.subscribe(QueueLimits::KEPT_GOP),
        settings: settings_receiver,
        triggers: trigger_receiver,
        buffer: buffer.clone(),
        disk: disk.clone(),
        clock: Arc::clone(clock),
        status: status_sender,
    };
    let recorder = tokio::spawn(recorder::run(assignment, CancellationToken::new()));
    fanout.publish(Event::RunStarted(Arc::new(Run {
        id: RunId::new(origin),
        camera,
        stream: StreamKind::Main,
        parameters: Arc::new(testing::parameters()),
        origin,
        wall_uncertainty_us: Some(10_000),
        started_because: RunStart::Connected,
    })));
    let camera = Camera {
        fanout,
        status,
        origin,
        _settings: settings,
        _triggers: triggers,
    };
    (camera, recorder)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn report(
    cameras: usize,
    elapsed: f64,
    payload: u64,
    start: Usage,
    end: Usage,
    closed: Usage,
    before: Usage,
) {
    let camera_seconds = elapsed * cameras as f64;
    let cpu = end.cpu_seconds - start.cpu_seconds;
    eprintln!(
        "{cameras} cameras, {elapsed:.1} s, {:.2} Mbit/s each",
        payload as f64 * 8e-6 / camera_seconds
    );
    eprintln!(
        "CPU seconds per camera-hour: {:.2}",
        cpu / camera_seconds * 3_600.0
    );
    eprintln!(
        "write calls per camera-second: {:.2}",
        (end.write_calls - start.write_calls) as f64 / camera_seconds
    );
    eprintln!(
        "bytes handed to the kernel per byte of payload: {:.4}",
        (end.wchar - start.wchar) as f64 / payload as f64
    );
    eprintln!(
        "bytes written to the disk per byte of payload: {:.4} (with closing: {:.4})",
        (end.write_bytes - start.write_bytes) as f64 / payload as f64,
        (closed.write_bytes - start.write_bytes) as f64 / payload as f64
    );
    eprintln!(
        "memory: {} kB, {:.0} kB per camera",
        end.resident_kb,
        (end.resident_kb.saturating_sub(before.resident_kb)) as f64 / cameras as f64
    );
}
