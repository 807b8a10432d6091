//! The repository keeps its own rules: licences of what is linked, links between documents, lists that
//! two parts of it share.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// `deny.toml` says the same to cargo-deny; this test needs no extra program.
#[test]
fn nothing_with_copyleft_is_linked_into_the_programs() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(support::repository())
        .output()
        .expect("cargo metadata runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let licences: HashMap<&str, &str> = packages(&metadata)
        .map(|package| {
            (
                text(&package["id"]),
                package["license"].as_str().unwrap_or("none given"),
            )
        })
        .collect();
    let shipped = shipped(&metadata);
    assert!(
        shipped.len() > 100,
        "only {} packages found, the walk is broken",
        shipped.len()
    );
    let refused: Vec<_> = shipped
        .iter()
        .filter_map(|id| licences.get(id).map(|licence| (*id, *licence)))
        .filter(|(_, licence)| !is_permissive(licence))
        .collect();
    assert!(refused.is_empty(), "licences to look at: {refused:#?}");
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Ids of every package that ends up in one of the two programs: normal and build dependencies, not those of tests.
fn shipped(metadata: &Value) -> HashSet<&str> {
    let nodes: HashMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|node| (text(&node["id"]), node))
        .collect();
    let mut waiting: Vec<&str> = packages(metadata)
        .filter(|package| matches!(text(&package["name"]), "cctv-agent" | "cctv-coordinator"))
        .map(|package| text(&package["id"]))
        .collect();
    let mut seen = HashSet::new();
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        let dependencies = nodes
            .get(id)
            .and_then(|node| node["deps"].as_array())
            .into_iter()
            .flatten();
        for dependency in dependencies {
            let kinds = dependency["dep_kinds"].as_array().into_iter().flatten();
            if kinds.into_iter().any(|kind| kind["kind"] != "dev") {
                waiting.push(text(&dependency["pkg"]));
            }
        }
    }
    seen
}

/// Whether at least one of the alternatives asks for nothing but a notice. `/` is the old way to write `OR`.
fn is_permissive(licence: &str) -> bool {
    const COPYLEFT: [&str; 6] = ["GPL", "MPL", "EUPL", "CDDL", "OSL", "none given"];
    licence
        .split(['/', '(', ')'])
        .flat_map(|part| part.split(" OR "))
        .filter(|part| !part.trim().is_empty())
        .any(|part| !COPYLEFT.iter().any(|word| part.contains(word)))
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages(&support::repository()) {
        let content = std::fs::read_to_string(&page).expect("a page can be read");
        for target in links(&content) {
            let directory = page.parent().expect("a page lies in a directory");
            if !directory.join(&target).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken links: {broken:#?}");
}

/// A kind that belongs to no topic of the page would be found only by scrolling.
#[test]
fn every_kind_of_audit_entry_belongs_to_a_topic() {
    let read = |path: &str| {
        let path = support::repository().join(path);
        std::fs::read_to_string(path).expect("a source file can be read")
    };
    let topics = read("ui/src/audit/search.ts");
    let source = read("coordinator/src/domain/audit.rs");
    let kinds: Vec<_> = source
        .lines()
        .filter_map(|line| line.trim().strip_suffix("\",")?.split_once(" = \""))
        .map(|(_, kind)| kind)
        .collect();
    assert!(kinds.len() > 40, "{kinds:?}");
    let lost: Vec<_> = kinds
        .iter()
        .filter(|kind| !topics.contains(&format!("'{kind}'")))
        .collect();
    assert!(lost.is_empty(), "without a topic: {lost:?}");
}

fn pages(root: &Path) -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "*.md"])
        .current_dir(root)
        .output()
        .expect("git runs");
    let names = String::from_utf8_lossy(&listed.stdout).into_owned();
    let pages: Vec<_> = names
        .lines()
        .map(|name| root.join(name))
        .filter(|page| page.exists())
        .collect();
    assert!(!pages.is_empty(), "no page found under {}", root.display());
    pages
}

/// Relative targets of `[text](target)`, without fragments.
fn links(content: &str) -> Vec<String> {
    content
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
        .map(|target| target.split('#').next().unwrap_or_default().to_owned())
        .filter(|target| {
            !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:")
        })
        .collect()
}
