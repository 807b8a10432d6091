//! What a command at the host's console uses, beside a coordinator that may be running.
//!
//! The catalogue is shared: SQLite keeps the changes of several processes apart. Everything else is
//! the running coordinator's alone, so nothing here opens objects, migrates, settles what a crash
//! interrupted, or creates a file: what looks half done may be what the coordinator is doing.

use std::path::Path;
use std::sync::Arc;

use shared::clock::Clock;

use super::audit::notes::Notes;
use super::credentials::{Credentials, Passwords};
use super::outside::Outside;
use super::tokens::{TokenNames, Tokens};
use super::users::UserError;
use super::{Access, Agents, Audit, EdgeSource, OpenError, Parts, Users, in_store};
use crate::stores::sqlite;

/// The services that need the catalogue and nothing else.
#[derive(Debug)]
pub struct ConsoleServices {
    pub access: Access,
    pub agents: Agents,
    pub audit: Audit,
    pub users: Users,
    pub tokens: Arc<Tokens>,
}

impl ConsoleServices {
    /// # Errors
    /// There is no catalogue in `data_dir`, or its schema is not this program's.
    pub async fn open(
        data_dir: &Path,
        clock: Arc<dyn Clock>,
        edges: Arc<dyn EdgeSource>,
    ) -> Result<Self, OpenError> {
        let store = sqlite::open_existing(data_dir)
            .await
            .map_err(in_store(data_dir))?;
        let figures = Arc::default();
        let parts = Parts {
            store,
            edges,
            clock,
            notes: Arc::new(Notes::new(Arc::clone(&figures))),
            figures,
        };
        let passwords = Arc::new(Passwords::new().map_err(UserError::from)?);
        let credentials = Arc::new(Credentials::new(&parts, Arc::clone(&passwords)));
        // Its names matter to what is signed; nothing is signed here.
        let tokens = Arc::new(Tokens::new(&parts, TokenNames::default())?);
        // Nobody comes in here.
        let outside = Arc::new(Outside::nobody(&parts));
        Ok(Self {
            access: Access::new(
                &parts,
                Arc::clone(&credentials),
                Arc::clone(&tokens),
                outside,
            ),
            agents: Agents::new(&parts),
            audit: Audit::new(&parts),
            users: Users::new(&parts, credentials, passwords),
            tokens,
        })
    }
}

#[cfg(test)]
mod tests {
    use shared::testing::SegmentBuilder;

    use super::super::ingest::{Offered, Written};
    use super::super::testing::{NOW, World};
    use super::*;
    use crate::domain::access::Deed;
    use crate::domain::agency::AgencyCode;
    use crate::domain::segment::object_path;
    use crate::services::agents::NewInvite;

    #[tokio::test]
    async fn a_command_leaves_an_upload_under_way_and_its_object_alone() {
        let world = World::new().await;
        let agent = world.agent().await;
        let built = SegmentBuilder::new(NOW).build();
        world.report(&agent, &[&built]).await;
        let Offered::Want { mut sink, .. } = world.offer(&agent, &built).await else {
            panic!("the segment is not wanted");
        };
        // What a start would take for left by a crash, and remove: an object without its row that
        // has not the bytes of its index.
        let path = object_path(
            &AgencyCode::other(),
            built.meta.head.camera,
            built.meta.head.id,
            NOW,
        );
        let object = world.object_file(&path);
        std::fs::create_dir_all(object.parent().unwrap()).unwrap();
        std::fs::write(&object, vec![0; built.bytes.len()]).unwrap();
        let edges = world.edges.clone();
        let console = ConsoleServices::open(&world.config.data_dir, world.clock.clone(), edges)
            .await
            .unwrap();
        let invite = NewInvite {
            site_name: "Depot".to_owned(),
            agent_name: None,
            valid_for: std::time::Duration::from_secs(3600),
        };
        let grant = console.access.console(Deed::ManageAgents);
        console.agents.create_invite(&grant, invite).await.unwrap();
        drop(console);
        assert!(object.exists(), "a command has settled");
        assert_eq!(sink.write(built.bytes.clone()).await, Written::More);
        assert_eq!(
            sink.finish().await,
            shared::wire::segment::UploadResult::Stored
        );
        let grant = world.services.access.console(Deed::ManageAgents);
        let invites = world.services.agents.invites(&grant).await.unwrap();
        assert_eq!(invites.len(), 2);
    }

    #[tokio::test]
    async fn a_command_needs_no_object_store_and_leaves_no_file() {
        let world = World::new().await;
        world.administrator().await;
        let directory = world.config.data_dir.clone();
        let (clock, edges) = (world.clock.clone(), world.edges.clone());
        std::fs::remove_dir_all(directory.join("objects")).unwrap();
        let list = || {
            let mut names: Vec<_> = std::fs::read_dir(&directory)
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            names.sort();
            names
        };
        let before = list();
        let console = ConsoleServices::open(&directory, clock, edges).await;
        let console = console.unwrap();
        let grant = console.access.console(Deed::ManageUsers);
        assert_eq!(
            console
                .users
                .by_login(&grant, "admin")
                .await
                .unwrap()
                .login
                .as_str(),
            "admin"
        );
        drop(console);
        assert_eq!(list(), before);
    }
}
