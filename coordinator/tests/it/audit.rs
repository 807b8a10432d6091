//! The audit as somebody meets it who may have to doubt it.

use std::path::PathBuf;

use rusqlite::Connection;

use crate::cli::{Installed, Running};

fn database(installed: &Installed) -> PathBuf {
    installed.directory.path().join("data/coordinator.sqlite")
}

/// What `audit verify` says, which has to fail.
async fn broken(installed: &Installed, arguments: &[&str]) -> String {
    let arguments = [&["audit", "verify"], arguments].concat();
    let output = installed.output(&arguments).await;
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn the_console_verifies_the_audit_beside_a_coordinator_and_names_what_was_touched() {
    let installed = Installed::new();
    let running = Running::start(&installed).await;
    for _ in 0..3 {
        installed.text(&["user", "reset-password"]).await;
    }
    let whole = installed.text(&["audit", "verify"]).await;
    assert!(whole.contains("4 entries"), "{whole}");
    let head = whole.split_whitespace().last().unwrap();
    installed.text(&["user", "reset-password"]).await;
    let later = installed.text(&["audit", "verify", "--head", head]).await;
    assert!(later.contains("1 noted heads compared"), "{later}");
    running.terminate().await;

    let sql = Connection::open(database(&installed)).unwrap();
    let last = sql.query_row("select max(number) from audit", [], |row| {
        row.get::<_, i64>(0)
    });
    let last = last.unwrap();
    sql.execute("delete from audit where number = ?1", [last])
        .unwrap();
    installed.text(&["audit", "verify"]).await;
    let later = later.split_whitespace().last().unwrap();
    let errors = broken(&installed, &["--head", head, "--head", later]).await;
    assert!(
        errors.contains(&format!("entry {last} is missing")),
        "{errors}"
    );
    sql.execute("update audit set what = 'signed_in' where number = 2", [])
        .unwrap();
    let errors = broken(&installed, &[]).await;
    assert!(errors.contains("entry 2 was changed"), "{errors}");
    let errors = broken(&installed, &["--head", "nonsense"]).await;
    assert!(errors.contains("NUMBER:HASH"), "{errors}");
}
