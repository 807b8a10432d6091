//! A site with a bad link, or none, catches up without losing or sending much twice.

use std::time::Duration;

use anyhow::{Result, ensure};
use shared::time::TimeRange;
use support::net::Conditions;
use support::world::SiteSettings;
use tempfile::TempDir;

use crate::scenes::{Scene, camera, now, short_or};

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_everything_is_there_and_little_was_sent_twice() -> Result<()> {
    let directory = TempDir::new()?;
    let mut scene = Scene::start(
        directory.path(),
        vec![camera("gate", 1), camera("hall", 2)],
        &SiteSettings::default(),
    )
    .await?;
    scene.site.link().set(Conditions::CUT);
    tokio::time::sleep(short_or(Duration::from_secs(30), Duration::from_secs(600))).await;
    let before = scene.site.link().up_bytes();
    scene
        .site
        .link()
        .set(Conditions::new(0.05, Duration::from_millis(150)));
    // In the middle of the catching up, the coordinator goes as well.
    scene.recorded_since("gate", now()).await?;
    scene.centre.kill_nine().await?;
    scene.centre.resume().await?;
    scene.api = scene.centre.sign_in().await?;

    let range = TimeRange::new(scene.began, now())?;
    for name in ["gate", "hall"] {
        let timeline = scene
            .accounted(name, range, Duration::from_secs(120))
            .await?;
        ensure!(timeline["complete"] == true, "{name}: {timeline}");
        scene
            .footage(name, range)
            .await?
            .expect_every_picture_once()?;
    }
    scene.uploaded(Duration::from_secs(120)).await?;
    let status = scene.site.status().await?;
    let resent = status["uplink"]["resent_bytes"]
        .as_u64()
        .unwrap_or(u64::MAX);
    let sent = scene.site.link().up_bytes() - before;
    // A killed coordinator forgets what it gathered of each upload in flight; of half a minute of small pictures that is a lot.
    let gathered = short_or(4 << 20, 0);
    ensure!(
        resent.saturating_sub(gathered) * 20 < sent,
        "{resent} of {sent} bytes were sent twice"
    );
    scene.stop().await
}
