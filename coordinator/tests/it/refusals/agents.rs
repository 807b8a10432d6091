//! The same for what agents and the coordinator say to each other over QUIC: whoever is not who they
//! say, was revoked, or speaks of what is another's.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use quinn::{Connection, ConnectionError};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use reqwest::Method;
use serde_json::json;
use shared::clock::{Clock as _, SystemClock};
use shared::segment::SegmentMeta;
use shared::testing::{Segment, SegmentBuilder};
use shared::wire::control::{CameraInfo, CommandOutcome, Hello};
use shared::wire::segment::UploadAnswer;
use shared::wire::{ALPN, CloseCode};
use tokio::time::timeout;

use crate::peer::{Peer, Work, camera, dial, endpoint};
use crate::world::{Browser, LIMIT, World, until};

/// Everybody who connects, in the order of the columns.
const COLUMNS: [&str; 6] = [
    "no certificate",
    "own certificate",
    "another's id",
    "revoked",
    "another agent",
    "right",
];

/// A camera whose agent is revoked, one with its agent, and another agent.
struct Scene {
    world: World,
    admin: Browser,
    gate: CameraInfo,
    segment: Segment,
    right: Peer,
    other: Peer,
    revoked: Peer,
}

impl Scene {
    async fn make() -> Self {
        let world = World::start().await;
        let admin = world.admin().await;
        let gate = camera("gate", SystemClock::new().wall() - Duration::from_secs(60));
        let right = Peer::enrolled(&world, "Depot").await;
        let revoked = Peer::enrolled(&world, "Airport").await;
        // The camera is known as its agent's.
        drop(right.connect(&world, std::slice::from_ref(&gate)).await);
        let path = format!("/api/v1/agents/{}/revoke", revoked.id);
        let answer = admin.post(&path, &json!({})).await;
        assert!(answer.status.is_success(), "{:?}", answer.body);
        let mut builder = SegmentBuilder::new(gate.since);
        builder.camera = gate.id;
        Self {
            other: Peer::enrolled(&world, "Harbour").await,
            segment: builder.build(),
            right,
            revoked,
            gate,
            admin,
            world,
        }
    }

    async fn connect(&self, who: &str) -> Result<Work, String> {
        let stranger = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let own = CertificateParams::new(vec!["agent".to_owned()]).unwrap();
        let own = own.self_signed(&stranger).unwrap().der().clone();
        let (peer, identity) = match who {
            "no certificate" => (&self.right, None),
            "own certificate" => (&self.right, Some((vec![own], &stranger))),
            "revoked" => (
                &self.revoked,
                Some((self.revoked.chain.clone(), &self.revoked.key)),
            ),
            "right" => (
                &self.right,
                Some((self.right.chain.clone(), &self.right.key)),
            ),
            _ => (
                &self.other,
                Some((self.other.chain.clone(), &self.other.key)),
            ),
        };
        let claimed = if who == "another's id" {
            &self.right
        } else {
            peer
        };
        let hello = claimed.hello(std::slice::from_ref(&self.gate));
        let authority = &self.right.authority;
        let address = self.world.agents;
        match dial(&endpoint(), address, authority, ALPN, identity).await {
            Ok(connection) => greet(connection, hello).await,
            Err(_) => Err("handshake".to_owned()),
        }
    }

    /// Whether the camera's recording is known, as an administrator sees it.
    async fn is_known(&self, meta: &SegmentMeta) -> bool {
        let range = meta.wall_range().unwrap();
        let (from, to) = (range.start().to_rfc3339(), range.end().to_rfc3339());
        let path = format!(
            "/api/v1/cameras/{}/timeline?from={from}&to={to}",
            self.gate.id
        );
        let timeline = self.admin.get(&path).await.body;
        let spans = timeline["spans"].as_array().unwrap();
        spans.iter().any(|span| span["state"] == "recorded")
    }

    /// A restart asked for by an administrator, as it comes to this connection.
    async fn command(&self, work: &mut Work) -> &'static str {
        let path = format!("/api/v1/cameras/{}/restart", self.gate.id);
        let asked = self.admin.send(Method::POST, &path, None, &[]);
        let obeyed = work.obey(CommandOutcome::Done { report: None });
        tokio::select! {
            biased;
            obeyed = obeyed => obeyed.map_or("lost", |_| "obeyed"),
            answer = asked => match answer.code() {
                "agent_offline" => "not told",
                other => panic!("{other}: {:?}", answer.body),
            },
        }
    }
}

async fn greet(connection: Connection, hello: Hello) -> Result<Work, String> {
    let greeted = Work::greet(connection.clone(), hello).await;
    if let Ok(work) = greeted {
        return Ok(work);
    }
    let closed = timeout(LIMIT, connection.closed()).await;
    Err(match closed.expect("neither welcome nor farewell") {
        ConnectionError::ConnectionClosed(_) => "handshake".to_owned(),
        ConnectionError::ApplicationClosed(close) => {
            let code = CloseCode::from_u64(close.error_code.into_inner());
            format!("{:?}", code.expect("a code of ours"))
        }
        other => panic!("{other}"),
    })
}

#[tokio::test]
async fn every_message_of_an_agent_is_answered_as_the_table_says() {
    let scene = Scene::make().await;
    let mut answers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for who in COLUMNS {
        let mut row = |operation, answer: &str| {
            answers
                .entry(operation)
                .or_default()
                .push(answer.to_owned());
        };
        let mut work = match scene.connect(who).await {
            Ok(work) => work,
            Err(refused) => {
                row("hello", &refused);
                for later in ["report", "upload", "command"] {
                    row(later, "-");
                }
                continue;
            }
        };
        row("hello", "welcome");
        let peer = if who == "right" {
            &scene.right
        } else {
            &scene.other
        };
        let meta = peer.sign(&scene.segment);
        row("command", scene.command(&mut work).await);
        let ack = work.report_segments(1, std::slice::from_ref(&meta));
        assert_eq!(ack.await.unwrap().through, 1, "they would never stop");
        let known = scene.is_known(&meta).await;
        row("report", if known { "believed" } else { "set aside" });
        let (_send, _receive, answer) = work.offer(&meta).await.unwrap();
        row(
            "upload",
            match answer {
                UploadAnswer::Want { .. } => "wanted",
                UploadAnswer::Refused { .. } => "refused",
                other => panic!("{other:?}"),
            },
        );
        work.connection.close(0_u32.into(), b"");
        let path = format!("/api/v1/cameras/{}", scene.gate.id);
        until("the agent to be gone", async || {
            let camera = scene.admin.get(&path).await.body;
            (camera["health"]["state"] != "live").then_some(())
        })
        .await;
    }
    let table = written(&answers);
    let path = Path::new("tests/it/refusals/agents.txt");
    if std::env::var_os("UPDATE_REFUSALS").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    for (operation, row) in &answers {
        let through = ["welcome", "believed", "wanted", "obeyed"];
        for (who, answer) in COLUMNS.iter().zip(row) {
            let may = *who == "right" || (*who == "another agent" && *operation == "hello");
            assert_eq!(
                through.contains(&answer.as_str()),
                may,
                "{operation} as {who}"
            );
        }
    }
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        table == committed,
        "the table is another; look at every difference, then UPDATE_REFUSALS=1:\n{table}"
    );
}

fn written(answers: &BTreeMap<&str, Vec<String>>) -> String {
    let line = |first: &str, cells: &mut dyn Iterator<Item = &str>| {
        let cells: String = cells.map(|cell| format!("{cell:>17}")).collect();
        format!("{first:<10}{cells}\n")
    };
    let mut table = String::from(
        "# What becomes of what agents say, about a camera and a recording of the right one, and who is told\n\
         # what is commanded of it.\n",
    );
    table.push_str(&line("#", &mut COLUMNS.into_iter()));
    for (operation, row) in answers {
        table.push_str(&line(operation, &mut row.iter().map(String::as_str)));
    }
    table
}
