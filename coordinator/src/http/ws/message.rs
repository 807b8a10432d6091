//! What is said over WebSockets, in both directions.

use serde::{Deserialize, Serialize};
use shared::id::CameraId;
use utoipa::ToSchema;

use super::super::cameras::HealthState;
use super::super::session::Me;
use super::super::streams::{AgencyStreams, StreamStats, StreamTier, StreamUsage, TierUsage};
use super::super::vocabulary::{Reason, Sentence, Timestamp};
use crate::domain::quota::alarm::Limited;
use crate::services::events::{Alert, AlertAbout, CameraNews, Event, LimitsSet};

/// What the coordinator says. Those with a `seq` say how something is from then on, in the order of
/// their numbers, which grow and have gaps; each replaces what was said before about the same thing.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HubMessage {
    /// The first message. `hub` tells the numbers of this coordinator from those of others.
    Hello {
        server_time: Timestamp,
        #[schema(example = "8a4c6e0f2b7d4951a3c5e7f90b1d2f34")]
        hub: String,
    },
    /// Who is signed in or what they may do has changed.
    AccessChanged { me: Box<Me> },
    /// The last message: nobody is signed in any more. The connection is closed with 4401.
    SessionEnded {
        message_en: &'static str,
        message_ar: &'static str,
    },
    /// How many streams there are, as `get_stream_stats` says it.
    StreamStats {
        seq: u64,
        agencies: Vec<AgencyStreams>,
        total: TierUsage,
    },
    /// Another limit holds: of an agency, or of all together where none is named.
    AgencyLimitUpdate {
        seq: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(example = "METRO")]
        agency: Option<String>,
        full: u32,
        reduced: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        offers_reduced: Option<bool>,
    },
    /// A camera is doing otherwise than before.
    CameraStatus {
        seq: u64,
        #[schema(value_type = String, format = Uuid)]
        camera_id: CameraId,
        state: HealthState,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
        /// Since when it has been down.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        /// When its newest picture was taken.
        #[serde(skip_serializing_if = "Option::is_none")]
        newest: Option<Timestamp>,
    },
    /// Something that somebody should look at, or, with `raised` false, that is over.
    Alert {
        seq: u64,
        about: AlertKind,
        raised: bool,
        at: Timestamp,
        message_en: &'static str,
        message_ar: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(example = "METRO")]
        agency: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tier: Option<StreamTier>,
        /// What stood when it was raised or over.
        #[serde(skip_serializing_if = "Option::is_none")]
        usage: Option<StreamUsage>,
    },
}

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlertKind {
    /// More than 95 % of the streams of an agency are in use; over at 90 %.
    AgencyStreams,
    /// The same of all agencies together.
    TotalStreams,
    /// The server on which streams are counted together does not answer.
    QuotaServer,
}

/// What clients may say.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum ClientMessage {
    /// Go on after this message of that hub; with everything, if that is another.
    Resume { after: u64, hub: String },
}

impl HubMessage {
    pub(super) fn new(seq: u64, event: &Event) -> Self {
        match event {
            Event::Streams(streams) => {
                let StreamStats { agencies, total } = (&**streams).into();
                Self::StreamStats {
                    seq,
                    agencies,
                    total,
                }
            }
            Event::Limits(LimitsSet::Agency(agency, allowed)) => Self::AgencyLimitUpdate {
                seq,
                agency: Some(agency.to_string()),
                full: allowed.full,
                reduced: allowed.reduced,
                offers_reduced: Some(allowed.offers_reduced),
            },
            Event::Limits(LimitsSet::Total { full, reduced }) => Self::AgencyLimitUpdate {
                seq,
                agency: None,
                full: *full,
                reduced: *reduced,
                offers_reduced: None,
            },
            Event::Camera(news) => camera(seq, news),
            Event::Alert(news) => alert(seq, news),
        }
    }
}

fn camera(seq: u64, news: &CameraNews) -> HubMessage {
    HubMessage::CameraStatus {
        seq,
        camera_id: news.camera,
        state: news.state.into(),
        reason: news.reason.map(Reason::from),
        since: news.since.map(Timestamp),
        newest: news.newest.map(Timestamp),
    }
}

fn alert(seq: u64, alert: &Alert) -> HubMessage {
    let (about, limited) = match &alert.about {
        AlertAbout::Streams(limited @ Limited::Pool(_), usage) => {
            (AlertKind::AgencyStreams, Some((limited, usage)))
        }
        AlertAbout::Streams(limited @ Limited::All(_), usage) => {
            (AlertKind::TotalStreams, Some((limited, usage)))
        }
        AlertAbout::QuotaServer => (AlertKind::QuotaServer, None),
    };
    let (agency, tier) = match limited {
        Some((Limited::Pool(pool), _)) => (Some(pool.agency.to_string()), Some(pool.tier)),
        Some((Limited::All(tier), _)) => (None, Some(*tier)),
        None => (None, None),
    };
    let Sentence { en, ar } = sentence(about, alert.raised);
    HubMessage::Alert {
        seq,
        about,
        raised: alert.raised,
        at: alert.at.into(),
        message_en: en,
        message_ar: ar,
        agency,
        tier: tier.map(StreamTier::from),
        usage: limited.map(|(_, usage)| (*usage).into()),
    }
}

const fn sentence(about: AlertKind, raised: bool) -> Sentence {
    let (en, ar) = match (about, raised) {
        (AlertKind::AgencyStreams, true) => (
            "Almost all streams of an agency are in use.",
            "تكاد بثوث إحدى الجهات تُستنفد.",
        ),
        (AlertKind::AgencyStreams, false) => (
            "The agency has streams left again.",
            "توفرت للجهة بثوث من جديد.",
        ),
        (AlertKind::TotalStreams, true) => (
            "Almost all streams of the system are in use.",
            "تكاد بثوث النظام كله تُستنفد.",
        ),
        (AlertKind::TotalStreams, false) => (
            "The system has streams left again.",
            "توفرت في النظام بثوث من جديد.",
        ),
        (AlertKind::QuotaServer, true) => (
            "The server on which streams are counted does not answer.",
            "لا يستجيب الخادم الذي تُحتسب عليه البثوث.",
        ),
        (AlertKind::QuotaServer, false) => (
            "The server on which streams are counted answers again.",
            "عاد الخادم الذي تُحتسب عليه البثوث إلى الاستجابة.",
        ),
    };
    Sentence { en, ar }
}
