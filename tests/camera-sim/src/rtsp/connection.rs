//! One RTSP connection: reading requests, answering them, sending the session's media, ending in one of several ways.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rtsp_types::headers::{self, Transports};
use rtsp_types::{Message, Method, ParseError, Request, Response, StatusCode};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::reply::{
    End, METHODS, Outcome, describe, refused_keep_alive, reply, session_header, session_id,
};
use super::session::{RtpStream, Session};
use super::{Server, Target, auth, setup, transport};
use crate::camera::Camera;
use crate::fault::Fault;
use crate::media::Track;

/// Largest request; no real one comes near.
const MAX_MESSAGE: usize = 64 * 1024;
/// Requests a client may send ahead of their answers.
const MAX_PIPELINED: usize = 8;

/// What a client sent.
enum Incoming {
    Request(Request<Vec<u8>>),
    /// RTCP within the connection: a sign of life.
    Data,
}

/// Serves a connection to its end.
pub(super) async fn serve(server: Arc<Server>, stream: TcpStream, peer: SocketAddr) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    // Frames leave at once; the connection's own batching is by access unit.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (to_connection, requests) = mpsc::channel(MAX_PIPELINED);
    let (bound, mut bound_to) = watch::channel(None);
    let mut connection = Connection {
        server,
        writer,
        local: local.ip(),
        peer,
        nonce: format!("{:032x}", rand::random::<u128>()),
        bound,
        session: None,
        last_sign_of_life: Instant::now(),
    };
    let end = tokio::select! {
        end = connection.run(requests) => end,
        () = read_requests(reader, to_connection) => Ok(End::Closed),
        () = cut(&mut bound_to) => Ok(End::Reset),
    };
    match end {
        Ok(End::Closed) => connection.say_goodbye().await,
        Ok(End::Reset) => {
            let _ = connection.writer.as_ref().set_zero_linger();
            // Dropping would end the stream in order first.
            connection.writer.forget();
        }
        Err(error) => tracing::debug!(%peer, %error, "RTSP connection lost"),
    }
}

/// Completes when the camera this connection asked for is cut off.
async fn cut(bound_to: &mut watch::Receiver<Option<Arc<Camera>>>) {
    let camera = match bound_to.wait_for(Option::is_some).await {
        Ok(camera) => camera.clone(),
        Err(_) => None,
    };
    match camera {
        Some(camera) => camera.faults.begins(&Fault::Cut).await,
        None => std::future::pending().await,
    }
}

/// Reads requests until the client leaves or talks nonsense; either ends the connection.
async fn read_requests(mut reader: OwnedReadHalf, requests: mpsc::Sender<Incoming>) {
    let mut buffer = BytesMut::with_capacity(4096);
    loop {
        match Message::<Vec<u8>>::parse(&buffer) {
            Ok((message, consumed)) => {
                let _ = buffer.split_to(consumed);
                let incoming = match message {
                    Message::Request(request) => Incoming::Request(request),
                    Message::Data(_) => Incoming::Data,
                    Message::Response(_) => continue,
                };
                if requests.send(incoming).await.is_err() {
                    return;
                }
            }
            Err(ParseError::Incomplete(_)) if buffer.len() < MAX_MESSAGE => {
                match reader.read_buf(&mut buffer).await {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return,
                }
            }
            Err(_) => return,
        }
    }
}

struct Connection {
    server: Arc<Server>,
    writer: OwnedWriteHalf,
    local: IpAddr,
    peer: SocketAddr,
    nonce: String,
    /// The camera last asked for; a cut of it ends this connection.
    bound: watch::Sender<Option<Arc<Camera>>>,
    session: Option<Session>,
    last_sign_of_life: Instant,
}

impl Connection {
    async fn run(&mut self, mut requests: mpsc::Receiver<Incoming>) -> io::Result<End> {
        loop {
            let expiry = self.expiry();
            let unit = async {
                match &mut self.session {
                    Some(session) => session.next_unit().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                incoming = requests.recv() => match incoming {
                    Some(Incoming::Request(request)) => {
                        if let Some(end) = self.serve_request(&request).await? {
                            return Ok(end);
                        }
                    }
                    Some(Incoming::Data) => self.last_sign_of_life = Instant::now(),
                    None => return Ok(End::Closed),
                },
                unit = unit => {
                    if let (Some(unit), Some(session)) = (unit, &mut self.session) {
                        session.send(&unit, &mut self.writer).await?;
                    }
                }
                () = tokio::time::sleep_until(expiry.unwrap_or_else(Instant::now)), if expiry.is_some() => {
                    tracing::info!(peer = %self.peer, "session ended: no sign of life from the client");
                    return Ok(End::Closed);
                }
            }
        }
    }

    fn expiry(&self) -> Option<Instant> {
        let session = self.session.as_ref()?;
        Some(self.last_sign_of_life + Duration::from_secs(session.camera.config.session_timeout_s))
    }

    async fn serve_request(&mut self, request: &Request<Vec<u8>>) -> io::Result<Option<End>> {
        match self.answer(request).await {
            Outcome::Answer(response) => {
                let mut bytes = Vec::new();
                response.write(&mut bytes).map_err(io::Error::other)?;
                transport::write_one(&bytes, &mut self.writer).await?;
                Ok(None)
            }
            Outcome::Silence => Ok(None),
            Outcome::End(end) => Ok(Some(end)),
        }
    }

    async fn answer(&mut self, request: &Request<Vec<u8>>) -> Outcome {
        let target = request
            .request_uri()
            .and_then(|url| Target::parse(url.path()));
        let camera = match &target {
            Some(target) => self.server.cameras.get(&target.camera).cloned(),
            None => self.session.as_ref().map(|session| session.camera.clone()),
        };
        let Some(camera) = camera else {
            let status = if *request.method() == Method::Options {
                StatusCode::Ok
            } else {
                StatusCode::NotFound
            };
            return Outcome::Answer(
                reply(request, status)
                    .header(headers::PUBLIC, METHODS)
                    .build(Vec::new()),
            );
        };
        let newly_bound = self.bound.send_if_modified(|bound| {
            let known = bound
                .as_ref()
                .is_some_and(|bound| Arc::ptr_eq(bound, &camera));
            *bound = Some(camera.clone());
            !known
        });
        if camera.faults.has(&Fault::Cut) || (newly_bound && camera.faults.has(&Fault::Refuse)) {
            return Outcome::End(End::Reset);
        }
        camera.faults.ends(&Fault::Stall).await;
        if let Some(outcome) = refused_keep_alive(request, &camera) {
            return outcome;
        }
        self.last_sign_of_life = Instant::now();
        if *request.method() != Method::Options && !self.signed_in(request, &camera) {
            let challenge = auth::challenge(camera.config.auth, &self.nonce);
            let refusal = reply(request, StatusCode::Unauthorized)
                .header(headers::WWW_AUTHENTICATE, challenge);
            return Outcome::Answer(refusal.build(Vec::new()));
        }
        let response = match request.method() {
            Method::Options => reply(request, StatusCode::Ok)
                .header(headers::PUBLIC, METHODS)
                .build(Vec::new()),
            Method::Describe => describe(request, &camera, target.as_ref()),
            Method::Setup => self.set_up(request, &camera, target.as_ref()).await,
            Method::Play => self.play(request),
            Method::Pause => self.in_session(request, Session::pause),
            Method::GetParameter | Method::SetParameter => self.in_session(request, |_| {}),
            Method::Teardown => self.tear_down(request).await,
            _ => reply(request, StatusCode::MethodNotAllowed)
                .header(headers::ALLOW, METHODS)
                .build(Vec::new()),
        };
        Outcome::Answer(response)
    }

    fn signed_in(&self, request: &Request<Vec<u8>>, camera: &Camera) -> bool {
        if camera.faults.has(&Fault::WrongPassword) {
            return false;
        }
        let Some(credentials) = &camera.config.credentials else {
            return true;
        };
        let Some(given) = request.header(&headers::AUTHORIZATION) else {
            return false;
        };
        let method: &str = request.method().into();
        auth::accepts(
            camera.config.auth,
            credentials,
            &self.nonce,
            method,
            given.as_str(),
        )
    }

    async fn set_up(
        &mut self,
        request: &Request<Vec<u8>>,
        camera: &Arc<Camera>,
        target: Option<&Target>,
    ) -> Response<Vec<u8>> {
        let refuse = |status| reply(request, status).build(Vec::new());
        let Some(target) = target else {
            return refuse(StatusCode::NotFound);
        };
        let Some(feed) = camera.feed(target.rendition).cloned() else {
            return refuse(StatusCode::NotFound);
        };
        let wanted = |track: &Track| {
            target
                .control
                .as_deref()
                .is_none_or(|control| control == track.control())
        };
        let Some(track) = Track::ALL.into_iter().find(wanted) else {
            return refuse(StatusCode::NotFound);
        };
        let Some((payload_type, clock_rate)) = setup::rtp_format(&feed, track) else {
            return refuse(StatusCode::NotFound);
        };
        if self
            .session
            .as_ref()
            .is_some_and(|session| !Arc::ptr_eq(&session.feed, &feed))
        {
            return refuse(StatusCode::AggregateOperationNotAllowed);
        }
        let Ok(Some(offers)) = request.typed_header::<Transports>() else {
            return refuse(StatusCode::UnsupportedTransport);
        };
        let allowed = camera.config.transports;
        let chosen = setup::choose(&offers, track, allowed, self.local, self.peer.ip()).await;
        let Some((transport, parameters)) = chosen else {
            return refuse(StatusCode::UnsupportedTransport);
        };
        let stream = RtpStream::new(transport, payload_type, clock_rate);
        let header = setup::transport_header(parameters, stream.ssrc);
        let session = self
            .session
            .get_or_insert_with(|| Session::new(session_id(camera), camera.clone(), feed));
        session.set_up(track, stream);
        reply(request, StatusCode::Ok)
            .header(headers::SESSION, session_header(session))
            .typed_header(&header)
            .build(Vec::new())
    }

    fn play(&mut self, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let Some(session) = matching(self.session.as_mut(), request) else {
            return reply(request, StatusCode::SessionNotFound).build(Vec::new());
        };
        session.play(&self.server.clock);
        let base = request
            .request_uri()
            .map(|url| url.as_str().trim_end_matches('/').to_owned())
            .unwrap_or_default();
        let info = session.streams().map(|(track, stream)| {
            let (sequence, timestamp) = (stream.next_sequence(), stream.start_timestamp);
            format!(
                "url={base}/{};seq={sequence};rtptime={timestamp}",
                track.control()
            )
        });
        reply(request, StatusCode::Ok)
            .header(headers::SESSION, session_header(session))
            .header(headers::RANGE, "npt=now-")
            .header(headers::RTP_INFO, info.collect::<Vec<_>>().join(","))
            .build(Vec::new())
    }

    fn in_session(
        &mut self,
        request: &Request<Vec<u8>>,
        act: impl FnOnce(&mut Session),
    ) -> Response<Vec<u8>> {
        match matching(self.session.as_mut(), request) {
            Some(session) => {
                act(session);
                reply(request, StatusCode::Ok)
                    .header(headers::SESSION, session_header(session))
                    .build(Vec::new())
            }
            None => reply(request, StatusCode::SessionNotFound).build(Vec::new()),
        }
    }

    async fn tear_down(&mut self, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let response = self.in_session(request, Session::pause);
        if response.status() == StatusCode::Ok {
            self.say_goodbye().await;
            self.session = None;
        }
        response
    }

    async fn say_goodbye(&self) {
        for (_, stream) in self.session.iter().flat_map(Session::streams) {
            stream.say_goodbye().await;
        }
    }
}

/// The session a request speaks of, if it is this connection's.
fn matching<'a>(
    session: Option<&'a mut Session>,
    request: &Request<Vec<u8>>,
) -> Option<&'a mut Session> {
    let given = request.header(&headers::SESSION)?.as_str();
    let id = given.split(';').next().unwrap_or_default().trim();
    session.filter(|session| session.id == id)
}
