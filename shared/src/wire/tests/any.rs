//! Messages with anything in them that their types allow.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use crate::codec::{AudioCodec, VideoCodec};
use crate::hash::Sha256;
use crate::id::{AgentId, BootId, CameraId, CommandId, LedgerId, RunId, SegmentId, SiteId};
use crate::segment::{
    FragmentMeta, SegmentHead, SegmentMeta, Signature, StreamKind, TrackKind, TrackMeta,
};
use crate::time::{Ticks90k, TimeRange, WallTime};
use crate::timeline::{LedgerEntry, Reason};
use crate::wire::StreamHeader;
use crate::wire::control::{
    Action, AuditHead, BufferStatus, CameraInfo, CameraPolicy, Command, CommandOutcome, FromAgent,
    Heartbeat, Hello, RecordingMode, StreamState, StreamStatus, ToAgent, UplinkStatus,
    UploadPolicy, Welcome,
};
use crate::wire::enrol::{EnrolAnswer, EnrolRefusal};
use crate::wire::live::{AudioConfig, GopHeader, LiveFact, LiveRequest, TrackConfig};
use crate::wire::segment::{
    FetchAnswer, FetchRequest, Growth, Record, RecordBody, Report, UploadAnswer, UploadOffer,
    UploadResult, Watermark,
};

macro_rules! ids {
    ($($function:ident: $id:ident,)*) => {$(
        fn $function() -> impl Strategy<Value = $id> {
            any::<u128>().prop_map(|bits| $id::from_uuid(Uuid::from_u128(bits)))
        }
    )*};
}

ids! {
    agent: AgentId,
    boot: BootId,
    camera: CameraId,
    command: CommandId,
    ledger: LedgerId,
    run: RunId,
    segment: SegmentId,
    site: SiteId,
}

fn wall() -> impl Strategy<Value = WallTime> {
    any::<i64>().prop_map(WallTime::from_micros)
}

fn ticks() -> impl Strategy<Value = Ticks90k> {
    any::<i64>().prop_map(Ticks90k::new)
}

fn hash() -> impl Strategy<Value = Sha256> {
    any::<[u8; 32]>().prop_map(Sha256::from_bytes)
}

fn range() -> impl Strategy<Value = TimeRange> {
    (wall(), wall())
        .prop_map(|(one, other)| TimeRange::new(one.min(other), one.max(other)).expect("in order"))
}

fn stream() -> impl Strategy<Value = StreamKind> {
    select(vec![StreamKind::Main, StreamKind::Sub])
}

fn reason() -> impl Strategy<Value = Reason> {
    select(vec![
        Reason::CameraUnreachable,
        Reason::PacketsLost,
        Reason::DiskFull,
        Reason::HostClockStepped,
        Reason::OperatorDeleted,
        Reason::ExpiredBeforeUpload,
    ])
}

fn text() -> impl Strategy<Value = String> {
    ".{0,20}"
}

fn fragment() -> impl Strategy<Value = FragmentMeta> {
    let place = (any::<u64>(), any::<u32>(), ticks(), ticks());
    (place, wall(), any::<bool>(), any::<u32>(), hash()).prop_map(
        |((offset, length, media_start, duration), wall_start, sync, samples, sha256)| {
            FragmentMeta {
                offset,
                length,
                media_start,
                duration,
                wall_start,
                sync,
                samples,
                sha256,
            }
        },
    )
}

fn track() -> impl Strategy<Value = TrackMeta> {
    let kind = prop_oneof![
        any::<(u16, u16)>().prop_map(|(width, height)| TrackKind::Video { width, height }),
        any::<(u32, u8)>().prop_map(|(sample_rate, channels)| TrackKind::Audio {
            sample_rate,
            channels
        }),
    ];
    (text(), kind).prop_map(|(codec, kind)| TrackMeta { codec, kind })
}

fn head() -> impl Strategy<Value = SegmentHead> {
    let ids = (segment(), camera(), stream(), run());
    let init = (any::<u32>(), hash());
    (ids, init, vec(track(), 0..3), option::of(any::<u64>())).prop_map(
        |((id, camera, stream, run), (init_length, init_sha256), tracks, wall_uncertainty_us)| {
            SegmentHead {
                id,
                camera,
                stream,
                run,
                init_length,
                init_sha256,
                tracks,
                wall_uncertainty_us,
            }
        },
    )
}

fn meta() -> impl Strategy<Value = SegmentMeta> {
    let signature =
        vec(any::<u8>(), 64).prop_map(|bytes| Signature::from_slice(&bytes).expect("64 bytes"));
    (
        head(),
        any::<u64>(),
        vec(fragment(), 0..4),
        hash(),
        signature,
    )
        .prop_map(|(head, size, fragments, root, signature)| SegmentMeta {
            head,
            size,
            fragments,
            root,
            signature,
        })
}

fn entry() -> impl Strategy<Value = LedgerEntry> {
    (
        ledger(),
        camera(),
        stream(),
        range(),
        reason(),
        option::of(text()),
    )
        .prop_map(|(id, camera, stream, range, reason, detail)| LedgerEntry {
            id,
            camera,
            stream,
            range,
            reason,
            detail,
        })
}

fn record() -> impl Strategy<Value = Record> {
    let body = prop_oneof![
        meta().prop_map(RecordBody::Segment),
        entry().prop_map(RecordBody::Gap),
        (segment(), wall()).prop_map(|(segment, at)| RecordBody::Evicted { segment, at }),
        segment().prop_map(|segment| RecordBody::Discarded { segment }),
    ];
    (any::<u64>(), body).prop_map(|(seq, body)| Record { seq, body })
}

pub(super) fn report() -> impl Strategy<Value = Report> {
    let growth =
        (head(), any::<u32>(), vec(fragment(), 0..4)).prop_map(|(head, first, fragments)| Growth {
            head,
            first,
            fragments,
        });
    let watermark =
        (camera(), stream(), wall()).prop_map(|(camera, stream, reported_until)| Watermark {
            camera,
            stream,
            reported_until,
        });
    (vec(record(), 0..4), vec(growth, 0..3), vec(watermark, 0..3)).prop_map(
        |(records, growing, watermarks)| Report {
            records,
            growing,
            watermarks,
        },
    )
}

fn camera_info() -> impl Strategy<Value = CameraInfo> {
    (camera(), text(), vec(stream(), 0..3), any::<bool>(), wall()).prop_map(
        |(id, name, streams, recording, since)| CameraInfo {
            id,
            name,
            streams,
            recording,
            since,
        },
    )
}

fn hello() -> impl Strategy<Value = Hello> {
    let versions = (any::<u32>(), any::<u32>());
    let texts = (text(), text(), option::of(text()));
    let rest = (
        agent(),
        boot(),
        wall(),
        vec(camera_info(), 0..3),
        option::of(audit_head()),
    );
    (versions, texts, rest).prop_map(
        |(
            (protocol_min, protocol_max),
            (version, host, time_zone),
            (agent, boot, now, cameras, audit_head),
        )| Hello {
            protocol_min,
            protocol_max,
            agent,
            boot,
            version,
            host,
            time_zone,
            now,
            cameras,
            audit_head,
        },
    )
}

fn audit_head() -> impl Strategy<Value = AuditHead> {
    (any::<u32>(), any::<u64>(), hash(), wall()).prop_map(|(chain, number, hash, at)| AuditHead {
        chain,
        number,
        hash,
        at,
    })
}

fn stream_status() -> impl Strategy<Value = StreamStatus> {
    let state = prop_oneof![
        Just(StreamState::Off),
        Just(StreamState::Connecting),
        Just(StreamState::Live),
        (reason(), wall()).prop_map(|(reason, since)| StreamState::Down { reason, since }),
    ];
    let times = (option::of(wall()), option::of(wall()), option::of(wall()));
    let figures = (
        any::<u64>(),
        any::<u32>(),
        option::of(any::<u64>()),
        option::of(any::<i64>()),
    );
    let ids = (camera(), stream(), option::of(run()), option::of(segment()));
    (ids, state, times, figures).prop_map(
        |((camera, stream, run, segment), state, times, figures)| StreamStatus {
            camera,
            stream,
            state,
            last_picture: times.0,
            recorded_until: times.1,
            durable_until: times.2,
            bits_per_second: figures.0,
            milli_fps: figures.1,
            clock_uncertainty_us: figures.2,
            clock_offset_us: figures.3,
            run,
            segment,
        },
    )
}

fn heartbeat() -> impl Strategy<Value = Heartbeat> {
    let buffer = (
        any::<[u64; 5]>(),
        option::of(wall()),
        option::of(wall()),
        option::of(reason()),
    )
        .prop_map(|(bytes, oldest, deletes_unsent_at, fault)| BufferStatus {
            total_bytes: bytes[0],
            free_bytes: bytes[1],
            used_bytes: bytes[2],
            reserve_bytes: bytes[3],
            unsent_bytes: bytes[4],
            oldest,
            deletes_unsent_at,
            fault,
        });
    let uplink = (
        any::<[u64; 2]>(),
        option::of(any::<i64>()),
        option::of(any::<u64>()),
    )
        .prop_map(|(backlog, clock_offset_us, round_trip_us)| UplinkStatus {
            metadata_backlog: backlog[0],
            upload_backlog: backlog[1],
            clock_offset_us,
            round_trip_us,
        });
    (wall(), vec(stream_status(), 0..3), buffer, uplink).prop_map(
        |(now, streams, buffer, uplink)| Heartbeat {
            now,
            streams,
            buffer,
            uplink,
        },
    )
}

pub(super) fn from_agent() -> impl Strategy<Value = FromAgent> {
    let outcome = prop_oneof![
        option::of(text()).prop_map(|report| CommandOutcome::Done {
            report: report.map(serde_json::Value::from),
        }),
        text().prop_map(|message| CommandOutcome::Failed { message }),
        Just(CommandOutcome::Unsupported),
    ];
    prop_oneof![
        hello().prop_map(FromAgent::Hello),
        heartbeat().prop_map(FromAgent::Heartbeat),
        (command(), outcome).prop_map(|(id, outcome)| FromAgent::CommandResult { id, outcome }),
        vec(camera_info(), 0..3).prop_map(|cameras| FromAgent::Cameras { cameras }),
    ]
}

fn policy() -> impl Strategy<Value = CameraPolicy> {
    let recording = select(vec![
        RecordingMode::Continuous,
        RecordingMode::Scheduled,
        RecordingMode::Event,
        RecordingMode::Off,
    ]);
    let upload = select(vec![
        UploadPolicy::All,
        UploadPolicy::Events,
        UploadPolicy::OnDemand,
        UploadPolicy::Schedule,
    ]);
    (
        camera(),
        option::of(recording),
        option::of(upload),
        option::of(any::<u32>()),
    )
        .prop_map(
            |(camera, recording, upload, retention_hours)| CameraPolicy {
                camera,
                recording,
                upload,
                retention_hours,
            },
        )
}

pub(super) fn to_agent() -> impl Strategy<Value = ToAgent> {
    let action = prop_oneof![
        (camera(), stream()).prop_map(|(camera, stream)| Action::Probe { camera, stream }),
        camera().prop_map(|camera| Action::RestartCamera { camera }),
        (any::<u64>(), vec(policy(), 0..3))
            .prop_map(|(revision, policies)| Action::Configure { revision, policies }),
    ];
    let welcome = (any::<u32>(), text(), wall(), any::<u32>()).prop_map(
        |(protocol, version, now, heartbeat_ms)| Welcome {
            protocol,
            version,
            now,
            heartbeat_ms,
        },
    );
    prop_oneof![
        welcome.prop_map(ToAgent::Welcome),
        (command(), action).prop_map(|(id, action)| ToAgent::Command(Command { id, action })),
        audit_head().prop_map(ToAgent::AuditHead),
    ]
}

pub(super) fn stream_header() -> impl Strategy<Value = StreamHeader> {
    let offer = (segment(), any::<u64>(), hash()).prop_map(|(segment, size, root)| UploadOffer {
        segment,
        size,
        root,
    });
    let request =
        (segment(), any::<u64>(), any::<u64>()).prop_map(|(segment, start, end)| FetchRequest {
            segment,
            start,
            end,
        });
    let kind = select(vec![StreamKind::Main, StreamKind::Sub]);
    let pull = (any::<u64>(), camera(), kind).prop_map(|(pull, camera, stream)| LiveRequest {
        pull,
        camera,
        stream,
    });
    prop_oneof![
        Just(StreamHeader::Control),
        Just(StreamHeader::Metadata),
        offer.prop_map(StreamHeader::Upload),
        request.prop_map(StreamHeader::Fetch),
        pull.prop_map(StreamHeader::Live),
        gop().prop_map(StreamHeader::Gop),
    ]
}

fn octets() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

fn gop() -> impl Strategy<Value = GopHeader> {
    let video = (select(vec![VideoCodec::H264, VideoCodec::H265]), octets())
        .prop_map(|(codec, config)| TrackConfig { codec, config });
    let codec = select(vec![
        AudioCodec::Aac,
        AudioCodec::Pcma,
        AudioCodec::Pcmu,
        AudioCodec::Opus,
    ]);
    let audio = (codec, octets(), any::<u32>(), any::<u8>()).prop_map(
        |(codec, config, sample_rate, channels)| AudioConfig {
            track: TrackConfig { codec, config },
            sample_rate,
            channels,
        },
    );
    (any::<u64>(), any::<u64>(), run(), video, option::of(audio)).prop_map(
        |(pull, gop, run, video, audio)| GopHeader {
            pull,
            gop,
            run,
            video,
            audio,
        },
    )
}

pub(super) fn live_fact() -> impl Strategy<Value = LiveFact> {
    prop_oneof![
        Just(LiveFact::Alive),
        (reason(), wall()).prop_map(|(reason, since)| LiveFact::Down { reason, since }),
        text().prop_map(|message| LiveFact::NotFound { message }),
    ]
}

pub(super) fn upload_answer() -> impl Strategy<Value = UploadAnswer> {
    prop_oneof![
        any::<u64>().prop_map(|from| UploadAnswer::Want { from }),
        Just(UploadAnswer::Have),
        any::<u32>().prop_map(|after_ms| UploadAnswer::Later { after_ms }),
        text().prop_map(|message| UploadAnswer::Refused { message }),
    ]
}

pub(super) fn upload_result() -> impl Strategy<Value = UploadResult> {
    prop_oneof![
        Just(UploadResult::Stored),
        any::<u64>().prop_map(|from| UploadResult::Corrupt { from }),
        text().prop_map(|message| UploadResult::Failed { message }),
    ]
}

pub(super) fn fetch_answer() -> impl Strategy<Value = FetchAnswer> {
    prop_oneof![
        any::<u64>().prop_map(|length| FetchAnswer::Bytes { length }),
        text().prop_map(|message| FetchAnswer::NotFound { message }),
        text().prop_map(|message| FetchAnswer::Failed { message }),
    ]
}

pub(super) fn enrol_answer() -> impl Strategy<Value = EnrolAnswer> {
    let refusal = select(vec![
        EnrolRefusal::UnknownCode,
        EnrolRefusal::CodeUsed,
        EnrolRefusal::CodeExpired,
        EnrolRefusal::BadRequest,
    ]);
    prop_oneof![
        (agent(), site(), text(), text(), text()).prop_map(
            |(agent, site, site_name, certificate_chain, authority)| EnrolAnswer::Enrolled {
                agent,
                site,
                site_name,
                certificate_chain,
                authority,
            }
        ),
        refusal.prop_map(|reason| EnrolAnswer::Refused { reason }),
    ]
}
