//! What settings may say beyond their types: ranges, things that need each other, names that must
//! differ. Each finding says what would be right.

use jiff::tz::TimeZone;
use shared::wire::control::{RecordingMode, UploadPolicy};

use super::place::{Findings, Step};
use super::values::split_host_port;
use super::{CameraSection, Config, Window};

impl Config {
    pub(super) fn check(&self, findings: &mut Findings) {
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
