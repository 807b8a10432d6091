//! What the program refuses to begin, and that it leaves nothing behind.

use std::path::Path;

use super::{Installed, Running};

#[tokio::test]
async fn commands_before_the_first_start_say_so_and_leave_nothing_behind() {
    let installed = Installed::new();
    let output = installed.output(&["agent", "list"]).await;
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("start it once first"), "{errors}");
    assert!(!installed.directory.path().join("data").exists());
}

#[tokio::test]
async fn settings_are_checked_without_starting_anything() {
    let installed = Installed::new();
    let text = installed.text(&["check-config"]).await;
    assert!(text.contains("127.0.0.1:0"), "{text}");
    std::fs::write(&installed.config, "[http]\nlissten = 1\n").unwrap();
    let output = installed.output(&["check-config"]).await;
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("line 2") && errors.contains("listen"),
        "{errors}"
    );
    let version = installed.text(&["version"]).await;
    assert_eq!(version.trim(), env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_lost_authority_is_never_replaced_behind_an_administrators_back() {
    let installed = Installed::new();
    Running::start(&installed).await.terminate().await;
    let authority = installed.directory.path().join("data/authority.pem");
    let kept = std::fs::read(&authority).unwrap();
    std::fs::remove_file(&authority).unwrap();
    let errors = refused_start(&installed).await;
    assert!(errors.contains("restore it from a backup"), "{errors}");
    assert!(!Path::new(&authority).exists());
    std::fs::write(&authority, kept).unwrap();
    Running::start(&installed).await.terminate().await;
}

#[tokio::test]
async fn a_second_coordinator_on_the_same_address_says_which() {
    let installed = Installed::new();
    let running = Running::start(&installed).await;
    let taken = running.word_after("pages and API: http://").to_owned();
    let other = Installed::new();
    let text = std::fs::read_to_string(&other.config).unwrap();
    let text = text.replacen("127.0.0.1:0", &taken, 1);
    std::fs::write(&other.config, text).unwrap();
    let errors = refused_start(&other).await;
    assert!(errors.contains(&taken), "{errors}");
    running.terminate().await;
}

#[tokio::test]
async fn a_second_coordinator_on_the_same_data_is_refused() {
    let installed = Installed::new();
    let running = Running::start(&installed).await;
    let errors = refused_start(&installed).await;
    assert!(
        errors.contains("another coordinator is running"),
        "{errors}"
    );
    running.kill_nine().await;
    Running::start(&installed).await.terminate().await;
}

async fn refused_start(installed: &Installed) -> String {
    let output = installed.output(&["run"]).await;
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}
