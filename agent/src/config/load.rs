//! From a file to settings: reading, checking, and saying what is wrong on which line.
//!
//! No error quotes a value that may be a password, nor the line it stands on.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};
use shared::wire::control::{RecordingMode, UploadPolicy};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

use super::{CameraSection, Config, Window};

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the settings in {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// One line of text for each problem.
    #[error("{}", lines(path, problems))]
    Invalid {
        path: PathBuf,
        problems: Vec<Problem>,
    },
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// Such as `camera[2].url`; the second camera of the file.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

fn lines(path: &Path, problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{}:{}: ", path.display(), problem.line));
        if !problem.key.is_empty() {
            text.push_str(&format!("`{}`: ", problem.key));
        }
        text.push_str(&problem.message);
    }
    text
}

impl Config {
    /// Reads a file, and the password files it names.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or says something that cannot be meant.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_toml(&text, path)
    }

    /// As [`Config::load`], for text already read from `path`.
    ///
    /// # Errors
    /// As there.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let invalid = |problems| ConfigError::Invalid {
            path: path.to_owned(),
            problems,
        };
        let mut config: Self =
            toml::from_str(text).map_err(|error| invalid(vec![explain(text, &error)]))?;
        let directory = path.parent().unwrap_or_else(|| Path::new(""));
        let mut findings = Findings::default();
        for (index, camera) in config.cameras.iter_mut().enumerate() {
            read_password(camera, index, directory, &mut findings);
        }
        config.check(&mut findings);
        if findings.0.is_empty() {
            Ok(config)
        } else {
            Err(invalid(findings.located(text)))
        }
    }

    fn check(&self, findings: &mut Findings) {
        self.check_general(findings);
        self.check_upload(findings);
        let mut names: Vec<&str> = Vec::new();
        for (index, camera) in self.cameras.iter().enumerate() {
            if names.contains(&camera.name.as_str()) {
                findings.camera(
                    index,
                    "name",
                    format!(
                        "another camera is already called `{}`; give each its own name, it is how \
                         recordings are found again",
                        camera.name
                    ),
                );
            }
            names.push(&camera.name);
            check_camera(camera, index, findings);
        }
    }

    fn check_general(&self, findings: &mut Findings) {
        if self.agent.name.trim().is_empty() {
            findings.at(&["agent", "name"], "is empty; write a name people know");
        }
        if !self.agent.time_zone.is_empty() && TimeZone::get(&self.agent.time_zone).is_err() {
            findings.at(
                &["agent", "time_zone"],
                "is not a zone this host knows; write an IANA name such as `Asia/Dubai`",
            );
        }
        for (key, address) in [
            ("address", &self.coordinator.address),
            ("tcp_address", &self.coordinator.tcp_address),
        ] {
            if !address.is_empty() && split_host_port(address).is_none() {
                findings.at(
                    &["coordinator", key],
                    "is not `host:port`, such as `centre.example:7443` or `[2001:db8::7]:7443`",
                );
            }
        }
        let recording = &self.recording;
        for (key, value, allowed) in [
            ("segment_seconds", recording.segment_seconds, 10..=600),
            ("fragment_ms", recording.fragment_ms, 200..=1_000),
            ("pre_roll_seconds", recording.pre_roll_seconds, 0..=60),
            ("post_roll_seconds", recording.post_roll_seconds, 0..=600),
        ] {
            if !allowed.contains(&value) {
                findings.at(
                    &["recording", key],
                    format!(
                        "{value} is out of range; write {} to {}",
                        allowed.start(),
                        allowed.end()
                    ),
                );
            }
        }
    }

    fn check_upload(&self, findings: &mut Findings) {
        let upload = &self.upload;
        if !(1..=16).contains(&upload.parallel) {
            findings.at(&["upload", "parallel"], "is out of range; write 1 to 16");
        }
        for (key, value) in [
            ("megabits_per_second", upload.megabits_per_second),
            ("gigabytes_per_day", upload.gigabytes_per_day),
        ] {
            if !is_limit(value) {
                findings.at(
                    &["upload", key],
                    "is not a limit; write 0 for none or a positive number",
                );
            }
        }
        for (index, limit) in upload.limits.iter().enumerate() {
            let path = |key| {
                vec![
                    Step::key("upload"),
                    Step::key("limit"),
                    Step::Index(index),
                    Step::key(key),
                ]
            };
            if !is_limit(limit.megabits_per_second) {
                findings.push(
                    path("megabits_per_second"),
                    "is not a limit; write 0 to stop uploads or a positive number",
                );
            }
            if limit.when.is_empty() {
                findings.push(path("when"), "names no window, so it never applies");
            }
            check_windows(&limit.when, || path("when"), findings);
        }
        check_windows(
            &upload.schedule,
            || vec![Step::key("upload"), Step::key("schedule")],
            findings,
        );
        let scheduled = upload.policy == UploadPolicy::Schedule
            || self
                .cameras
                .iter()
                .any(|camera| camera.upload == Some(UploadPolicy::Schedule));
        if scheduled && upload.schedule.is_empty() {
            findings.at(
                &["upload", "schedule"],
                "names no window, but the policy `schedule` is asked for; \
                 write for example schedule = [{ from = \"22:00\", to = \"06:00\" }]",
            );
        }
    }
}

fn is_limit(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

fn check_camera(camera: &CameraSection, index: usize, findings: &mut Findings) {
    if camera.name.trim().is_empty() {
        findings.camera(index, "name", "is empty; write a name people know");
    }
    if camera.name.chars().count() > 100 || camera.name.chars().any(char::is_control) {
        findings.camera(
            index,
            "name",
            "is too long or has control characters; write at most 100 printable characters",
        );
    }
    if camera.recording == RecordingMode::Scheduled && camera.schedule.is_empty() {
        findings.camera(
            index,
            "recording",
            "is `scheduled`, but no `schedule` says when; \
             write for example schedule = [{ from = \"07:00\", to = \"19:00\" }]",
        );
    }
    if camera.retention_hours == Some(0) {
        findings.camera(
            index,
            "retention_hours",
            "is 0; leave it out for no limit of its own, or switch recording off",
        );
    }
    if camera.username.is_empty() && camera.password.is_some() {
        findings.camera(
            index,
            "password",
            "is given without a `username`; write both or neither",
        );
    }
    check_windows(
        &camera.schedule,
        || Findings::camera_path(index, "schedule"),
        findings,
    );
}

fn check_windows(windows: &[Window], path: impl Fn() -> Vec<Step>, findings: &mut Findings) {
    for (index, window) in windows.iter().enumerate() {
        if window.days.is_empty() {
            let mut path = path();
            path.push(Step::Index(index));
            findings.push(
                path,
                "names no day; leave `days` out for every day of the week",
            );
        }
    }
}

fn read_password(
    camera: &mut CameraSection,
    index: usize,
    directory: &Path,
    findings: &mut Findings,
) {
    let Some(file) = &camera.password_file else {
        return;
    };
    if camera.password.is_some() {
        findings.camera(
            index,
            "password_file",
            "is given beside `password`; keep one of them",
        );
        return;
    }
    let file = directory.join(file);
    match std::fs::read_to_string(&file) {
        Ok(text) => match text.lines().next().filter(|line| !line.is_empty()) {
            Some(line) => camera.password = Some(SecretString::from(line)),
            None => findings.camera(
                index,
                "password_file",
                format!(
                    "{} is empty; its first line should be the password",
                    file.display()
                ),
            ),
        },
        Err(error) => findings.camera(
            index,
            "password_file",
            format!("cannot read {}: {error}", file.display()),
        ),
    }
}

/// `host:port`, with brackets around an IPv6 address.
pub(crate) fn split_host_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    (!host.is_empty()).then_some((host, port))
}

/// A password must be text; the error of any other type must not quote it.
pub(super) fn secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretString>, D::Error> {
    match toml::Value::deserialize(deserializer) {
        Ok(toml::Value::String(text)) if !text.is_empty() => Ok(Some(SecretString::from(text))),
        Ok(toml::Value::String(_)) => Err(de::Error::custom(
            "the password is empty; leave it out if the camera has none",
        )),
        _ => Err(de::Error::custom(
            "the password is not a text; write it between quotation marks",
        )),
    }
}

pub(super) fn stream_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = SecretString::deserialize(deserializer)
        .map_err(|_| de::Error::custom("the address is not a text; write it between quotes"))?;
    parse_stream_address(text.expose_secret()).map_err(de::Error::custom)
}

pub(super) fn optional_stream_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Url>, D::Error> {
    stream_address(deserializer).map(Some)
}

/// The text may hold a password where it should not, so no message quotes it.
fn parse_stream_address(text: &str) -> Result<Url, String> {
    const EXAMPLE: &str = "write for example \"rtsp://192.0.2.10:554/stream1\"";
    let url = Url::parse(text).map_err(|error| format!("not an address ({error}); {EXAMPLE}"))?;
    match url.scheme() {
        "rtsp" | "rtsps" => {}
        other => {
            return Err(format!(
                "`{other}` cannot be recorded, only rtsp and rtsps; {EXAMPLE}"
            ));
        }
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(format!("the address names no host; {EXAMPLE}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the address holds a user name or password; addresses are shown and logged, \
             so write them as `username` and `password`"
                .to_owned(),
        );
    }
    Ok(url)
}

/// What a check found, by path of keys; the line is looked up at the end.
#[derive(Default)]
struct Findings(Vec<(Vec<Step>, String)>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    fn key(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl Findings {
    fn push(&mut self, path: Vec<Step>, message: impl Into<String>) {
        self.0.push((path, message.into()));
    }

    fn at(&mut self, keys: &[&str], message: impl Into<String>) {
        self.push(keys.iter().map(|key| Step::key(key)).collect(), message);
    }

    fn camera_path(index: usize, key: &str) -> Vec<Step> {
        vec![Step::key("camera"), Step::Index(index), Step::key(key)]
    }

    fn camera(&mut self, index: usize, key: &str, message: impl Into<String>) {
        self.push(Self::camera_path(index, key), message);
    }

    fn located(self, text: &str) -> Vec<Problem> {
        let document = DeTable::parse(text).ok();
        let mut problems: Vec<_> = self
            .0
            .into_iter()
            .map(|(path, message)| Problem {
                line: document
                    .as_ref()
                    .map_or(1, |document| line_of(text, locate(document, &path))),
                key: Keys(&path).to_string(),
                message,
            })
            .collect();
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

/// A path of keys as people write it, counting from 1.
struct Keys<'a>(&'a [Step]);

impl fmt::Display for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{}]", index + 1)?,
            }
        }
        Ok(())
    }
}

/// Byte at which the value of `path`, or the nearest thing around it, begins.
fn locate(document: &Spanned<DeTable<'_>>, path: &[Step]) -> usize {
    let mut offset = document.span().start;
    let mut steps = path.iter();
    let Some(Step::Key(first)) = steps.next() else {
        return offset;
    };
    let Some((key, mut value)) = document.get_ref().get_key_value(first.as_str()) else {
        return offset;
    };
    offset = key.span().start;
    for step in steps {
        let next = match (step, value.get_ref()) {
            (Step::Key(key), DeValue::Table(table)) => table
                .get_key_value(key.as_str())
                .map(|(key, value)| (key.span().start, value)),
            (Step::Index(index), DeValue::Array(array)) => {
                array.get(*index).map(|value| (value.span().start, value))
            }
            _ => None,
        };
        let Some((start, inner)) = next else { break };
        (offset, value) = (start, inner);
    }
    offset
}

/// The innermost path of keys around a place in the text.
fn path_at(document: &Spanned<DeTable<'_>>, place: &Range<usize>) -> Vec<Step> {
    let mut path = Vec::new();
    walk_table(document.get_ref(), place, &mut path);
    path
}

fn walk_table(table: &DeTable<'_>, place: &Range<usize>, path: &mut Vec<Step>) {
    for (key, value) in table {
        let on_key = key.span().contains(&place.start);
        if on_key || holds(value, place) {
            path.push(Step::key(key.get_ref()));
            if !on_key {
                walk_value(value.get_ref(), place, path);
            }
            return;
        }
    }
}

fn walk_value(value: &DeValue<'_>, place: &Range<usize>, path: &mut Vec<Step>) {
    match value {
        DeValue::Table(table) => walk_table(table, place, path),
        DeValue::Array(array) => {
            if let Some(index) = array.iter().position(|item| holds(item, place)) {
                path.push(Step::Index(index));
                if let Some(item) = array.get(index) {
                    walk_value(item.get_ref(), place, path);
                }
            }
        }
        _ => {}
    }
}

/// Whether the place lies in the value. The span of a `[table]` is its header only, so its entries
/// are asked too.
fn holds(value: &Spanned<DeValue<'_>>, place: &Range<usize>) -> bool {
    if value.span().contains(&place.start) {
        return true;
    }
    match value.get_ref() {
        DeValue::Table(table) => table
            .iter()
            .any(|(key, value)| key.span().contains(&place.start) || holds(value, place)),
        DeValue::Array(array) => array.iter().any(|item| holds(item, place)),
        _ => false,
    }
}

fn explain(text: &str, error: &toml::de::Error) -> Problem {
    let place = error.span().unwrap_or(0..0);
    let path = DeTable::parse(text)
        .map(|document| path_at(&document, &place))
        .unwrap_or_default();
    Problem {
        line: line_of(text, place.start),
        key: Keys(&path).to_string(),
        message: error.message().trim().replace('\n', "; "),
    }
}

/// Counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|byte| **byte == b'\n').count() + 1
}
