//! An agent as the protocol page describes it, as small as it can be: a real quinn client with a
//! real certificate.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use data_encoding::BASE64;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, SigningKey as _};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::TLS13;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::id::{AgentId, BootId, CameraId, SegmentId};
use shared::segment::{SegmentMeta, Signature, StreamKind};
use shared::testing::Segment;
use shared::time::WallTime;
use shared::wire::control::{
    AuditHead, BufferStatus, CameraInfo, Command, CommandOutcome, FromAgent, Heartbeat, Hello,
    StreamState, StreamStatus, ToAgent, UplinkStatus, Welcome,
};
use shared::wire::enrol::{EnrolAnswer, EnrolCode, EnrolRequest};
use shared::wire::segment::{
    FetchAnswer, FetchRequest, Record, RecordBody, Report, ReportAck, UploadAnswer, UploadOffer,
    UploadResult, Watermark,
};
use shared::wire::{ALPN, ALPN_ENROL, SERVER_NAME, StreamHeader, codec};
use tokio::time::timeout;

use crate::world::{LIMIT, World};

/// A key, and after enrolment a certificate.
pub(crate) struct Peer {
    pub(crate) id: AgentId,
    pub(crate) key: KeyPair,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) authority: CertificateDer<'static>,
}

impl Peer {
    /// Invites and enrols an agent.
    pub(crate) async fn enrolled(world: &World, site: &str) -> Self {
        let admin = world.admin().await;
        let body =
            serde_json::json!({ "site_name": site, "agent_name": format!("agent at {site}") });
        let invite = admin.post("/api/v1/agents/invites", &body).await;
        assert_eq!(invite.status, 201, "{:?}", invite.body);
        let code: EnrolCode = invite.body["code"].as_str().unwrap().parse().unwrap();
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        match enrol(world, &code, &key).await.unwrap() {
            EnrolAnswer::Enrolled {
                agent,
                certificate_chain,
                authority,
                ..
            } => Self {
                id: agent,
                key,
                chain: certificates(&certificate_chain),
                authority: certificates(&authority).remove(0),
            },
            answer => panic!("{answer:?}"),
        }
    }

    /// Connects and greets.
    pub(crate) async fn connect(&self, world: &World, cameras: &[CameraInfo]) -> Work {
        let connection = self.dial(world.agents).await.unwrap();
        Work::begin(self, connection, cameras).await.unwrap()
    }

    pub(crate) async fn dial(&self, address: SocketAddr) -> anyhow::Result<Connection> {
        let identity = Some((self.chain.clone(), &self.key));
        dial(&endpoint(), address, &self.authority, ALPN, identity).await
    }

    /// A segment's metadata as this agent would sign it.
    pub(crate) fn sign(&self, segment: &Segment) -> SegmentMeta {
        let mut meta = segment.meta.clone();
        let signature = self.key.sign(&meta.statement()).unwrap();
        meta.signature = Signature::from_slice(&signature).unwrap();
        meta
    }

    pub(crate) fn hello(&self, cameras: &[CameraInfo]) -> Hello {
        Hello {
            protocol_min: 1,
            protocol_max: 1,
            agent: self.id,
            boot: BootId::new(WallTime::from_secs(1)),
            version: "0.0.0-test".into(),
            host: "a test".into(),
            time_zone: Some("Asia/Dubai".into()),
            now: WallTime::from_secs(1),
            cameras: cameras.to_vec(),
            audit_head: None,
        }
    }
}

pub(crate) fn endpoint() -> Endpoint {
    Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap()
}

/// Asks for a certificate.
pub(crate) async fn enrol(
    world: &World,
    code: &EnrolCode,
    key: &KeyPair,
) -> anyhow::Result<EnrolAnswer> {
    enrol_at(world.agents, &authority_file(world), code, key).await
}

/// The same where no world is.
pub(crate) async fn enrol_at(
    address: SocketAddr,
    authority: &Path,
    code: &EnrolCode,
    key: &KeyPair,
) -> anyhow::Result<EnrolAnswer> {
    let csr = CertificateParams::default().serialize_request(key)?;
    let request = EnrolRequest {
        secret: code.secret.expose_secret().to_owned(),
        csr: BASE64.encode(csr.der()),
        name: "test agent".into(),
        version: "0.0.0-test".into(),
    };
    ask(
        address,
        &CertificateDer::from_pem_file(authority)?,
        &request,
    )
    .await
}

pub(crate) async fn enrol_with(
    world: &World,
    request: &EnrolRequest,
) -> anyhow::Result<EnrolAnswer> {
    ask(world.agents, &authority_of(world), request).await
}

async fn ask(
    address: SocketAddr,
    authority: &CertificateDer<'static>,
    request: &EnrolRequest,
) -> anyhow::Result<EnrolAnswer> {
    let connection = dial(&endpoint(), address, authority, ALPN_ENROL, None).await?;
    let (mut send, mut receive) = connection.open_bi().await?;
    write(&mut send, request).await?;
    send.finish()?;
    read(&mut receive).await
}

/// The authority's certificate, as its file has it.
pub(crate) fn authority_of(world: &World) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(authority_file(world)).unwrap()
}

fn authority_file(world: &World) -> PathBuf {
    world.config.data_dir.join("authority.pem")
}

pub(crate) fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap()
}

pub(crate) async fn dial(
    endpoint: &Endpoint,
    address: SocketAddr,
    authority: &CertificateDer<'static>,
    alpn: &[u8],
    identity: Option<(Vec<CertificateDer<'static>>, &KeyPair)>,
) -> anyhow::Result<Connection> {
    let config = client_config(authority, alpn, identity);
    let connecting = endpoint.connect_with(config, address, SERVER_NAME)?;
    Ok(timeout(LIMIT, connecting).await??)
}

pub(crate) fn client_config(
    authority: &CertificateDer<'static>,
    alpn: &[u8],
    identity: Option<(Vec<CertificateDer<'static>>, &KeyPair)>,
) -> quinn::ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        Some((chain, key)) => {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
            config.with_client_auth_cert(chain, key).unwrap()
        }
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    let crypto = QuicClientConfig::try_from(config).unwrap();
    quinn::ClientConfig::new(Arc::new(crypto))
}

pub(crate) fn camera(name: &str, since: WallTime) -> CameraInfo {
    CameraInfo {
        id: CameraId::new(since),
        name: name.into(),
        streams: vec![StreamKind::Main],
        recording: true,
        since,
    }
}

pub(crate) async fn write<T: Serialize>(send: &mut SendStream, message: &T) -> anyhow::Result<()> {
    Ok(send.write_chunk(codec::encode(message)?).await?)
}

pub(crate) async fn read<T: DeserializeOwned>(receive: &mut RecvStream) -> anyhow::Result<T> {
    let message = async {
        let mut prefix = [0; codec::LENGTH_BYTES];
        receive.read_exact(&mut prefix).await?;
        let mut body = vec![0; codec::body_length(prefix)?];
        receive.read_exact(&mut body).await?;
        Ok(codec::decode(&body)?)
    };
    timeout(LIMIT, message).await?
}

/// A connection after its greeting.
pub(crate) struct Work {
    pub(crate) connection: Connection,
    pub(crate) control: SendStream,
    pub(crate) orders: RecvStream,
    pub(crate) welcome: Welcome,
    metadata: Option<(SendStream, RecvStream)>,
}

impl Work {
    pub(crate) async fn begin(
        peer: &Peer,
        connection: Connection,
        cameras: &[CameraInfo],
    ) -> anyhow::Result<Self> {
        Self::greet(connection, peer.hello(cameras)).await
    }

    pub(crate) async fn greet(connection: Connection, hello: Hello) -> anyhow::Result<Self> {
        let (mut control, mut orders) = connection.open_bi().await?;
        write(&mut control, &StreamHeader::Control).await?;
        write(&mut control, &FromAgent::Hello(hello)).await?;
        match read(&mut orders).await? {
            ToAgent::Welcome(welcome) => Ok(Self {
                connection,
                control,
                orders,
                welcome,
                metadata: None,
            }),
            other => anyhow::bail!("{other:?} instead of a welcome"),
        }
    }

    /// One camera with a picture of this moment.
    pub(crate) async fn heartbeat(
        &mut self,
        camera: CameraId,
        now: WallTime,
    ) -> anyhow::Result<()> {
        let status = StreamStatus {
            camera,
            stream: StreamKind::Main,
            state: StreamState::Live,
            last_picture: Some(now),
            recorded_until: Some(now),
            durable_until: Some(now),
            bits_per_second: 4_000_000,
            milli_fps: 25_000,
            clock_uncertainty_us: Some(20_000),
            clock_offset_us: None,
            run: None,
            segment: None,
        };
        let heartbeat = FromAgent::Heartbeat(Heartbeat {
            now,
            streams: vec![status],
            buffer: BufferStatus::default(),
            uplink: UplinkStatus::default(),
        });
        write(&mut self.control, &heartbeat).await
    }

    /// Waits for a command and answers it.
    pub(crate) async fn obey(&mut self, outcome: CommandOutcome) -> anyhow::Result<Command> {
        loop {
            match read(&mut self.orders).await? {
                ToAgent::Command(command) => {
                    let id = command.id;
                    write(&mut self.control, &FromAgent::CommandResult { id, outcome }).await?;
                    return Ok(command);
                }
                ToAgent::AuditHead(_) => {}
                other => anyhow::bail!("{other:?} instead of a command"),
            }
        }
    }

    /// Waits for a head of the audit from entry `number` on.
    pub(crate) async fn audit_head(&mut self, number: u64) -> anyhow::Result<AuditHead> {
        loop {
            match read(&mut self.orders).await? {
                ToAgent::AuditHead(head) if head.number >= number => return Ok(head),
                ToAgent::AuditHead(_) => {}
                other => anyhow::bail!("{other:?} instead of a head"),
            }
        }
    }

    pub(crate) async fn report(&mut self, report: &Report) -> anyhow::Result<ReportAck> {
        if self.metadata.is_none() {
            let (mut send, receive) = self.connection.open_bi().await?;
            write(&mut send, &StreamHeader::Metadata).await?;
            self.metadata = Some((send, receive));
        }
        let Some((send, receive)) = &mut self.metadata else {
            unreachable!()
        };
        write(send, report).await?;
        read(receive).await
    }

    /// Reports closed segments as records `first_seq` and following, and the stream as accounted
    /// for until the end of the last.
    pub(crate) async fn report_segments(
        &mut self,
        first_seq: u64,
        segments: &[SegmentMeta],
    ) -> anyhow::Result<ReportAck> {
        let records = segments.iter().zip(first_seq..).map(|(meta, seq)| Record {
            seq,
            body: RecordBody::Segment(meta.clone()),
        });
        let watermark = segments.last().map(|meta| Watermark {
            camera: meta.head.camera,
            stream: meta.head.stream,
            reported_until: meta.wall_range().unwrap().end(),
        });
        self.report(&Report {
            records: records.collect(),
            growing: Vec::new(),
            watermarks: watermark.into_iter().collect(),
        })
        .await
    }

    pub(crate) async fn offer(
        &self,
        meta: &SegmentMeta,
    ) -> anyhow::Result<(SendStream, RecvStream, UploadAnswer)> {
        let (mut send, mut receive) = self.connection.open_bi().await?;
        let offer = StreamHeader::Upload(UploadOffer {
            segment: meta.head.id,
            size: meta.size,
            root: meta.root,
        });
        write(&mut send, &offer).await?;
        let answer = read(&mut receive).await?;
        Ok((send, receive, answer))
    }

    pub(crate) async fn upload(
        &self,
        meta: &SegmentMeta,
        file: &Bytes,
    ) -> anyhow::Result<UploadResult> {
        let (mut send, mut receive, answer) = self.offer(meta).await?;
        let UploadAnswer::Want { from } = answer else {
            anyhow::bail!("{answer:?} to an offer")
        };
        let from = usize::try_from(from)?;
        send.write_chunk(file.slice(from..)).await?;
        send.finish()?;
        read(&mut receive).await
    }

    /// Serves fetches of these files until the connection ends; tells what was asked for.
    pub(crate) fn serve(&self, files: HashMap<SegmentId, Bytes>) -> Arc<Mutex<Vec<FetchRequest>>> {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (connection, log) = (self.connection.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                let Ok(StreamHeader::Fetch(request)) = read(&mut receive).await else {
                    continue;
                };
                log.lock().unwrap().push(request.clone());
                let _ = answer(&mut send, &request, &files).await;
            }
        });
        asked
    }
}

async fn answer(
    send: &mut SendStream,
    request: &FetchRequest,
    files: &HashMap<SegmentId, Bytes>,
) -> anyhow::Result<()> {
    let range = usize::try_from(request.start)?..usize::try_from(request.end)?;
    match files.get(&request.segment) {
        Some(file) if range.end <= file.len() => {
            let length = request.end - request.start;
            write(send, &FetchAnswer::Bytes { length }).await?;
            send.write_chunk(file.slice(range)).await?;
        }
        _ => {
            let message = "no such bytes".into();
            write(send, &FetchAnswer::NotFound { message }).await?;
        }
    }
    Ok(send.finish()?)
}
