//! Answers, as far as they depend on nothing but the request, the camera and its faults.

use rtsp_types::{Method, Request, Response, ResponseBuilder, StatusCode, Version, headers};

use super::Target;
use super::sdp::{self, Oddities};
use super::session::Session;
use crate::camera::Camera;
use crate::fault::{Fault, KeepAliveRefusal, OddSdp};

pub(super) const METHODS: &str =
    "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER";

/// How a connection ends.
pub(super) enum End {
    Closed,
    Reset,
}

/// What to do after a request.
pub(super) enum Outcome {
    Answer(Response<Vec<u8>>),
    Silence,
    End(End),
}

/// The SDP of a rendition.
pub(super) fn describe(
    request: &Request<Vec<u8>>,
    camera: &Camera,
    target: Option<&Target>,
) -> Response<Vec<u8>> {
    let feed = target.and_then(|target| camera.feed(target.rendition));
    let (Some(feed), Some(url)) = (feed, request.request_uri()) else {
        return reply(request, StatusCode::NotFound).build(Vec::new());
    };
    let odd = Oddities::of(&camera.faults);
    let base = url.as_str().trim_end_matches('/');
    let sdp = sdp::render(&feed.description(), base, &odd);
    let response = reply(request, StatusCode::Ok).header(headers::CONTENT_TYPE, "application/sdp");
    let response = match odd.variant {
        Some(OddSdp::AbsoluteControl) => response,
        _ => response.header(headers::CONTENT_BASE, format!("{base}/")),
    };
    response.build(sdp.into_bytes())
}

/// What comes of a keep-alive while they are refused; `None` where they are not, or it is none.
pub(super) fn refused_keep_alive(request: &Request<Vec<u8>>, camera: &Camera) -> Option<Outcome> {
    if !matches!(
        request.method(),
        Method::GetParameter | Method::SetParameter
    ) {
        return None;
    }
    let how = camera.faults.find(|fault| match fault {
        Fault::RefuseKeepAlive { how } => Some(*how),
        _ => None,
    })?;
    let refuse = |status| Outcome::Answer(reply(request, status).build(Vec::new()));
    Some(match how {
        KeepAliveRefusal::NotAllowed => refuse(StatusCode::MethodNotAllowed),
        KeepAliveRefusal::NotUnderstood => refuse(StatusCode::ParameterNotUnderstood),
        KeepAliveRefusal::WrongSequence => {
            let mut response = reply(request, StatusCode::MethodNotAllowed).build(Vec::new());
            response.insert_header(headers::CSEQ, "0");
            Outcome::Answer(response)
        }
        KeepAliveRefusal::Silence => Outcome::Silence,
        KeepAliveRefusal::Close => Outcome::End(End::Closed),
    })
}

pub(super) fn session_id(camera: &Camera) -> String {
    let number: u64 = rand::random();
    if is_odd_session(camera) {
        format!("-{number:X}_$.{number:o}+")
    } else {
        format!("{number:016x}")
    }
}

pub(super) fn session_header(session: &Session) -> String {
    let separator = if is_odd_session(&session.camera) {
        "; timeout="
    } else {
        ";timeout="
    };
    format!(
        "{}{separator}{}",
        session.id, session.camera.config.session_timeout_s
    )
}

fn is_odd_session(camera: &Camera) -> bool {
    camera.faults.has(&Fault::OddSdp {
        variant: OddSdp::OddSession,
    })
}

/// An answer with the request's number.
pub(super) fn reply(request: &Request<Vec<u8>>, status: StatusCode) -> ResponseBuilder {
    let response = Response::builder(Version::V1_0, status).header(headers::SERVER, "camera-sim");
    match request.header(&headers::CSEQ) {
        Some(sequence) => response.header(headers::CSEQ, sequence.as_str()),
        None => response,
    }
}
