//! A coordinator of its own, without sites, whose people come through a real identity provider (tests/oidc). The other
//! specs sign in with passwords.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use support::group;
use support::ports;
use support::world::Centre;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// As tests/oidc/provider.mjs knows the client.
const CLIENT: &str = "cctv";
const SECRET: &str = "a-secret-for-tests-of-the-coordinator";

const START_LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct SignOn {
    pub(crate) centre: Centre,
    pub(crate) issuer: String,
    /// Ends when its standard input does.
    _provider: Child,
}

impl SignOn {
    pub(crate) async fn start(directory: &Path) -> Result<Self> {
        let http = ports::free()?;
        let origin = format!("http://{http}");
        let (provider, issuer) = provider(&origin).await.context("starting tests/oidc")?;
        std::fs::create_dir_all(directory)?;
        let secret = directory.join("client-secret");
        std::fs::write(&secret, SECRET)?;
        let settings = format!(
            "[identity]\nbreak_glass = [\"admin\"]\n\
             [identity.provider]\nissuer = {issuer:?}\nname = {{ en = \"Authority\", ar = \"الهيئة\" }}\n\
             client_id = {CLIENT:?}\nclient_secret_file = {secret:?}\nredirect_base = {origin:?}\n\
             allowed_networks = [\"127.0.0.1\"]\nunknown_people = \"create\"\n"
        );
        let centre = Centre::start_at(directory, http, &settings).await?;
        Ok(Self {
            centre,
            issuer,
            _provider: provider,
        })
    }
}

/// With its name, once it serves.
async fn provider(origin: &str) -> Result<(Child, String)> {
    let callback = format!("{origin}/api/v1/session/oidc/callback");
    let program = support::repository().join("tests/oidc/provider.mjs");
    let mut command = Command::new("node");
    let mut child = group::join(&mut command)?
        .arg(program)
        .args(["0", &callback])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("running node")?;
    let printed = child.stdout.take().context("it prints nothing")?;
    let mut lines = BufReader::new(printed).lines();
    let issuer = timeout(START_LIMIT, lines.next_line()).await;
    let issuer = issuer.context("waiting for its name")??;
    Ok((child, issuer.context("it ended")?))
}
