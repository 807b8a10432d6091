//! A playlist over a whole day of one camera: over HTTP from a coordinator with a full catalogue, as a player asks for it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use cctv_coordinator::stores::{Change, Numbered, sqlite};
use serde_json::json;
use shared::hash::Sha256;
use shared::id::{AgentId, CameraId, RunId, SegmentId};
use shared::segment::{FragmentMeta, SegmentHead, SegmentMeta, StreamKind, TrackKind, TrackMeta};
use shared::testing;
use shared::time::{Ticks90k, TimeRange, WallTime};
use support::api::Api;
use support::world::{Centre, Site, SiteSettings};
use tempfile::TempDir;

use crate::account::Usage;
use crate::table::Table;

const START: WallTime = WallTime::from_secs(1_790_000_000);
const DAY: Duration = Duration::from_secs(86_400);
const MINUTES: u32 = 1_440;

/// What an agent makes of a camera with a sync sample every two seconds: four fragments to each.
const FRAGMENTS: u32 = 120;
const FRAGMENT: Ticks90k = Ticks90k::from_millis(500);
const GOP: u32 = 4;

/// Of half a second at 4 Mbit/s.
const FRAGMENT_BYTES: u32 = 250_000;

/// Before anything is counted; the first of all comes from the disk.
const WARM_UP: usize = 3;

/// Fills a catalogue with a day of each of `cameras`, and asks for the playlist of one of them.
pub(crate) async fn measure(cameras: u32, requests: usize) -> Result<Table> {
    let directory = TempDir::new()?;
    let mut centre = Centre::start(&directory.path().join("centre")).await?;
    let agent = enrolled(&centre, &directory.path().join("site")).await?;
    centre.stop().await?;
    let camera = fill(&centre.data_directory(), agent, cameras).await?;
    centre.resume().await?;
    let api = centre.sign_in().await?;
    let coordinator = centre.program()?.pid().context("it has ended")?;

    let columns = [
        "",
        "kB",
        "median ms",
        "p99 ms",
        "slowest ms",
        "coordinator's CPU ms",
    ];
    let title = format!("Playlist of 24 h of one of {cameras} cameras, {requests} times");
    let mut table = Table::new(&title, columns);
    for (name, length) in [("1 h", DAY / 24), ("24 h", DAY)] {
        let url = prepared(&api, camera, TimeRange::starting_at(START, length)).await?;
        let entries = api.read_playlist(&url).await?;
        let listed: f32 = entries.iter().map(|entry| entry.seconds).sum();
        ensure!(
            (listed - length.as_secs_f32()).abs() < 10.0,
            "{listed} s are listed instead of {length:?}"
        );
        let figures = repeated(coordinator, requests, || api.fetch(&url, None)).await?;
        row(&mut table, &format!("{name}, as text"), figures);
        let figures = repeated(coordinator, requests, || api.fetch_compressed(&url)).await?;
        row(
            &mut table,
            &format!("{name}, compressed as for browsers"),
            figures,
        );
    }
    table.note(format!(
        "{MINUTES} segments of {FRAGMENTS} fragments; from the request to the last byte of the body, on a connection that stands"
    ));
    centre.stop().await?;
    Ok(table)
}

/// An agent with a certificate, that records nothing.
async fn enrolled(centre: &Centre, directory: &Path) -> Result<AgentId> {
    let mut site = Site::start("site", directory, centre, &[], &SiteSettings::default()).await?;
    site.stop().await?;
    let agents = centre.sign_in().await?.agents().await?;
    let id = agents.first().and_then(|agent| agent["id"].as_str());
    Ok(id.context("no agent is enrolled")?.parse()?)
}

/// Minute by minute for all cameras, as it happens; gives one from the middle.
async fn fill(data: &Path, agent: AgentId, cameras: u32) -> Result<CameraId> {
    let store = sqlite::open(data).await?;
    let streams: Vec<_> = (0..cameras.max(1))
        .map(|_| (CameraId::new(START), RunId::new(START)))
        .collect();
    for minute in 0..MINUTES {
        let closed = streams.iter().map(|&(camera, run)| Numbered {
            seq: None,
            change: Change::Closed(Box::new(segment(camera, run, minute))),
        });
        let applied = store.apply(agent, closed.collect(), None, START).await?;
        ensure!(applied.foreign.is_empty(), "{applied:?}");
    }
    Ok(streams[streams.len() / 2].0)
}

/// A minute of a camera; the hashes are of the right size only.
fn segment(camera: CameraId, run: RunId, minute: u32) -> SegmentMeta {
    let first = minute * FRAGMENTS;
    let start = START.offset_micros(FRAGMENT.to_micros() * i64::from(first));
    let head = SegmentHead {
        id: SegmentId::new(start),
        camera,
        stream: StreamKind::Main,
        run,
        init_length: 600,
        init_sha256: Sha256::of(b"init"),
        tracks: vec![TrackMeta {
            codec: "avc1.4d4028".to_owned(),
            kind: TrackKind::Video {
                width: 1_920,
                height: 1_080,
            },
        }],
        wall_uncertainty_us: Some(20_000),
    };
    let fragments: Vec<_> = (0..FRAGMENTS)
        .map(|index| FragmentMeta {
            offset: 600 + u64::from(index) * u64::from(FRAGMENT_BYTES),
            length: FRAGMENT_BYTES,
            media_start: Ticks90k::new(FRAGMENT.get() * i64::from(first + index)),
            duration: FRAGMENT,
            wall_start: start.offset_micros(FRAGMENT.to_micros() * i64::from(index)),
            sync: index % GOP == 0,
            samples: 13,
            sha256: Sha256::of(&index.to_be_bytes()),
        })
        .collect();
    let size = fragments.last().map_or(0, FragmentMeta::end_offset);
    testing::seal(head, size, fragments)
}

async fn prepared(api: &Api, camera: CameraId, range: TimeRange) -> Result<String> {
    let order = json!({
        "camera_id": camera, "stream": "main",
        "from": range.start().to_rfc3339(), "to": range.end().to_rfc3339(),
    });
    let playback = api.post("/api/v1/playback/prepare", &order).await?;
    let url = playback["playlist_url"].as_str();
    Ok(url.context("no playlist_url")?.to_owned())
}

struct Figures {
    /// Shortest first.
    times: Vec<Duration>,
    bytes: usize,
    /// Of the coordinator, for one request.
    cpu: Duration,
}

/// Asks one time after the other.
async fn repeated(
    coordinator: u32,
    requests: usize,
    mut ask: impl AsyncFnMut() -> Result<Bytes>,
) -> Result<Figures> {
    for _ in 0..WARM_UP {
        ask().await?;
    }
    let before = Usage::of(coordinator)?;
    let mut times = Vec::with_capacity(requests);
    let mut bytes = 0;
    for _ in 0..requests.max(1) {
        let asked = Instant::now();
        bytes = ask().await?.len();
        times.push(asked.elapsed());
    }
    let used = Usage::of(coordinator)?.since(&before).cpu;
    let cpu = used / u32::try_from(times.len())?;
    times.sort();
    Ok(Figures { times, bytes, cpu })
}

fn row(table: &mut Table, name: &str, Figures { times, bytes, cpu }: Figures) {
    let milliseconds = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
    let at = |percent: usize| milliseconds(times[(times.len() - 1) * percent / 100]);
    table.row([
        name.to_owned(),
        format!("{}", bytes / 1_000),
        at(50),
        at(99),
        at(100),
        milliseconds(cpu),
    ]);
}
