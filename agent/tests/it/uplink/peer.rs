//! A coordinator as small as can be that speaks the real protocol over real QUIC, notes everything,
//! and misbehaves on request.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use data_encoding::BASE64;
use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivatePkcs8KeyDer};
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::clock::{Clock, SystemClock};
use shared::hash::Sha256;
use shared::id::{AgentId, SegmentId, SiteId};
use shared::segment::SegmentMeta;
use shared::wire::control::{FromAgent, Heartbeat, Hello, ToAgent, Welcome};
use shared::wire::enrol::{EnrolAnswer, EnrolCode, EnrolRefusal, EnrolRequest};
use shared::wire::segment::{
    Growth, Record, RecordBody, Report, ReportAck, UploadAnswer, UploadOffer, UploadResult,
    Watermark,
};
use shared::wire::{ALPN, ALPN_ENROL, CloseCode, PROTOCOL_MAX, SERVER_NAME, StreamHeader, codec};
use tokio::sync::watch;

/// How the peer behaves; may be changed at any time.
#[derive(Clone, Debug)]
pub(super) struct Behaviour {
    pub(super) enrolment: Result<(), EnrolRefusal>,
    /// Closes a connection that says hello.
    pub(super) turn_away: Option<CloseCode>,
    pub(super) protocol: u32,
    /// Cuts the connection when so many bytes of recordings have arrived in all; each once.
    pub(super) cuts: Vec<u64>,
    /// Answers to the next offers instead of the truth.
    pub(super) answers: Vec<UploadAnswer>,
    /// What the first offer of every recording is answered instead of the truth.
    pub(super) first_answer: Option<UploadAnswer>,
    /// Results of the next uploads instead of the truth.
    pub(super) results: Vec<UploadResult>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            enrolment: Ok(()),
            turn_away: None,
            protocol: PROTOCOL_MAX,
            cuts: Vec::new(),
            answers: Vec::new(),
            first_answer: None,
            results: Vec::new(),
        }
    }
}

/// What the peer has seen and keeps.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) enrolled: Vec<EnrolRequestSeen>,
    pub(super) hellos: Vec<Hello>,
    pub(super) heartbeats: Vec<Heartbeat>,
    pub(super) outcomes: Vec<FromAgent>,
    pub(super) records: BTreeMap<u64, Record>,
    pub(super) growing: Vec<Growth>,
    pub(super) watermarks: Vec<Watermark>,
    pub(super) offers: Vec<UploadOffer>,
    /// Bytes of recordings that came in, again or not.
    pub(super) received: u64,
    pub(super) partial: HashMap<SegmentId, Vec<u8>>,
    pub(super) stored: HashMap<SegmentId, Vec<u8>>,
    /// Offers of segments whose record had not come.
    pub(super) early_offers: u64,
}

#[derive(Clone, Debug)]
pub(super) struct EnrolRequestSeen {
    pub(super) secret: String,
    pub(super) name: String,
}

impl Seen {
    pub(super) fn segments(&self) -> HashMap<SegmentId, SegmentMeta> {
        self.records
            .values()
            .filter_map(|record| match &record.body {
                RecordBody::Segment(meta) => Some((meta.head.id, meta.clone())),
                _ => None,
            })
            .collect()
    }
}

struct Inner {
    endpoint: quinn::Endpoint,
    issuer: Issuer<'static, KeyPair>,
    authority: CertificateDer<'static>,
    authority_pem: String,
    behaviour: Mutex<Behaviour>,
    seen: watch::Sender<Seen>,
    /// The connection that greeted last, and the way to its control stream.
    live: watch::Sender<
        Option<(
            quinn::Connection,
            Arc<tokio::sync::Mutex<quinn::SendStream>>,
        )>,
    >,
    clock: SystemClock,
}

#[derive(Clone)]
pub(super) struct Peer(Arc<Inner>);

impl Peer {
    pub(super) fn start() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let endpoint = listen(&issuer, certificate.der().clone());
        let peer = Self(Arc::new(Inner {
            endpoint: endpoint.clone(),
            issuer,
            authority: certificate.der().clone(),
            authority_pem: certificate.pem(),
            behaviour: Mutex::default(),
            seen: watch::Sender::default(),
            live: watch::Sender::new(None),
            clock: SystemClock::new(),
        }));
        let accepting = peer.clone();
        tokio::spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                let peer = accepting.clone();
                tokio::spawn(async move {
                    if let Ok(connection) = incoming.await {
                        peer.serve(connection).await;
                    }
                });
            }
        });
        peer
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.0.endpoint.local_addr().unwrap()
    }

    pub(super) fn code(&self) -> EnrolCode {
        EnrolCode {
            host: self.address().ip().to_string(),
            port: self.address().port(),
            authority: Sha256::of(&self.0.authority),
            secret: SecretString::from("secret"),
        }
    }

    pub(super) fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.0.behaviour.lock().unwrap());
    }

    pub(super) fn seen(&self) -> watch::Receiver<Seen> {
        self.0.seen.subscribe()
    }

    /// The present connection; waits for one.
    pub(super) async fn connection(&self) -> quinn::Connection {
        let mut live = self.0.live.subscribe();
        let live = live.wait_for(Option::is_some).await.unwrap();
        live.as_ref().unwrap().0.clone()
    }

    /// Says something on the control stream; anything that is JSON.
    pub(super) async fn say<T: Serialize>(&self, message: &T) {
        let sender = {
            let mut live = self.0.live.subscribe();
            let live = live.wait_for(Option::is_some).await.unwrap();
            Arc::clone(&live.as_ref().unwrap().1)
        };
        write(&mut *sender.lock().await, message).await.unwrap();
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        self.0.seen.send_modify(change);
    }

    async fn serve(&self, connection: quinn::Connection) {
        let data = connection.handshake_data().unwrap();
        let protocol = data.downcast::<HandshakeData>().unwrap().protocol;
        if protocol.as_deref() == Some(ALPN_ENROL) {
            let _ = self.enrol(&connection).await;
            connection.closed().await;
            return;
        }
        while let Ok((send, receive)) = connection.accept_bi().await {
            let (peer, connection) = (self.clone(), connection.clone());
            tokio::spawn(async move { peer.stream(connection, send, receive).await });
        }
    }

    async fn enrol(&self, connection: &quinn::Connection) -> Option<()> {
        let (mut send, mut receive) = connection.accept_bi().await.ok()?;
        let request: EnrolRequest = read(&mut receive).await?;
        self.note(|seen| {
            seen.enrolled.push(EnrolRequestSeen {
                secret: request.secret.clone(),
                name: request.name.clone(),
            });
        });
        let refusal = self.0.behaviour.lock().unwrap().enrolment.err();
        let answer = match refusal {
            Some(reason) => EnrolAnswer::Refused { reason },
            None => self.certify(&request),
        };
        write(&mut send, &answer).await?;
        send.finish().ok()
    }

    fn certify(&self, request: &EnrolRequest) -> EnrolAnswer {
        let der = BASE64.decode(request.csr.as_bytes()).unwrap();
        let der = CertificateSigningRequestDer::from(der);
        let request = CertificateSigningRequestParams::from_der(&der).unwrap();
        let now = self.0.clock.wall();
        EnrolAnswer::Enrolled {
            agent: AgentId::new(now),
            site: SiteId::new(now),
            site_name: "North".to_owned(),
            certificate_chain: request.signed_by(&self.0.issuer).unwrap().pem(),
            authority: self.0.authority_pem.clone(),
        }
    }

    async fn stream(
        &self,
        connection: quinn::Connection,
        send: quinn::SendStream,
        mut receive: quinn::RecvStream,
    ) -> Option<()> {
        match read(&mut receive).await? {
            StreamHeader::Control => self.control(connection, send, receive).await,
            StreamHeader::Metadata => self.metadata(send, receive).await,
            StreamHeader::Upload(offer) => self.upload(connection, send, receive, offer).await,
            StreamHeader::Fetch(_)
            | StreamHeader::Live(_)
            | StreamHeader::Gop(_)
            | StreamHeader::Unknown => panic!("not from an agent, or not like this"),
        }
    }

    async fn control(
        &self,
        connection: quinn::Connection,
        mut send: quinn::SendStream,
        mut receive: quinn::RecvStream,
    ) -> Option<()> {
        let FromAgent::Hello(hello) = read(&mut receive).await? else {
            panic!("the first message is a hello");
        };
        self.note(|seen| seen.hellos.push(hello));
        let behaviour = self.0.behaviour.lock().unwrap().clone();
        if let Some(code) = behaviour.turn_away {
            connection.close(code.as_u32().into(), b"turned away");
            return None;
        }
        let welcome = Welcome {
            protocol: behaviour.protocol,
            version: "test".to_owned(),
            now: self.0.clock.wall(),
            heartbeat_ms: 500,
        };
        write(&mut send, &ToAgent::Welcome(welcome)).await?;
        let live = (connection, Arc::new(tokio::sync::Mutex::new(send)));
        self.0.live.send_replace(Some(live));
        loop {
            match read(&mut receive).await? {
                FromAgent::Heartbeat(heartbeat) => {
                    self.note(|seen| seen.heartbeats.push(heartbeat));
                }
                outcome @ FromAgent::CommandResult { .. } => {
                    self.note(|seen| seen.outcomes.push(outcome));
                }
                FromAgent::Hello(_) | FromAgent::Cameras { .. } | FromAgent::Unknown => {}
            }
        }
    }

    async fn metadata(
        &self,
        mut send: quinn::SendStream,
        mut receive: quinn::RecvStream,
    ) -> Option<()> {
        loop {
            let report: Report = read(&mut receive).await?;
            let last = report.records.last().map(|record| record.seq);
            self.note(|seen| {
                for record in report.records {
                    seen.records.insert(record.seq, record);
                }
                seen.growing.extend(report.growing);
                seen.watermarks = report.watermarks;
            });
            if let Some(through) = last {
                write(&mut send, &ReportAck { through }).await?;
            }
        }
    }

    async fn upload(
        &self,
        connection: quinn::Connection,
        mut send: quinn::SendStream,
        mut receive: quinn::RecvStream,
        offer: UploadOffer,
    ) -> Option<()> {
        let mut known = false;
        self.note(|seen| {
            known = seen.segments().contains_key(&offer.segment);
            seen.early_offers += u64::from(!known);
            seen.offers.push(offer.clone());
        });
        let answer = self.answer(&offer);
        write(&mut send, &answer).await?;
        if !matches!(answer, UploadAnswer::Want { .. }) {
            return send.finish().ok();
        }
        while let Ok(Some(chunk)) = receive.read_chunk(64 * 1024, true).await {
            if self.arrived(offer.segment, &chunk.bytes) {
                connection.close(CloseCode::ShuttingDown.as_u32().into(), b"cut");
                return None;
            }
        }
        let result = self.judge(&offer);
        write(&mut send, &result).await?;
        send.finish().ok()
    }

    fn answer(&self, offer: &UploadOffer) -> UploadAnswer {
        let behaviour = &mut *self.0.behaviour.lock().unwrap();
        if !behaviour.answers.is_empty() {
            return behaviour.answers.remove(0);
        }
        let seen = self.0.seen.borrow();
        let of_it = seen.offers.iter();
        let of_it = of_it.filter(|earlier| earlier.segment == offer.segment);
        if let (1, Some(answer)) = (of_it.count(), &behaviour.first_answer) {
            return answer.clone();
        }
        if seen.stored.contains_key(&offer.segment) {
            return UploadAnswer::Have;
        }
        let partial = seen.partial.get(&offer.segment).map_or(0, Vec::len);
        UploadAnswer::Want {
            from: u64::try_from(partial).unwrap(),
        }
    }

    /// Whether the connection is to be cut now.
    fn arrived(&self, segment: SegmentId, bytes: &Bytes) -> bool {
        let mut received = 0;
        self.note(|seen| {
            seen.received += u64::try_from(bytes.len()).unwrap();
            received = seen.received;
            seen.partial
                .entry(segment)
                .or_default()
                .extend_from_slice(bytes);
        });
        let cuts = &mut self.0.behaviour.lock().unwrap().cuts;
        let due = cuts.first().is_some_and(|cut| *cut <= received);
        if due {
            cuts.remove(0);
        }
        due
    }

    /// Compares the bytes with the index, as the real one does.
    fn judge(&self, offer: &UploadOffer) -> UploadResult {
        let results = &mut self.0.behaviour.lock().unwrap().results;
        let mut verdict = UploadResult::Corrupt { from: 0 };
        self.note(|seen| {
            let bytes = seen.partial.remove(&offer.segment).unwrap_or_default();
            if !results.is_empty() {
                verdict = results.remove(0);
                return;
            }
            let meta = seen.segments().remove(&offer.segment).unwrap();
            let whole = meta.fragments.iter().all(|fragment| {
                let range = usize::try_from(fragment.offset).unwrap()
                    ..usize::try_from(fragment.end_offset()).unwrap();
                bytes
                    .get(range)
                    .is_some_and(|bytes| Sha256::of(bytes) == fragment.sha256)
            });
            if whole && u64::try_from(bytes.len()).unwrap() == meta.size {
                seen.stored.insert(offer.segment, bytes);
                verdict = UploadResult::Stored;
            }
        });
        verdict
    }
}

fn listen(issuer: &Issuer<'_, KeyPair>, authority: CertificateDer<'static>) -> quinn::Endpoint {
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![SERVER_NAME.to_owned()])
        .unwrap()
        .signed_by(&key, issuer)
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.clone()).unwrap();
    let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(roots),
        Arc::clone(&provider),
    )
    .allow_unauthenticated()
    .build()
    .unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![leaf.der().clone(), authority],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    config.alpn_protocols = vec![ALPN.to_vec(), ALPN_ENROL.to_vec()];
    let config = QuicServerConfig::try_from(config).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(config));
    quinn::Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap()
}

pub(super) async fn read<T: DeserializeOwned>(stream: &mut quinn::RecvStream) -> Option<T> {
    let mut prefix = [0; codec::LENGTH_BYTES];
    stream.read_exact(&mut prefix).await.ok()?;
    let mut body = vec![0; codec::body_length(prefix).ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some(codec::decode(&body).unwrap())
}

pub(super) async fn write<T: Serialize>(stream: &mut quinn::SendStream, message: &T) -> Option<()> {
    stream
        .write_all(&codec::encode(message).unwrap())
        .await
        .ok()
}
