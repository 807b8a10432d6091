//! Use cases: the only layer that combines stores, and the only one that edges call.
//!
//! A function here takes a grant, never a bare id: [`Access`] turns a session into an [`Actor`] and
//! an actor with an id into a grant, [`Agents`] turns a certificate into an [`AgentGrant`]. No type
//! of a protocol (axum, quinn, webrtc) appears in a signature; errors are values that the edges
//! translate.
//!
//! [`Actor`]: access::Actor
//! [`AgentGrant`]: agents::AgentGrant

pub mod access;
pub mod agents;
pub mod audit;
pub mod cameras;
mod console;
pub mod credentials;
pub mod edge_source;
pub mod events;
pub mod figures;
pub mod iam_events;
pub mod ingest;
mod instance;
pub mod limits;
pub mod live;
pub mod live_hub;
pub mod outside;
pub mod playback;
pub mod quotas;
pub mod storage;
#[cfg(test)]
mod testing;
pub mod timeline;
pub mod tokens;
pub mod users;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use shared::clock::Clock;
use tokio_util::sync::CancellationToken;

pub use access::Access;
pub use agents::Agents;
pub use audit::Audit;
pub use cameras::Cameras;
pub use console::ConsoleServices;
pub use credentials::Credentials;
pub use edge_source::EdgeSource;
pub use events::Events;
pub use figures::Figures;
pub use iam_events::IamEvents;
pub use ingest::Ingest;
pub use live::Live;
pub use outside::Outside;
pub use playback::Playbacks;
pub use quotas::{QuotaSettings, Quotas};
pub use storage::Storage;
pub use timeline::Timelines;
pub use tokens::{TokenNames, Tokens};
pub use users::Users;

use crate::config;
use crate::domain::iam_event::Webhook;
use crate::stores::objects::{self, ObjectError};
use crate::stores::{Store, StoreError, sqlite};
use audit::notes::Notes;
use instance::Instance;

/// Settings of the services. Every one has a default except where the data is.
#[derive(Clone, Debug)]
pub struct ServicesConfig {
    /// Holds `coordinator.sqlite` and `objects/`.
    pub data_dir: PathBuf,
    /// Uploads at once from one agent; more are told to come later.
    pub uploads_per_agent: usize,
    /// And from all agents together.
    pub uploads_total: usize,
    /// Uploads are put off while less than this is free.
    pub reserve_bytes: u64,
    /// How much footage pulled from the edge is kept in memory for others who ask for the same.
    pub edge_cache_bytes: usize,
    /// How long a pull from the edge may bring nothing.
    pub edge_timeout: Duration,
    pub tokens: TokenNames,
    /// For events of the authority's identity management; none come without it.
    pub webhook: Option<Webhook>,
    /// Who else vouches for people.
    pub identity: config::Identity,
    pub quotas: QuotaSettings,
}

impl ServicesConfig {
    /// The defaults, with the data in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            uploads_per_agent: 8,
            uploads_total: 128,
            reserve_bytes: 2 << 30,
            edge_cache_bytes: 256 << 20,
            edge_timeout: Duration::from_secs(10),
            tokens: TokenNames::default(),
            webhook: None,
            identity: config::Identity::default(),
            quotas: QuotaSettings::default(),
        }
    }
}

/// All services of one coordinator.
#[derive(Debug)]
pub struct Services {
    pub access: Access,
    pub agents: Agents,
    pub audit: Audit,
    pub cameras: Cameras,
    pub ingest: Ingest,
    pub live: Live,
    pub playback: Playbacks,
    pub storage: Storage,
    pub timeline: Timelines,
    pub tokens: Arc<Tokens>,
    pub users: Arc<Users>,
    pub iam_events: IamEvents,
    pub credentials: Arc<Credentials>,
    pub outside: Arc<Outside>,
    pub quotas: Arc<Quotas>,
    pub events: Arc<Events>,
    /// Counters for the metrics page.
    pub figures: Arc<Figures>,
    /// That no other process serves the same directory; as long as these services live.
    _instance: Instance,
}

/// Why the services could not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("could not open the database in {directory}")]
    Store {
        directory: PathBuf,
        source: StoreError,
    },
    #[error(
        "another coordinator is running on {directory}; stop it first, or give this one a data directory of its own"
    )]
    Running { directory: PathBuf },
    #[error("could not read or write the identity of this coordinator in {path}")]
    Instance {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("could not settle what a crash has interrupted")]
    Settle(#[from] storage::StorageError),
    #[error(transparent)]
    Users(#[from] users::UserError),
    #[error("could not use `[identity]` of the settings")]
    Outside(#[from] outside::OutsideSetupError),
    #[error("could not prepare the keys of access tokens")]
    Tokens(#[from] tokens::TokenError),
    #[error("could not open the object store in {directory}")]
    Objects {
        directory: PathBuf,
        source: ObjectError,
    },
}

/// What every service is made of.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) edges: Arc<dyn EdgeSource>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) figures: Arc<Figures>,
    pub(in crate::services) notes: Arc<Notes>,
}

impl Services {
    /// Opens database and object store, settles what a crash has left half done, and makes the
    /// services. Nothing runs in the background until [`Services::run`].
    ///
    /// For the coordinator alone: commands beside it open [`ConsoleServices`].
    ///
    /// # Errors
    /// Another coordinator has the directory, or database or object store cannot be opened.
    pub async fn open(
        config: &ServicesConfig,
        clock: Arc<dyn Clock>,
        edges: Arc<dyn EdgeSource>,
    ) -> Result<Self, OpenError> {
        let directory = &config.data_dir;
        // Before anything that another coordinator would notice.
        let instance = Instance::take(directory)?;
        let store = sqlite::open(directory).await.map_err(in_store(directory))?;
        let objects = objects::filesystem::open(&directory.join("objects"))
            .await
            .map_err(|source| OpenError::Objects {
                directory: directory.clone(),
                source,
            })?;
        let figures: Arc<Figures> = Arc::default();
        let parts = Parts {
            store,
            edges,
            clock,
            notes: Arc::new(Notes::new(Arc::clone(&figures))),
            figures,
        };
        let passwords = Arc::new(credentials::Passwords::new().map_err(users::UserError::from)?);
        let credentials = Arc::new(Credentials::new(&parts, Arc::clone(&passwords)));
        let tokens = Arc::new(Tokens::new(&parts, config.tokens.clone())?);
        tokens.rotate_when_due().await?;
        let outside = Arc::new(Outside::open(&config.identity, &parts).await?);
        let access = Access::new(
            &parts,
            Arc::clone(&credentials),
            Arc::clone(&tokens),
            Arc::clone(&outside),
        );
        let storage = Storage::new(&parts, Arc::clone(&objects));
        storage.settle().await?;
        let users = Arc::new(Users::new(&parts, Arc::clone(&credentials), passwords));
        let events: Arc<Events> = Arc::default();
        let quotas = Quotas::open(&parts, config.quotas.clone(), Arc::clone(&events))
            .await
            .map_err(in_store(directory))?;
        let quotas = Arc::new(quotas);
        Ok(Self {
            agents: Agents::new(&parts),
            audit: Audit::new(&parts),
            cameras: Cameras::new(&parts),
            ingest: Ingest::new(&parts, Arc::clone(&objects), config, instance.owner()),
            playback: Playbacks::new(&parts, objects, config, access.clone())
                .await
                .map_err(in_store(directory))?,
            iam_events: IamEvents::new(
                &parts,
                config.webhook.clone(),
                access.clone(),
                Arc::clone(&users),
            ),
            access,
            storage,
            timeline: Timelines::new(&parts),
            users,
            credentials,
            outside,
            live: Live::new(&parts, Arc::clone(&quotas)),
            quotas,
            events,
            tokens,
            figures: parts.figures,
            _instance: instance,
        })
    }

    /// Housekeeping until `stop`: ends what has expired, and compares catalogue and objects at the
    /// start and once a day. Run it as a task beside the edges.
    pub async fn run(&self, stop: CancellationToken) {
        let housekeeping = async {
            for hour in 0_u64.. {
                if hour % 24 == 0
                    && let Err(error) = self.storage.reconcile().await
                {
                    tracing::error!(%error, "catalogue and objects could not be compared");
                }
                if let Err(error) = self.tokens.rotate_when_due().await {
                    tracing::error!(%error, "the keys of access tokens could not be renewed");
                }
                if let Err(error) = self.access.purge().await {
                    tracing::error!(%error, "what has expired could not be removed");
                }
                tokio::time::sleep(Duration::from_secs(3600)).await;
            }
        };
        let all = futures::future::join5(
            housekeeping,
            self.audit.follow(),
            self.access.follow(),
            self.tokens.follow(),
            futures::future::join(
                self.quotas.run(stop.clone()),
                events::cameras::follow(&self.events, &self.cameras),
            ),
        );
        stop.run_until_cancelled(all).await;
        self.audit.finish().await;
    }

    /// Whether the database answers and objects can be written; for the readiness page.
    ///
    /// # Errors
    /// The first of them that does not.
    pub async fn check_ready(&self) -> Result<(), storage::StorageError> {
        self.storage.check().await
    }
}

fn in_store(directory: &Path) -> impl FnOnce(StoreError) -> OpenError {
    let directory = directory.to_owned();
    |source| OpenError::Store { directory, source }
}
