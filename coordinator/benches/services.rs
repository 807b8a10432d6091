//! What the coordinator's services cost over a large catalogue: `cargo bench -p cctv-coordinator`.
//!
//! The catalogue has a million segments of a minute with sixty fragments each (about 3 GB on disk);
//! `SEGMENTS=300000 cargo bench …` for a quick look (a day of each camera takes that many). Times are
//! medians; processor time is the kernel's figure for this process.

use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use cctv_coordinator::domain::access::Deed;
use cctv_coordinator::domain::audit::Origin;
use cctv_coordinator::domain::playback::Show;
use cctv_coordinator::services::access::{Actor, CameraGrant};
use cctv_coordinator::services::agents::{AgentGrant, NewInvite};
use cctv_coordinator::services::edge_source::{EdgeBytes, EdgeError, EdgePictures, EdgeSource};
use cctv_coordinator::services::ingest::{Offered, Written};
use cctv_coordinator::services::{Services, ServicesConfig};
use cctv_coordinator::stores::{Change, Numbered, Store, sqlite};
use shared::clock::{Clock, SystemClock};
use shared::hash::Sha256;
use shared::id::{AgentId, CameraId, RunId, SegmentId};
use shared::segment::{
    FragmentMeta, SegmentHead, SegmentMeta, Signature, StreamKind, TrackKind, TrackMeta,
};
use shared::testing::seal;
use shared::time::{Ticks90k, TimeRange, WallTime};
use shared::wire::control::{Command, CommandOutcome};
use shared::wire::segment::{Growth, Record, RecordBody, Report, UploadOffer, UploadResult};

const CAMERAS: usize = 100;
const FRAGMENTS: u32 = 60;
const FRAGMENT_BYTES: u32 = 500_000;
const START: WallTime = WallTime::from_secs(1_790_000_000);

#[tokio::main]
async fn main() {
    let segments: usize = std::env::var("SEGMENTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let config = ServicesConfig {
        reserve_bytes: 0,
        ..ServicesConfig::new(directory.path())
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let open = || Services::open(&config, Arc::clone(&clock), Arc::new(Nobody));
    let services = open().await.expect("an empty directory");
    let agent = enrol(&services).await;
    let actor = sign_in(&services).await;
    drop(services);
    let store = sqlite::open(directory.path()).await.expect("the database");
    let cameras: Vec<_> = (0..CAMERAS).map(|_| CameraId::new(START)).collect();
    seed(&*store, agent.id(), &cameras, segments).await;
    drop(store);
    let services = open().await.expect("the database");
    let camera = services
        .access
        .camera(&actor, cameras[CAMERAS / 2], Deed::PlayCamera)
        .await
        .expect("an administrator may");
    timelines(&services, &camera).await;
    playlist(&services, &actor, &camera).await;
    reports(&services, &agent).await;
    uploads(&services, &agent, directory.path()).await;
}

fn show(what: &str, figure: impl std::fmt::Display) {
    eprintln!("{what:<58} {figure}");
}

/// Repeated runs, after one to warm up: the median of their times, and the processor time of one,
/// which says more where others use the machine.
macro_rules! repeated {
    ($runs:expr, $work:expr) => {{
        $work;
        let mut times = [Duration::ZERO; $runs];
        let before = cpu();
        for time in &mut times {
            let begun = Instant::now();
            $work;
            *time = begun.elapsed();
        }
        let busy = (cpu() - before) / f64::from($runs) * 1_000.0;
        times.sort();
        let median = times[times.len() / 2].as_secs_f64() * 1_000.0;
        format!("{median:.3} ms, {busy:.3} ms of a processor")
    }};
}

async fn timelines(services: &Services, camera: &CameraGrant) {
    for (name, seconds) in [("1 h", 3_600), ("24 h", 86_400), ("31 days", 31 * 86_400)] {
        let range = TimeRange::starting_at(
            START + Duration::from_secs(86_400),
            Duration::from_secs(seconds),
        );
        let figures = repeated!(51, {
            let timeline = services
                .timeline
                .timeline(camera, StreamKind::Main, range)
                .await;
            assert!(!timeline.expect("a timeline").spans.is_empty());
        });
        show(&format!("timeline of {name}"), figures);
    }
}

async fn playlist(services: &Services, actor: &Actor, camera: &CameraGrant) {
    for (name, seconds) in [("1 h", 3_600), ("24 h", 86_400)] {
        let range = TimeRange::starting_at(
            START + Duration::from_secs(86_400),
            Duration::from_secs(seconds),
        );
        let view = services
            .playback
            .prepare(camera, StreamKind::Main, Show::Range(range))
            .await
            .expect("a playback");
        let grant = services.access.playback(actor, view.playback.id).await;
        let grant = grant.expect("it is the actor's own");
        let playlist = async || services.playback.playlist(&grant).await;
        let size = playlist().await.expect("a playlist").len();
        let figures = repeated!(51, playlist().await.expect("a playlist"));
        show(&format!("playlist of {name}, {} kB", size / 1_000), figures);
    }
}

/// Records of closed segments with signatures, and news of fragments of many agents' cameras.
async fn reports(services: &Services, agent: &AgentGrant) {
    let camera = CameraId::new(START);
    let batches: Vec<Vec<SegmentMeta>> = (0..20)
        .map(|batch| {
            (0..50)
                .map(|minute| {
                    let meta = segment(camera, RunId::new(START), batch * 50 + minute);
                    seal(meta.head, meta.size, meta.fragments)
                })
                .collect()
        })
        .collect();
    let begun = (Instant::now(), cpu());
    for batch in batches {
        let records = (1..).zip(batch).map(|(seq, meta)| Record {
            seq,
            body: RecordBody::Segment(meta),
        });
        let report = Report {
            records: records.collect(),
            growing: Vec::new(),
            watermarks: Vec::new(),
        };
        services
            .ingest
            .report(agent, report)
            .await
            .expect("an acknowledgement");
    }
    let (wall, busy) = (begun.0.elapsed(), cpu() - begun.1);
    show(
        "records of closed segments, signatures checked",
        format!("{:.0}/s", 1_000.0 / wall.as_secs_f64()),
    );
    show(
        "  processor time each",
        format!("{:.3} ms", busy / 1_000.0 * 1_000.0),
    );
    let begun = (Instant::now(), cpu());
    let growing = (0..CAMERAS).map(|_| {
        let meta = segment(CameraId::new(START), RunId::new(START), 0);
        async move {
            for first in 0..FRAGMENTS {
                let at = first as usize;
                let report = Report {
                    records: Vec::new(),
                    growing: vec![Growth {
                        head: meta.head.clone(),
                        first,
                        fragments: meta.fragments[at..=at].to_vec(),
                    }],
                    watermarks: Vec::new(),
                };
                services
                    .ingest
                    .report(agent, report)
                    .await
                    .expect("no failure");
            }
        }
    });
    futures::future::join_all(growing).await;
    let count = f64::from(FRAGMENTS) * CAMERAS as f64;
    let (wall, busy) = (begun.0.elapsed(), cpu() - begun.1);
    show(
        "news of one fragment each, 100 at once",
        format!("{:.0}/s", count / wall.as_secs_f64()),
    );
    show(
        "  processor time each",
        format!("{:.3} ms", busy / count * 1_000.0),
    );
}

/// One gigabyte in segments of 32 MB, in pieces as QUIC brings them.
async fn uploads(services: &Services, agent: &AgentGrant, directory: &Path) {
    const SEGMENTS: usize = 32;
    let camera = CameraId::new(START);
    let payload: Vec<u8> = (0..FRAGMENT_BYTES)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let hash = Sha256::of(&payload);
    let init = vec![7; 600];
    let mut metas = Vec::new();
    for minute in 0..SEGMENTS {
        let mut meta = segment(camera, RunId::new(START), minute);
        meta.head.init_sha256 = Sha256::of(&init);
        let repeated = meta.fragments.iter_mut();
        repeated.for_each(|fragment| fragment.sha256 = hash);
        metas.push(seal(meta.head, meta.size, meta.fragments));
    }
    let file: Bytes = [init, payload.repeat(FRAGMENTS as usize)].concat().into();
    let records = (1..).zip(&metas).map(|(seq, meta)| Record {
        seq,
        body: RecordBody::Segment(meta.clone()),
    });
    let report = Report {
        records: records.collect(),
        growing: Vec::new(),
        watermarks: Vec::new(),
    };
    services
        .ingest
        .report(agent, report)
        .await
        .expect("an acknowledgement");
    let begun = (Instant::now(), cpu());
    for meta in &metas {
        let offer = UploadOffer {
            segment: meta.head.id,
            size: meta.size,
            root: meta.root,
        };
        let offered = services
            .ingest
            .offer(agent, offer)
            .await
            .expect("an answer");
        let Offered::Want { mut sink, .. } = offered else {
            panic!("{offered:?}");
        };
        for start in (0..file.len()).step_by(64 * 1024) {
            let piece = file.slice(start..file.len().min(start + 64 * 1024));
            assert_eq!(sink.write(piece).await, Written::More);
        }
        assert_eq!(sink.finish().await, UploadResult::Stored);
    }
    let (wall, busy) = (begun.0.elapsed().as_secs_f64(), cpu() - begun.1);
    let gigabytes = (file.len() * SEGMENTS) as f64 / 1e9;
    show(
        "upload, hashed, written and synced",
        format!("{:.0} MB/s", gigabytes * 1_000.0 / wall),
    );
    show("  processor time", format!("{:.2} s/GB", busy / gigabytes));
    let begun = (Instant::now(), cpu());
    for number in 0..SEGMENTS {
        bare(&file, &directory.join(format!("bare-{number}")));
    }
    let (wall, busy) = (begun.0.elapsed().as_secs_f64(), cpu() - begun.1);
    show(
        "the same hashed, written and synced, nothing else",
        format!("{:.0} MB/s", gigabytes * 1_000.0 / wall),
    );
    show("  processor time", format!("{:.2} s/GB", busy / gigabytes));
}

/// What no upload can do without.
fn bare(bytes: &[u8], path: &Path) {
    let mut file = File::create(path).expect("a file");
    for batch in bytes.chunks(512 * 1024) {
        std::hint::black_box(Sha256::of(batch));
        file.write_all(batch).expect("room");
    }
    file.sync_all().expect("a disk");
}

/// A minute of a camera at 4 Mbit/s; signature and hashes are of the right size only.
fn segment(camera: CameraId, run: RunId, minute: usize) -> SegmentMeta {
    let start = START + Duration::from_secs(60 * minute as u64);
    let media = 60 * minute as i64;
    let head = SegmentHead {
        id: SegmentId::new(start),
        camera,
        stream: StreamKind::Main,
        run,
        init_length: 600,
        init_sha256: Sha256::of(b"init"),
        tracks: vec![TrackMeta {
            codec: "avc1.4d401f".to_owned(),
            kind: TrackKind::Video {
                width: 1920,
                height: 1080,
            },
        }],
        wall_uncertainty_us: Some(20_000),
    };
    let fragments: Vec<_> = (0..FRAGMENTS)
        .map(|index| FragmentMeta {
            offset: 600 + u64::from(index) * u64::from(FRAGMENT_BYTES),
            length: FRAGMENT_BYTES,
            media_start: Ticks90k::new((media + i64::from(index)) * 90_000),
            duration: Ticks90k::SECOND,
            wall_start: start + Duration::from_secs(index.into()),
            sync: index % 2 == 0,
            samples: 25,
            sha256: Sha256::from_bytes([index as u8; 32]),
        })
        .collect();
    SegmentMeta {
        head,
        size: fragments.last().map_or(0, FragmentMeta::end_offset),
        fragments,
        root: Sha256::of(b"root"),
        signature: Signature::from_bytes([0; 64]),
    }
}

/// Minute by minute for all cameras, as it happens.
async fn seed(store: &dyn Store, agent: AgentId, cameras: &[CameraId], segments: usize) {
    let runs: Vec<_> = cameras.iter().map(|_| RunId::new(START)).collect();
    let begun = Instant::now();
    for minutes in (0..segments / cameras.len()).collect::<Vec<_>>().chunks(8) {
        let changes = minutes.iter().flat_map(|minute| {
            let each = cameras.iter().zip(&runs);
            each.map(|(camera, run)| Numbered {
                seq: None,
                change: Change::Closed(Box::new(segment(*camera, *run, *minute))),
            })
        });
        let applied = store.apply(agent, changes.collect(), None, START).await;
        assert!(applied.expect("room").foreign.is_empty());
    }
    let rate = segments as f64 / begun.elapsed().as_secs_f64();
    show(
        &format!("{segments} segments entered"),
        format!("{rate:.0}/s"),
    );
}

async fn enrol(services: &Services) -> AgentGrant {
    let key: [u8; 32] = shared::testing::public_key().try_into().expect("32 bytes");
    let grant = services.access.console(Deed::ManageAgents);
    let invite = NewInvite {
        site_name: "bench".to_owned(),
        agent_name: None,
        valid_for: Duration::from_secs(3_600),
    };
    let agents = &services.agents;
    let invited = agents
        .create_invite(&grant, invite)
        .await
        .expect("an invitation");
    let enrolment = agents.begin_enrolment(&invited.secret, key, "bench").await;
    let enrolment = enrolment.expect("a fresh code");
    let (id, certificate) = (enrolment.agent, Sha256::of(&key));
    agents
        .complete_enrolment(enrolment, certificate)
        .await
        .expect("a fresh code");
    agents.admit(id, certificate).await.expect("just enrolled")
}

async fn sign_in(services: &Services) -> Actor {
    let first = services.users.bootstrap().await.expect("a store");
    let first = first.expect("an empty store");
    let signed_in = services
        .access
        .sign_in(&first.login, first.password, Origin::default())
        .await;
    let signed_in = signed_in.expect("the right password").done();
    signed_in.expect("no second factor").actor
}

/// User and system time of this process in seconds.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// No agent is connected.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl EdgeSource for Nobody {
    fn is_connected(&self, _: AgentId) -> bool {
        false
    }

    fn connected_since(&self, _: AgentId) -> Option<WallTime> {
        None
    }

    async fn fetch(&self, _: AgentId, _: SegmentId, _: Range<u64>) -> Result<EdgeBytes, EdgeError> {
        Err(EdgeError::Offline)
    }

    async fn live(
        &self,
        _: AgentId,
        _: CameraId,
        _: StreamKind,
    ) -> Result<EdgePictures, EdgeError> {
        Err(EdgeError::Offline)
    }

    async fn command(&self, _: AgentId, _: Command) -> Result<CommandOutcome, EdgeError> {
        Err(EdgeError::Offline)
    }

    fn disconnect(&self, _: AgentId) {}
}
