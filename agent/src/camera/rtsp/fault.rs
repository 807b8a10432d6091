//! What went wrong between camera and agent, as a [`Reason`] for the ledger and a sentence for the
//! technician.
//!
//! The RTSP library's errors cannot be told apart by type, only by status code and text. That
//! reading is here and nowhere else, and the integration tests provoke each of them for real.

use shared::timeline::Reason;

use crate::camera::quirks::Quirk;
use crate::camera::source::{Source, Transport};

/// Why there is no session, or no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub(in crate::camera) struct Fault {
    pub(in crate::camera) reason: Reason,
    /// What was attempted, with what, and what to do. Never a secret.
    pub(in crate::camera) detail: String,
    /// What this taught about the camera.
    pub(in crate::camera) quirk: Option<Quirk>,
}

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::camera) enum Step {
    Describe,
    SetUpVideo,
    SetUpSound,
    Play,
    Receive,
}

impl Step {
    const fn words(self) -> &'static str {
        match self {
            Self::Describe => "asking for its description",
            Self::SetUpVideo => "setting up the video",
            Self::SetUpSound => "setting up the sound",
            Self::Play => "starting the stream",
            Self::Receive => "receiving",
        }
    }
}

impl Fault {
    pub(in crate::camera) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            quirk: None,
        }
    }

    /// The camera did not answer in time.
    pub(super) fn timeout(source: &Source, step: Step, seconds: u64) -> Self {
        Self::new(
            Reason::CameraStalled,
            format!(
                "{}: no answer within {seconds} s while {}",
                source.shown(),
                step.words()
            ),
        )
    }

    /// What the library said while `step` was being done.
    pub(super) fn from_error(source: &Source, step: Step, status: Option<u16>, text: &str) -> Self {
        let said = without_dump(first_paragraph(text));
        let (reason, advice, quirk) = match status {
            Some(status) => of_status(source, status, said),
            None => of_text(said),
        };
        let detail = format!(
            "{}: {} while {}{advice}",
            source.shown(),
            said.trim_end_matches('.'),
            step.words()
        );
        Self {
            reason,
            detail: shortened(&source.redact(&detail)),
            quirk,
        }
    }
}

/// What an error in the middle of a session means for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// The session is over.
    Fatal,
    /// A packet of the video was unusable.
    Video,
    /// A packet of the sound was unusable.
    Sound,
    /// The camera mistreats keep-alives; the session itself goes on.
    KeepAlive(Quirk),
}

/// `sound` is how the library calls the sound's stream, where there is one.
pub(super) fn weigh(text: &str, sound: Option<&str>) -> Weight {
    let said = first_paragraph(text);
    if said.contains("failed to respond to keepalive") {
        return Weight::KeepAlive(Quirk::SilentKeepAlive);
    }
    if said.contains("Unexpected RTSP response") {
        return Weight::KeepAlive(Quirk::MisnumberedKeepAlive);
    }
    // Only errors of single packets name the stream they belong to.
    let Some(stream) = text.lines().find_map(|line| line.strip_prefix("stream: ")) else {
        return Weight::Fatal;
    };
    if sound == Some(stream) {
        Weight::Sound
    } else if said.contains("wrong ssrc") {
        Weight::Fatal
    } else {
        Weight::Video
    }
}

/// How the library begins to say that an answer is not one.
const NO_RTSP: &str = "RTSP framing error";

type Meaning = (Reason, &'static str, Option<Quirk>);

fn of_status(source: &Source, status: u16, said: &str) -> Meaning {
    match status {
        401 | 403 if source.credentials().is_none() => (
            Reason::CameraRefusedCredentials,
            "; the camera wants a user name and a password and none is configured",
            None,
        ),
        401 | 403 if said.contains("Can't understand") || said.contains("without WWW-Auth") => (
            Reason::CameraProtocolError,
            "; the camera asks for a way to sign in that is not known",
            None,
        ),
        401 | 403 => (
            Reason::CameraRefusedCredentials,
            "; check user name and password",
            None,
        ),
        404 => (
            Reason::CameraProtocolError,
            "; the camera has no stream at this path, check the address",
            None,
        ),
        453 | 503 => (
            Reason::CameraProtocolError,
            "; the camera serves as many streams as it can, end another one",
            None,
        ),
        461 => (
            Reason::CameraProtocolError,
            match source.transport {
                Transport::Tcp => "; the camera refuses this transport, try `udp`",
                Transport::Udp => "; the camera refuses this transport, try `tcp`",
            },
            None,
        ),
        _ => (Reason::CameraProtocolError, "", None),
    }
}

fn of_text(said: &str) -> Meaning {
    if said.starts_with("Unable to connect") {
        (
            Reason::CameraUnreachable,
            "; check address, power and network",
            None,
        )
    } else if said.contains("wrong ssrc") {
        (
            Reason::CameraProtocolError,
            "; packets of an earlier session are still coming",
            Some(Quirk::StaleSession),
        )
    } else if said.starts_with("Error reading")
        || said.starts_with("Error writing")
        || said.starts_with("Error receiving")
    {
        (Reason::CameraDisconnected, "", None)
    } else if said.starts_with(NO_RTSP) {
        (
            Reason::CameraProtocolError,
            "; what answers there does not speak RTSP, check the port in the address",
            None,
        )
    } else {
        (Reason::CameraProtocolError, "", None)
    }
}

/// The library's messages begin with what happened, and go on with addresses and dumps.
fn first_paragraph(text: &str) -> &str {
    text.split("\n\n").next().unwrap_or_default().trim()
}

/// Bytes in hexadecimal say less than the advice that would be cut off behind them.
fn without_dump(said: &str) -> &str {
    match said.split_once("buffered:") {
        Some((before, _)) if said.starts_with(NO_RTSP) => before.trim_end_matches(['\n', ';', ' ']),
        _ => said,
    }
}

/// A line of at most 300 characters.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source::new("rtsp://admin:hunter2@192.0.2.7/live".parse().unwrap(), None).unwrap()
    }

    fn fault(status: Option<u16>, text: &str) -> Fault {
        Fault::from_error(&source(), Step::Describe, status, text)
    }

    #[test]
    fn a_web_server_is_called_what_it_is_without_its_bytes() {
        let web = fault(
            None,
            "RTSP framing error: Invalid RTSP message: byte 0: request-line > method; buffered:\nLength: 4 (0x4) bytes\n0000: 3c 21 44 4f\n\nconn: x",
        );
        assert_eq!(web.reason, Reason::CameraProtocolError);
        assert_eq!(
            web.detail,
            "rtsp://192.0.2.7/live: RTSP framing error: Invalid RTSP message: byte 0: request-line > method \
             while asking for its description; what answers there does not speak RTSP, check the port in the address"
        );
    }

    #[test]
    fn a_refused_password_is_told_apart_from_an_unreachable_camera() {
        let refused = fault(
            Some(401),
            "401 Unauthorized response to DESCRIBE CSeq=2: Received Unauthorized after trying digest auth\n\nconn: x",
        );
        assert_eq!(refused.reason, Reason::CameraRefusedCredentials);
        let unreachable = fault(
            None,
            "Unable to connect to RTSP server: Connection refused (os error 111)",
        );
        assert_eq!(unreachable.reason, Reason::CameraUnreachable);
        assert_eq!(
            unreachable.detail,
            "rtsp://192.0.2.7/live: Unable to connect to RTSP server: Connection refused (os error 111) \
             while asking for its description; check address, power and network"
        );
    }

    #[test]
    fn details_are_one_short_line_without_secrets() {
        let long = format!(
            "RTSP framing error: hunter2 {}\nand more",
            "x".repeat(1_000)
        );
        let fault = fault(None, &long);
        assert!(!fault.detail.contains("hunter2"));
        assert!(!fault.detail.contains('\n'));
        assert!(fault.detail.chars().count() <= 301);
    }

    #[test]
    fn errors_of_single_packets_do_not_end_the_session() {
        let packet = |channels: &str, what: &str| {
            format!(
                "{what}\n\nconn: a\nstream: TCP, interleaved channel ids {channels}\nssrc: 1\nseq: 2\npkt: 3"
            )
        };
        let sound = Some("TCP, interleaved channel ids 2-3");
        assert_eq!(
            weigh(&packet("2-3", "wrong ssrc after 7 RTP pkts"), sound),
            Weight::Sound
        );
        assert_eq!(
            weigh(&packet("0-1", "FU-A len 1 too short"), sound),
            Weight::Video
        );
        assert_eq!(
            weigh(&packet("0-1", "wrong ssrc after 7 RTP pkts"), sound),
            Weight::Fatal
        );
        assert_eq!(
            weigh(
                "Error reading from RTSP peer: broken pipe\n\nconn: x",
                sound
            ),
            Weight::Fatal
        );
        assert_eq!(
            weigh(
                "Error reading from RTSP peer: Server failed to respond to keepalive 7 within 30s\n\nconn: x",
                sound
            ),
            Weight::KeepAlive(Quirk::SilentKeepAlive)
        );
    }
}
