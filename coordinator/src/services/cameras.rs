//! Cameras and sites: seeing them, changing them, telling their agents.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use shared::clock::Clock;
use shared::id::{AgentId, CommandId, SiteId};
use shared::segment::StreamKind;
use shared::wire::control::{Action, Command, CommandOutcome};
use tracing::Instrument as _;

use super::access::{AccessError, Actor, CameraGrant};
use super::edge_source::EdgeError;
use super::{EdgeSource, Parts};
use crate::domain::access::{Decision, Deed, Object};
use crate::domain::agent::AgentStatus;
use crate::domain::audit::What;
use crate::domain::camera::{Camera, CameraChange, CameraChangeError};
use crate::domain::health::{self, Health};
use crate::stores::{CameraChanged, Store, StoreError};

#[derive(Debug)]
pub struct Cameras {
    store: Arc<dyn Store>,
    edges: Arc<dyn EdgeSource>,
    clock: Arc<dyn Clock>,
}

/// A camera with how it is doing at the moment of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraView {
    pub camera: Camera,
    pub health: Health,
}

/// A site with what the actor may see of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteView {
    pub id: SiteId,
    pub name: String,
    pub agents: u32,
    pub cameras: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Change(#[from] CameraChangeError),
    #[error(transparent)]
    Edge(#[from] EdgeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Cameras {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            edges: Arc::clone(&parts.edges),
            clock: Arc::clone(&parts.clock),
        }
    }

    /// Those the actor may see, by site, title and id.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<CameraView>, CameraError> {
        let statuses = self.statuses().await?;
        let cameras = self.visible(actor).await?;
        Ok(cameras
            .into_iter()
            .map(|camera| self.view(camera, &statuses))
            .collect())
    }

    /// All of them, whoever may see them.
    pub(super) async fn all(&self) -> Result<Vec<CameraView>, StoreError> {
        let statuses = self.statuses().await?;
        let cameras = self.store.cameras().await?;
        let views = cameras
            .into_iter()
            .map(|camera| self.view(camera, &statuses));
        Ok(views.collect())
    }

    /// # Errors
    /// The store failed.
    pub async fn get(&self, grant: &CameraGrant) -> Result<CameraView, CameraError> {
        let camera = grant.for_deed(Deed::ViewCamera)?.clone();
        let agent = self.store.agent(camera.agent).await?;
        let status = agent.and_then(|agent| Some((agent.id, agent.status?)));
        Ok(self.view(camera, &status.into_iter().collect()))
    }

    /// Changes a camera and tells its agent at once, or when it next connects.
    ///
    /// # Errors
    /// A value is not allowed.
    pub async fn change(
        &self,
        grant: &CameraGrant,
        change: CameraChange,
    ) -> Result<CameraView, CameraError> {
        let camera = grant.for_deed(Deed::ConfigureCamera)?;
        change.check()?;
        let now = self.clock.wall();
        let entry = grant.entry(now, What::CameraChanged).with(details(&change));
        let id = CommandId::new(now);
        let changed = self
            .store
            .change_camera(camera.id, change, id, now, entry)
            .await?;
        let (camera, command) = match changed {
            CameraChanged::Yes(camera, command) => (*camera, command),
            CameraChanged::NoCamera => return Err(AccessError::Hidden.into()),
            CameraChanged::NoAgency(code) => {
                return Err(CameraChangeError::UnknownAgency { code }.into());
            }
        };
        if let Some(command) = command {
            self.deliver(camera.agent, command);
        }
        let agent = self.store.agent(camera.agent).await?;
        let status = agent.and_then(|agent| Some((agent.id, agent.status?)));
        Ok(self.view(camera, &status.into_iter().collect()))
    }

    /// Has the agent end its session with the camera and begin anew.
    ///
    /// # Errors
    /// The agent is not connected or failed.
    pub async fn restart(&self, grant: &CameraGrant) -> Result<(), CameraError> {
        let camera = grant.for_deed(Deed::RestartCamera)?;
        let action = Action::RestartCamera { camera: camera.id };
        self.order(grant, What::CameraRestarted, action).await?;
        Ok(())
    }

    /// Has the agent measure the camera, which takes up to 20 seconds.
    ///
    /// # Errors
    /// The agent is not connected or failed.
    pub async fn probe(
        &self,
        grant: &CameraGrant,
        stream: StreamKind,
    ) -> Result<Value, CameraError> {
        let camera = grant.for_deed(Deed::ProbeCamera)?;
        let action = Action::Probe {
            camera: camera.id,
            stream,
        };
        let report = self.order(grant, What::CameraProbed, action).await?;
        Ok(report.unwrap_or(Value::Null))
    }

    /// Those of which the actor may see something, by name.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sites(&self, actor: &Actor) -> Result<Vec<SiteView>, CameraError> {
        let everything = actor.decide(Deed::ViewAgents, Object::System) == Decision::Allowed;
        let mut counts: BTreeMap<SiteId, u32> = BTreeMap::new();
        for camera in self.visible(actor).await? {
            *counts.entry(camera.site).or_default() += 1;
        }
        let sites = self.store.sites().await?;
        Ok(sites
            .into_iter()
            .filter(|(site, _)| everything || counts.contains_key(&site.id))
            .map(|(site, agents)| SiteView {
                id: site.id,
                name: site.name,
                agents,
                cameras: counts.get(&site.id).copied().unwrap_or(0),
            })
            .collect())
    }

    async fn visible(&self, actor: &Actor) -> Result<Vec<Camera>, StoreError> {
        let mut cameras = self.store.cameras().await?;
        cameras
            .retain(|camera| actor.decide(Deed::ViewCamera, camera.object()) == Decision::Allowed);
        Ok(cameras)
    }

    async fn statuses(&self) -> Result<BTreeMap<AgentId, AgentStatus>, StoreError> {
        let agents = self.store.agents().await?;
        Ok(agents
            .into_iter()
            .filter_map(|agent| Some((agent.id, agent.status?)))
            .collect())
    }

    fn view(&self, camera: Camera, statuses: &BTreeMap<AgentId, AgentStatus>) -> CameraView {
        let connected = self.edges.is_connected(camera.agent);
        let status = statuses.get(&camera.agent);
        let health = health::of_camera(camera.id, connected, status, self.clock.wall());
        CameraView { camera, health }
    }

    /// Hands a kept command over in the background; if that fails it is handed over when the agent
    /// next greets.
    fn deliver(&self, agent: AgentId, command: Command) {
        if !self.edges.is_connected(agent) {
            return;
        }
        let (edges, store, clock) = (
            Arc::clone(&self.edges),
            Arc::clone(&self.store),
            Arc::clone(&self.clock),
        );
        let handing_over = async move {
            let id = command.id;
            match edges.command(agent, command).await {
                Ok(outcome) => {
                    let saved = store.finish_command(agent, id, outcome, clock.wall()).await;
                    if let Err(error) = saved {
                        tracing::error!(agent.id = %agent, %error, "could not save the outcome of a command");
                    }
                }
                Err(error) => {
                    tracing::info!(agent.id = %agent, %error, "settings wait for the agent");
                }
            }
        };
        tokio::spawn(handing_over.in_current_span());
    }

    async fn order(
        &self,
        grant: &CameraGrant,
        what: What,
        action: Action,
    ) -> Result<Option<Value>, CameraError> {
        let camera = grant.camera();
        let now = self.clock.wall();
        let entry = grant.entry(now, what);
        self.store.audit(vec![entry]).await?;
        let command = Command {
            id: CommandId::new(now),
            action,
        };
        match self.edges.command(camera.agent, command).await? {
            CommandOutcome::Done { report } => Ok(report),
            CommandOutcome::Failed { message } => Err(EdgeError::Failed { message }.into()),
            CommandOutcome::Unsupported => Err(EdgeError::Unsupported.into()),
        }
    }
}

fn details(change: &CameraChange) -> Value {
    json!({
        "agency": change.agency,
        "display_name": change.display_name,
        "recording": change.recording,
        "upload": change.upload,
        "retention_hours": change.retention_hours,
    })
}

#[cfg(test)]
mod tests {
    use shared::testing::SegmentBuilder;
    use shared::wire::control::RecordingMode;

    use super::super::testing::{NOW, World, hello_of, until};
    use super::*;

    fn off() -> CameraChange {
        CameraChange {
            recording: Some(RecordingMode::Off),
            ..CameraChange::default()
        }
    }

    #[tokio::test]
    async fn settings_wait_for_an_agent_that_is_away() {
        let world = World::new().await;
        let agent = world.agent().await;
        let built = SegmentBuilder::new(NOW).build();
        world.report(&agent, &[&built]).await;
        let actor = world.administrator().await;
        let grant = world.grant(&actor, &built, Deed::ConfigureCamera).await;
        let view = world.services.cameras.change(&grant, off()).await.unwrap();
        assert_eq!(view.camera.settings.recording, Some(RecordingMode::Off));
        assert_eq!(view.health.state, health::HealthState::Offline);
        assert!(world.edges.commands().is_empty());
        let hello = hello_of(&agent, &[(built.meta.head.camera, "gate")]);
        let ingest = &world.services.ingest;
        let command = ingest.hello(&agent, &hello).await.unwrap().unwrap();
        assert!(matches!(
            command.action,
            Action::Configure { revision: 1, .. }
        ));
        // Not answered yet: told again under the same id.
        let again = ingest.hello(&agent, &hello).await.unwrap().unwrap();
        assert_eq!(again, command);
        let done = CommandOutcome::Done { report: None };
        ingest
            .command_result(&agent, command.id, done)
            .await
            .unwrap();
        assert_eq!(ingest.hello(&agent, &hello).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_agent_that_is_there_is_told_at_once() {
        let world = World::new().await;
        let agent = world.agent().await;
        let built = SegmentBuilder::new(NOW).build();
        world.report(&agent, &[&built]).await;
        world.edges.connect(agent.id());
        let actor = world.administrator().await;
        let grant = world.grant(&actor, &built, Deed::ConfigureCamera).await;
        world.services.cameras.change(&grant, off()).await.unwrap();
        let store = &world.services.cameras.store;
        until("the agent is told", || world.edges.commands().len() == 1).await;
        let answered =
            async { while store.pending_command(agent.id()).await.unwrap().is_some() {} };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(30), answered).await;
        assert!(waited.is_ok(), "the outcome was not noted");
        let nobody = CameraChange {
            agency: Some("NOBODY".parse().unwrap()),
            ..CameraChange::default()
        };
        let refused = world
            .services
            .cameras
            .change(&grant, nobody)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("NOBODY"), "{refused}");
    }

    #[tokio::test]
    async fn orders_reach_the_agent_or_say_why_not() {
        let world = World::new().await;
        let agent = world.agent().await;
        let built = SegmentBuilder::new(NOW).build();
        world.report(&agent, &[&built]).await;
        let actor = world.administrator().await;
        let cameras = &world.services.cameras;
        let restart = world.grant(&actor, &built, Deed::RestartCamera).await;
        let offline = cameras.restart(&restart).await.unwrap_err();
        assert!(matches!(offline, CameraError::Edge(EdgeError::Offline)));
        world.edges.connect(agent.id());
        cameras.restart(&restart).await.unwrap();
        let probe = world.grant(&actor, &built, Deed::ProbeCamera).await;
        let report = cameras.probe(&probe, StreamKind::Main).await.unwrap();
        assert_eq!(report["codec"], "h264");
        assert_eq!(world.edges.commands().len(), 2);
    }
}
