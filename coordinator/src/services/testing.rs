//! What the tests of services share: a coordinator over real stores in a directory of its own, that
//! can be stopped and started again, and agents at the other end of a line that can be cut.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use secrecy::SecretString;
use shared::clock::SimulatedClock;
use shared::hash::Sha256;
use shared::id::{AgentId, BootId, CameraId, SegmentId};
use shared::segment::{SegmentMeta, StreamKind};
use shared::testing::{self, Segment as Built};
use shared::time::WallTime;
use shared::wire::control::{CameraInfo, Command, CommandOutcome, Hello};
use shared::wire::segment::{Growth, Record, RecordBody, Report, UploadOffer, UploadResult};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::access::{Actor, CameraGrant};
use super::agents::{AgentGrant, NewInvite};
use super::edge_source::{EdgeBytes, EdgeError, EdgePicture, EdgePictures, EdgeSource};
use super::ingest::{Offered, Written};
use super::{Services, ServicesConfig};
use crate::domain::access::Deed;
use crate::domain::audit::Origin;
use crate::domain::group::RoleCode;
use crate::services::users::Profile;

pub(super) const NOW: WallTime = WallTime::from_secs(1_800_000_000);
pub(super) const PASSWORD: &str = "correct horse battery";

pub(super) struct World {
    pub(super) services: Services,
    pub(super) clock: Arc<SimulatedClock>,
    pub(super) edges: Arc<Edges>,
    pub(super) config: ServicesConfig,
    _directory: TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut ServicesConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = ServicesConfig::new(directory.path());
        config.reserve_bytes = 0;
        change(&mut config);
        Self::start(
            directory,
            config,
            Arc::default(),
            Arc::new(SimulatedClock::new(NOW)),
        )
        .await
    }

    async fn start(
        directory: TempDir,
        config: ServicesConfig,
        edges: Arc<Edges>,
        clock: Arc<SimulatedClock>,
    ) -> Self {
        let services = Services::open(&config, clock.clone(), edges.clone()).await;
        Self {
            services: services.unwrap(),
            clock,
            edges,
            config,
            _directory: directory,
        }
    }

    /// The coordinator ends and starts again over the same files.
    pub(super) async fn restart(self) -> Self {
        let Self {
            services,
            clock,
            edges,
            config,
            _directory,
        } = self;
        drop(services);
        Self::start(_directory, config, edges, clock).await
    }

    /// An agent with the key that signs the segments of [`shared::testing`].
    pub(super) async fn agent(&self) -> AgentGrant {
        self.agent_with(testing::public_key().try_into().unwrap())
            .await
    }

    pub(super) async fn agent_with(&self, key: [u8; 32]) -> AgentGrant {
        let agents = &self.services.agents;
        let grant = self.services.access.console(Deed::ManageAgents);
        let invite = NewInvite {
            site_name: "Depot".to_owned(),
            agent_name: None,
            valid_for: Duration::from_secs(3600),
        };
        let invited = agents.create_invite(&grant, invite).await.unwrap();
        let enrolment = agents
            .begin_enrolment(&invited.secret, key, "depot-1")
            .await
            .unwrap();
        let (id, certificate) = (enrolment.agent, Sha256::of(&key));
        agents
            .complete_enrolment(enrolment, certificate)
            .await
            .unwrap();
        agents.admit(id, certificate).await.unwrap()
    }

    /// The first administrator, signed in.
    pub(super) async fn administrator(&self) -> Actor {
        let first = self.services.users.bootstrap().await.unwrap().unwrap();
        let access = &self.services.access;
        let signed_in = access
            .sign_in(&first.login, first.password, Origin::default())
            .await;
        signed_in.unwrap().done().unwrap().actor
    }

    /// Somebody who may watch the cameras of an agency, signed in.
    pub(super) async fn operator(&self, agency: &str) -> Actor {
        let access = &self.services.access;
        let profile = Profile {
            agency: Some(agency.parse().unwrap()),
            roles: BTreeSet::from([RoleCode::operator()]),
            ..Profile::new(agency, agency.parse().unwrap())
        };
        let grant = access.console(Deed::ManageUsers);
        let password = Some(SecretString::from(PASSWORD));
        let users = &self.services.users;
        users.create(&grant, profile, password).await.unwrap();
        let signed_in = access
            .sign_in(agency, PASSWORD.into(), Origin::default())
            .await;
        signed_in.unwrap().done().unwrap().actor
    }

    pub(super) async fn grant(&self, actor: &Actor, built: &Built, deed: Deed) -> CameraGrant {
        let camera = built.meta.head.camera;
        let grant = self.services.access.camera(actor, camera, deed).await;
        grant.unwrap()
    }

    /// Reports segments as closed.
    pub(super) async fn report(&self, agent: &AgentGrant, segments: &[&Built]) {
        let records = segments.iter().map(|built| record_of(&built.meta));
        self.report_records(agent, records.collect()).await;
    }

    pub(super) async fn report_records(&self, agent: &AgentGrant, records: Vec<RecordBody>) {
        let last = records.len() as u64;
        let report = Report {
            records: (1..)
                .zip(records)
                .map(|(seq, body)| Record { seq, body })
                .collect(),
            growing: Vec::new(),
            watermarks: Vec::new(),
        };
        let ack = self.services.ingest.report(agent, report).await.unwrap();
        assert_eq!(ack.unwrap().through, last);
    }

    /// Tells of fragments of a segment that is still being written.
    pub(super) async fn grow(&self, agent: &AgentGrant, built: &Built, fragments: Range<usize>) {
        let report = Report {
            records: Vec::new(),
            growing: vec![Growth {
                head: built.meta.head.clone(),
                first: u32::try_from(fragments.start).unwrap(),
                fragments: built.meta.fragments[fragments].to_vec(),
            }],
            watermarks: Vec::new(),
        };
        let ack = self.services.ingest.report(agent, report).await.unwrap();
        assert_eq!(ack, None);
    }

    pub(super) async fn offer(&self, agent: &AgentGrant, built: &Built) -> Offered {
        let offer = offer_of(&built.meta);
        self.services.ingest.offer(agent, offer).await.unwrap()
    }

    /// Uploads until it is stored, as an agent does that is told to come later.
    pub(super) async fn upload(&self, agent: &AgentGrant, built: &Built) {
        for _ in 0..100 {
            match self.offer(agent, built).await {
                Offered::Have => return,
                Offered::Later { after_ms } => {
                    self.clock.advance(Duration::from_millis(after_ms.into()));
                    tokio::task::yield_now().await;
                }
                Offered::Refused { message } => panic!("{message}"),
                Offered::Want { from, mut sink } => {
                    let rest = built.bytes.slice(usize::try_from(from).unwrap()..);
                    assert_eq!(sink.write(rest).await, Written::More);
                    assert_eq!(sink.finish().await, UploadResult::Stored);
                    return;
                }
            }
        }
        panic!("an upload was put off a hundred times");
    }

    pub(super) fn object_file(&self, path: &str) -> std::path::PathBuf {
        self.config.data_dir.join("objects").join(path)
    }
}

pub(super) fn record_of(meta: &SegmentMeta) -> RecordBody {
    RecordBody::Segment(meta.clone())
}

/// The first message of an agent that has these cameras.
pub(super) fn hello_of(agent: &AgentGrant, cameras: &[(CameraId, &str)]) -> Hello {
    let cameras = cameras.iter().map(|(id, name)| CameraInfo {
        id: *id,
        name: (*name).to_owned(),
        streams: vec![StreamKind::Main],
        recording: true,
        since: NOW,
    });
    Hello {
        protocol_min: 1,
        protocol_max: 1,
        agent: agent.id(),
        boot: BootId::new(NOW),
        version: "0.1.0".into(),
        host: "Debian 12".into(),
        time_zone: None,
        now: NOW,
        cameras: cameras.collect(),
        audit_head: None,
    }
}

pub(super) const fn offer_of(meta: &SegmentMeta) -> UploadOffer {
    UploadOffer {
        segment: meta.head.id,
        size: meta.size,
        root: meta.root,
    }
}

/// Runs a future until it has been polled `polls` times, then drops it where it is, as the end of a
/// process does.
pub(super) async fn cut_short<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Waits, for a bounded time, until something is so.
pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(waited.is_ok(), "waited for 30 s until {what}");
}

/// Agents that have segments and deliver what is asked for.
#[derive(Debug, Default)]
pub(super) struct Edges {
    state: Mutex<State>,
    /// Wakes fetches that were held.
    released: Notify,
    /// There is a new pull.
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    connected: HashSet<AgentId>,
    segments: HashMap<SegmentId, Bytes>,
    fetched: Vec<(SegmentId, Range<u64>)>,
    commands: Vec<Command>,
    disconnected: Vec<AgentId>,
    held: bool,
    /// Bytes after which a transfer breaks off.
    breaks_after: Option<usize>,
    pulls: Vec<Pull>,
}

/// A stream that the coordinator pulls.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) camera: CameraId,
    pub(super) stream: StreamKind,
    /// Closed when the coordinator wants no more.
    pub(super) pictures: UnboundedSender<EdgePicture>,
}

impl Edges {
    pub(super) fn connect(&self, agent: AgentId) {
        self.state().connected.insert(agent);
    }

    pub(super) fn cut(&self, agent: AgentId) {
        self.state().connected.remove(&agent);
    }

    pub(super) fn has(&self, id: SegmentId, bytes: Bytes) {
        self.state().segments.insert(id, bytes);
    }

    pub(super) fn fetched(&self) -> Vec<(SegmentId, Range<u64>)> {
        self.state().fetched.clone()
    }

    pub(super) fn commands(&self) -> Vec<Command> {
        self.state().commands.clone()
    }

    pub(super) fn disconnected(&self) -> Vec<AgentId> {
        self.state().disconnected.clone()
    }

    pub(super) fn break_after(&self, bytes: Option<usize>) {
        self.state().breaks_after = bytes;
    }

    /// Waits for the next pull.
    pub(super) async fn pulled(&self) -> Pull {
        loop {
            let news = self.news.notified();
            if let Some(pull) = self.state().pulls.pop() {
                return pull;
            }
            news.await;
        }
    }

    /// Fetches wait until [`Edges::release`].
    pub(super) fn hold(&self) {
        self.state().held = true;
    }

    pub(super) fn release(&self) {
        self.state().held = false;
        self.released.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl EdgeSource for Edges {
    fn is_connected(&self, agent: AgentId) -> bool {
        self.state().connected.contains(&agent)
    }

    fn connected_since(&self, agent: AgentId) -> Option<WallTime> {
        self.is_connected(agent).then_some(NOW)
    }

    async fn fetch(
        &self,
        agent: AgentId,
        segment: SegmentId,
        range: Range<u64>,
    ) -> Result<EdgeBytes, EdgeError> {
        let bytes = {
            let mut state = self.state();
            state.fetched.push((segment, range.clone()));
            if !state.connected.contains(&agent) {
                return Err(EdgeError::Offline);
            }
            let bytes = state.segments.get(&segment).cloned();
            bytes.ok_or_else(|| EdgeError::NotFound {
                message: "never heard of it".to_owned(),
            })?
        };
        loop {
            let released = self.released.notified();
            if !self.state().held {
                break;
            }
            released.await;
        }
        let wanted = bytes.slice(range.start as usize..range.end as usize);
        let breaks_after = self.state().breaks_after.unwrap_or(wanted.len());
        let broken = breaks_after < wanted.len();
        let pieces: Vec<_> = wanted[..breaks_after.min(wanted.len())]
            .chunks(700)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .chain(broken.then_some(Err(EdgeError::Offline)))
            .collect();
        Ok(stream::iter(pieces).boxed())
    }

    async fn live(
        &self,
        agent: AgentId,
        camera: CameraId,
        stream: StreamKind,
    ) -> Result<EdgePictures, EdgeError> {
        if !self.is_connected(agent) {
            return Err(EdgeError::Offline);
        }
        let (pictures, coming) = unbounded_channel();
        self.state().pulls.push(Pull {
            camera,
            stream,
            pictures,
        });
        self.news.notify_one();
        let coming = stream::unfold(coming, async |mut coming| {
            let next = coming.recv().await?;
            Some((next, coming))
        });
        Ok(coming.boxed())
    }

    async fn command(&self, agent: AgentId, command: Command) -> Result<CommandOutcome, EdgeError> {
        if !self.is_connected(agent) {
            return Err(EdgeError::Offline);
        }
        self.state().commands.push(command);
        Ok(CommandOutcome::Done {
            report: Some(serde_json::json!({ "codec": "h264" })),
        })
    }

    fn disconnect(&self, agent: AgentId) {
        let mut state = self.state();
        state.connected.remove(&agent);
        state.disconnected.push(agent);
    }
}
