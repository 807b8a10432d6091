use secrecy::ExposeSecret;

use super::*;

const FILE: &str = include_str!("../../../configs/agent.toml");

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::from_toml(text, "/etc/cctv/agent.toml".as_ref())
}

fn refusal(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

/// The sample file with its left-out settings filled in: a `#` before a letter or a bracket goes.
fn filled_in() -> String {
    FILE.lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if setting.starts_with(|c: char| c == '[' || c.is_alphabetic()) => {
                setting
            }
            _ => line,
        })
        .filter(|line| !line.starts_with("password_file"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_sample_file_holds_exactly_the_defaults() {
    let config = load(FILE).unwrap();
    let defaults = Config::default();
    assert_eq!(config.agent, defaults.agent);
    assert_eq!(config.log, defaults.log);
    assert_eq!(config.coordinator, defaults.coordinator);
    assert_eq!(config.buffer, defaults.buffer);
    assert_eq!(config.recording, defaults.recording);
    assert_eq!(config.upload, defaults.upload);
    assert_eq!(config.status, defaults.status);
    assert!(config.cameras.is_empty());
}

#[test]
fn the_left_out_settings_of_the_sample_file_are_valid() {
    let config = load(&filled_in()).unwrap();
    let [camera] = config.cameras.as_slice() else {
        panic!("one camera expected: {:?}", config.cameras)
    };
    assert_eq!(
        (camera.name.as_str(), camera.transport, camera.recording),
        ("gate", Transport::Tcp, RecordingMode::Continuous)
    );
    assert_eq!(config.upload.limits.len(), 1);
}

/// Serde names the fields it knows when it meets one it does not.
#[test]
fn the_sample_file_names_every_setting() {
    for section in [
        "[agent]",
        "[log]",
        "[coordinator]",
        "[buffer]",
        "[recording]",
        "[upload]",
        "[status]",
        "[[upload.limit]]",
        "[[camera]]",
    ] {
        let message = refusal(&format!("{section}\nno_such_key = 1\n"));
        let known: Vec<_> = message.split('`').skip(5).step_by(2).collect();
        assert!(known.len() >= 2, "{section}: {message}");
        for key in known {
            let named = FILE
                .lines()
                .map(|line| line.trim_start_matches('#'))
                .any(|line| {
                    line.starts_with(&format!("{key} =")) || line == format!("[[upload.{key}]]")
                });
            assert!(named || key == "password", "{section} {key}: {message}");
        }
    }
}

#[test]
fn an_unknown_key_is_refused_with_file_line_key_and_what_would_be_right() {
    let message = refusal("[agent]\nname = \"a\"\ndatadir = \"/x\"\n");
    assert!(
        message.starts_with("/etc/cctv/agent.toml:3: `agent.datadir`: unknown field"),
        "{message}"
    );
    assert!(message.contains("`data_dir`"), "{message}");
}

#[test]
fn a_bad_value_is_refused_with_its_line_and_the_allowed_ones() {
    let message = refusal("\n[upload]\npolicy = \"sometimes\"\n");
    assert!(
        message.starts_with("/etc/cctv/agent.toml:3: `upload.policy`: unknown variant"),
        "{message}"
    );
    assert!(message.contains("`on-demand`"), "{message}");
    let message = refusal("[recording]\nsegment_seconds = 5\nfragment_ms = 1500\n");
    assert_eq!(
        message,
        "/etc/cctv/agent.toml:2: `recording.segment_seconds`: 5 is out of range; write 10 to 600\n\
         /etc/cctv/agent.toml:3: `recording.fragment_ms`: 1500 is out of range; write 200 to 1000"
    );
}

#[test]
fn two_cameras_of_one_name_are_refused_at_the_second() {
    let message = refusal(
        "[[camera]]\nname = \"gate\"\nurl = \"rtsp://a/1\"\n\n[[camera]]\nurl = \"rtsp://a/2\"\nname = \"gate\"\n",
    );
    assert!(
        message.starts_with("/etc/cctv/agent.toml:7: `camera[2].name`: another camera"),
        "{message}"
    );
}

#[test]
fn a_camera_of_the_wrong_kind_is_named_by_number_and_line() {
    let message = refusal("[[camera]]\nname = \"a\"\nurl = \"http://a/1\"\n");
    assert!(
        message.starts_with("/etc/cctv/agent.toml:3: `camera[1].url`: `http` cannot be recorded"),
        "{message}"
    );
    let message = refusal("[[camera]]\nname = \"a\"\n");
    assert!(message.contains("missing field `url`"), "{message}");
}

#[test]
fn no_error_and_no_debug_output_quotes_a_password() {
    for text in [
        "[[camera]]\nname = \"a\"\nurl = \"rtsp://u:hunter2@a/1\"\n",
        "[[camera]]\nname = \"a\"\nurl = \"rtsp://u:hunter2@/1\"\n",
        "[[camera]]\nname = \"a\"\nurl = \"rtsp://a/1\"\nusername = \"u\"\npassword = [\"hunter2\"]\n",
        "[[camera]]\nname = \"a\"\nurl = \"rtsp://a/1\"\npassword = \"hunter2\"\n",
        "[[camera]]\nname = \"a\"\nurl = \"rtsp://a/1\"\npassword = \"hunter2\n",
        "[[camera]]\npasword = \"hunter2\"\n",
    ] {
        let error = load(text).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let config = load(
        "[[camera]]\nname = \"a\"\nurl = \"rtsp://a/1\"\nusername = \"u\"\npassword = \"hunter2\"\n",
    )
    .unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let password = config.cameras[0].password.as_ref().unwrap();
    assert_eq!(password.expose_secret(), "hunter2");
}

#[test]
fn a_password_file_is_read_from_beside_the_settings() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agent.toml");
    std::fs::write(
        &file,
        "[[camera]]\nname = \"a\"\nurl = \"rtsp://a/1\"\nusername = \"u\"\npassword_file = \"a.password\"\n",
    )
    .unwrap();
    let error = Config::load(&file).unwrap_err().to_string();
    assert!(
        error.contains(":5: `camera[1].password_file`: cannot read"),
        "{error}"
    );
    std::fs::write(directory.path().join("a.password"), "hunter2\n").unwrap();
    let config = Config::load(&file).unwrap();
    let password = config.cameras[0].password.as_ref().unwrap();
    assert_eq!(password.expose_secret(), "hunter2");
}

#[test]
fn policies_that_need_windows_are_refused_without_any() {
    let message = refusal("[upload]\npolicy = \"schedule\"\n");
    assert!(
        message.contains(":1: `upload.schedule`: names no window"),
        "{message}"
    );
    let message =
        refusal("[[camera]]\nname = \"a\"\nurl = \"rtsp://a/1\"\nrecording = \"scheduled\"\n");
    assert!(message.contains(":4: `camera[1].recording`:"), "{message}");
    let message = refusal(
        "[upload]\nschedule = [\n { from = \"22:00\", to = \"06:00\" },\n { days = [], from = \"22:00\", to = \"06:00\" },\n]\n",
    );
    assert!(
        message.contains(":4: `upload.schedule[2]`: names no day"),
        "{message}"
    );
    let message = refusal("[upload]\nschedule = [{ from = \"25:00\", to = \"06:00\" }]\n");
    assert!(
        message.contains(":2: `upload.schedule[1].from`:"),
        "{message}"
    );
}

#[test]
fn addresses_of_the_coordinator_need_a_port() {
    for (text, right) in [
        ("centre.example:7443", true),
        ("[2001:db8::7]:7443", true),
        ("192.0.2.1:1", true),
        ("centre.example", false),
        ("2001:db8::7:7443", false),
        ("centre.example:0", false),
        (":7443", false),
    ] {
        assert_eq!(values::split_host_port(text).is_some(), right, "{text}");
    }
    assert!(refusal("[coordinator]\naddress = \"centre\"\n").contains("`coordinator.address`"));
}

#[test]
fn text_that_is_not_toml_and_a_file_that_is_not_there_are_told_plainly() {
    let message = refusal("[agent\nname = 1\n");
    assert!(message.starts_with("/etc/cctv/agent.toml:1: "), "{message}");
    let error = Config::load("/nonexistent/agent.toml".as_ref()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cannot read the settings in /nonexistent/agent.toml")
    );
}
