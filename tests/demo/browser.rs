//! The pages in Chromium against the demo.

use anyhow::{Context as _, Result, ensure};
use support::group;
use tempfile::TempDir;
use tokio::process::Command;

use crate::sign_on::SignOn;
use crate::{Demo, check, say, street};

/// Runs the browser specs once every camera has footage.
pub(crate) async fn test_pages(demo: &Demo) -> Result<()> {
    let directory = TempDir::with_prefix("cctv-sign-on-")?;
    let mut sign_on = SignOn::start(directory.path()).await?;
    check::every_camera(demo).await?;
    say("Testing the pages in Chromium …");
    let pages = support::repository().join("ui");
    let mut command = Command::new("npm");
    let status = group::join(&mut command)?
        .args(["run", "--silent", "e2e"])
        .current_dir(&pages)
        .env("BASE_URL", demo.centre.url())
        .env("CCTV_LOGIN", "admin")
        .env("CCTV_PASSWORD", demo.centre.first_password()?)
        .env("CCTV_EDGE_ONLY_CAMERA", street::EDGE_ONLY)
        .env("CCTV_SIGN_ON_URL", sign_on.centre.url())
        .env("CCTV_ISSUER", &sign_on.issuer)
        .status()
        .await
        .with_context(|| {
            format!(
                "running the specs of tests/browser from {}",
                pages.display()
            )
        })?;
    sign_on.centre.stop().await?;
    ensure!(status.success(), "the browser tests ended with {status}");
    Ok(())
}
