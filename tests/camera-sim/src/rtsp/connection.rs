//! One RTSP connection: reading requests, answering them, sending the session's media, ending in one of several ways.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rtsp_types::headers::{
    self, RtpLowerTransport, RtpProfile, RtpTransport, RtpTransportParameters, Transports,
};
use rtsp_types::{
    Message, Method, ParseError, Request, Response, ResponseBuilder, StatusCode, Version,
};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::sdp::{self, Oddities};
use super::session::{RtpStream, Session};
use super::transport::{self, Transport, UdpPair};
use super::{Server, Target, auth};
use crate::camera::Camera;
use crate::config;
use crate::fault::{Fault, KeepAliveRefusal, OddSdp};
use crate::media::{Track, VIDEO_CLOCK};
use crate::rtp::VIDEO_PAYLOAD_TYPE;

/// Largest request; no real one comes near.
const MAX_MESSAGE: usize = 64 * 1024;
/// Requests a client may send ahead of their answers.
const MAX_PIPELINED: usize = 8;
const METHODS: &str =
    "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER";

/// What a client sent.
enum Incoming {
    Request(Request<Vec<u8>>),
    /// RTCP within the connection: a sign of life.
    Data,
}

/// How a connection ends.
enum End {
    Closed,
    Reset,
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

/// What to do after a request.
enum Outcome {
    Answer(Response<Vec<u8>>),
    Silence,
    End(End),
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
        let Some((payload_type, clock_rate)) = rtp_format(&feed, track) else {
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
        let Some((transport, parameters)) = self
            .choose_transport(&offers, track, camera.config.transports)
            .await
        else {
            return refuse(StatusCode::UnsupportedTransport);
        };
        let stream = RtpStream::new(transport, payload_type, clock_rate);
        let lower = if parameters.interleaved.is_some() {
            RtpLowerTransport::Tcp
        } else {
            RtpLowerTransport::Udp
        };
        let parameters = RtpTransportParameters {
            unicast: true,
            ssrc: vec![stream.ssrc],
            ..parameters
        };
        let chosen = RtpTransport {
            profile: RtpProfile::Avp,
            lower_transport: Some(lower),
            params: parameters,
        };
        let session = self
            .session
            .get_or_insert_with(|| Session::new(session_id(camera), camera.clone(), feed));
        session.set_up(track, stream);
        reply(request, StatusCode::Ok)
            .header(headers::SESSION, session_header(session))
            .typed_header(&Transports::from(vec![headers::Transport::Rtp(chosen)]))
            .build(Vec::new())
    }

    /// The first of the client's offers this camera supports.
    async fn choose_transport(
        &self,
        offers: &Transports,
        track: Track,
        allowed: config::Transports,
    ) -> Option<(Transport, RtpTransportParameters)> {
        for offer in offers.iter() {
            let headers::Transport::Rtp(offer) = offer else {
                continue;
            };
            if offer.params.multicast {
                continue;
            }
            let tcp = offer.lower_transport == Some(RtpLowerTransport::Tcp);
            match offer.params.client_port {
                _ if tcp && allowed != config::Transports::Udp => {
                    let fallback = 2 * track.index() as u8;
                    let (rtp, rtcp) = offer.params.interleaved.unwrap_or((fallback, None));
                    let rtcp = rtcp.unwrap_or_else(|| rtp.wrapping_add(1));
                    let parameters = RtpTransportParameters {
                        interleaved: Some((rtp, Some(rtcp))),
                        ..Default::default()
                    };
                    return Some((Transport::Interleaved { rtp, rtcp }, parameters));
                }
                Some((rtp, rtcp)) if !tcp && allowed != config::Transports::Tcp => {
                    let client = (rtp, rtcp.unwrap_or_else(|| rtp.wrapping_add(1)));
                    let pair = UdpPair::connect(self.local, self.peer.ip(), client).await;
                    let pair = pair
                        .inspect_err(|error| tracing::warn!(%error, "no UDP ports for a client"))
                        .ok()?;
                    let parameters = RtpTransportParameters {
                        client_port: Some((client.0, Some(client.1))),
                        server_port: Some((pair.ports.0, Some(pair.ports.1))),
                        ..Default::default()
                    };
                    return Some((Transport::Udp(pair), parameters));
                }
                _ => {}
            }
        }
        None
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

fn describe(
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

/// RTP payload type and clock rate of a track; `None` where the rendition has no such track.
fn rtp_format(feed: &crate::source::Feed, track: Track) -> Option<(u8, u32)> {
    match track {
        Track::Video => Some((VIDEO_PAYLOAD_TYPE, VIDEO_CLOCK)),
        Track::Audio => {
            let description = feed.description();
            let audio = description.audio.as_ref()?;
            Some((sdp::audio_payload_type(audio.audio), audio.rate))
        }
    }
}

fn refused_keep_alive(request: &Request<Vec<u8>>, camera: &Camera) -> Option<Outcome> {
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

/// The session a request speaks of, if it is this connection's.
fn matching<'a>(
    session: Option<&'a mut Session>,
    request: &Request<Vec<u8>>,
) -> Option<&'a mut Session> {
    let given = request.header(&headers::SESSION)?.as_str();
    let id = given.split(';').next().unwrap_or_default().trim();
    session.filter(|session| session.id == id)
}

fn session_id(camera: &Camera) -> String {
    let number: u64 = rand::random();
    if is_odd_session(camera) {
        format!("-{number:X}_$.{number:o}+")
    } else {
        format!("{number:016x}")
    }
}

fn session_header(session: &Session) -> String {
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

fn reply(request: &Request<Vec<u8>>, status: StatusCode) -> ResponseBuilder {
    let response = Response::builder(Version::V1_0, status).header(headers::SERVER, "camera-sim");
    match request.header(&headers::CSEQ) {
        Some(sequence) => response.header(headers::CSEQ, sequence.as_str()),
        None => response,
    }
}
