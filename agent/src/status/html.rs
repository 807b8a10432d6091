//! How the report looks. Logical directions only; the language sets the direction once, for the
//! whole page.

use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};
use shared::codec::VideoCodec;
use shared::message::Message;

use super::report::{BufferReport, CameraReport, Health, Report, Time, UplinkReport};
use super::text::{self, Language};

/// Seconds after which the browser asks again.
const REFRESH: &str = "5";

/// What every part of the page needs to know.
#[derive(Clone, Copy)]
struct Context<'a> {
    language: Language,
    zone: &'a TimeZone,
}

pub(super) fn page(report: &Report, language: Language, zone: &TimeZone) -> Markup {
    let context = Context { language, zone };
    let other = match language {
        Language::English => Language::Arabic,
        Language::Arabic => Language::English,
    };
    html! {
        (DOCTYPE)
        html lang=(language.tag()) dir=(language.direction()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="refresh" content=(REFRESH);
                title { (context.say(text::TITLE)) " · " (report.agent.name) }
                link rel="stylesheet" href="/page.css";
            }
            body {
                header {
                    div {
                        h1 { bdi { (report.agent.name) } }
                        p.quiet {
                            (context.say(text::VERSION_LABEL)) " " bdi { (report.agent.version) } " · "
                            (context.say(text::RUNNING_SINCE)) " " (context.time(report.agent.started))
                        }
                    }
                    (context.badge(report.health))
                    a.language href={ "/?lang=" (other.tag()) } lang=(other.tag()) { (context.say(text::OTHER_LANGUAGE)) }
                }
                main {
                    (context.uplink(&report.uplink))
                    (context.buffer(&report.buffer))
                    section.wide {
                        h2 { (context.say(text::CAMERAS)) " (" bdi { (report.cameras.len()) } ")" }
                        @if report.cameras.is_empty() { p { (context.say(text::NO_CAMERAS)) } }
                        div.cameras { @for camera in &report.cameras { (context.camera(camera)) } }
                    }
                }
                footer.quiet { (context.say(text::AS_OF)) " " (context.time(report.agent.now)) }
            }
        }
    }
}

impl Context<'_> {
    const fn say(self, message: Message) -> &'static str {
        self.language.of(message)
    }

    fn badge(self, health: Health) -> Markup {
        let (class, message) = match health {
            Health::Good => ("good", text::ALL_GOOD),
            Health::Attention => ("attention", text::ATTENTION),
            Health::Trouble => ("trouble", text::TROUBLE),
        };
        html! { span.badge.(class) { (self.say(message)) } }
    }

    fn uplink(self, uplink: &UplinkReport) -> Markup {
        html! {
            section {
                h2 { (self.say(text::UPLINK)) " " (self.badge(uplink.health)) }
                p { (self.say(uplink.message)) }
                (self.detail(uplink.detail.as_deref()))
                dl {
                    (self.row(text::SITE, uplink.site_name.as_ref().map(|name| html! { bdi { (name) } })))
                    (self.row(text::ADDRESS, uplink.address.as_ref().map(|address| html! {
                        bdi { (address) @if let Some(route) = uplink.route { " (" (route.to_uppercase()) ")" } }
                    })))
                    (self.row(text::SINCE, Some(self.time(uplink.since))))
                    (self.row(text::LAST_CONNECTED, uplink.last_connected.map(|time| self.time(time))))
                    (self.row(text::ROUND_TRIP, uplink.round_trip_us.map(|us| self.milliseconds(us))))
                    (self.row(text::REPORTS_WAITING, Some(html! { bdi { (uplink.metadata_backlog) } })))
                    (self.row(text::UPLOADS_WAITING, Some(html! { bdi { (uplink.upload_backlog) } })))
                    (self.row(text::UPLOADED_TODAY, Some(self.bytes(uplink.uploaded_today_bytes))))
                }
            }
        }
    }

    fn buffer(self, buffer: &BufferReport) -> Markup {
        html! {
            section {
                h2 { (self.say(text::STORAGE)) " " (self.badge(buffer.health)) }
                p { (self.say(buffer.message)) }
                meter min="0" max=(buffer.total_bytes) value=(buffer.total_bytes.saturating_sub(buffer.free_bytes)) {}
                dl {
                    (self.row(text::TOTAL, Some(self.bytes(buffer.total_bytes))))
                    (self.row(text::FREE, Some(self.bytes(buffer.free_bytes))))
                    (self.row(text::USED, Some(self.bytes(buffer.used_bytes))))
                    (self.row(text::RESERVE, Some(self.bytes(buffer.reserve_bytes))))
                    (self.row(text::UNSENT, Some(self.bytes(buffer.unsent_bytes))))
                    (self.row(text::OLDEST, buffer.oldest.map(|time| self.time(time))))
                    (self.row(text::FORECAST, buffer.deletes_unsent_at.map(|time| self.time(time))))
                }
            }
        }
    }

    fn camera(self, camera: &CameraReport) -> Markup {
        html! {
            article {
                h3 { bdi { (camera.name) } " " (self.badge(camera.health)) }
                p { (self.say(camera.message)) }
                @if let Some(reason) = camera.not_recorded.filter(|reason| *reason != camera.message) {
                    p { strong { (self.say(text::NOT_RECORDED)) } " — " (self.say(reason)) }
                }
                @if let Some(sound) = camera.sound_not_recorded {
                    p { (self.say(sound)) }
                }
                (self.detail(camera.detail.as_deref()))
                dl {
                    (self.row(text::SINCE, camera.since.map(|time| self.time(time))))
                    (self.row(text::LAST_PICTURE, camera.age_ms.map(|age| self.age(age))))
                    (self.row(text::BITRATE, (camera.bits_per_second > 0).then(|| self.megabits(camera.bits_per_second))))
                    (self.row(text::PICTURE, camera.picture.map(|picture| html! {
                        bdi { (codec(picture.codec)) " " (picture.width) "×" (picture.height) }
                        ", " bdi { (decimal(u64::from(camera.milli_fps), 1_000)) " " (self.say(text::FRAMES)) }
                    })))
                    (self.row(text::RECORDED_UNTIL, camera.recorded_until.map(|time| self.time(time))))
                    (self.row(text::DURABLE_UNTIL, camera.durable_until.map(|time| self.time(time))))
                }
            }
        }
    }

    fn row(self, label: Message, value: Option<Markup>) -> Markup {
        html! {
            @if let Some(value) = value {
                div { dt { (self.say(label)) } dd { (value) } }
            }
        }
    }

    /// Technicians' text is English on every page.
    fn detail(self, detail: Option<&str>) -> Markup {
        html! {
            @if let Some(detail) = detail {
                details {
                    summary { (self.say(text::TECHNICAL)) }
                    p lang="en" dir="ltr" { (detail) }
                }
            }
        }
    }

    fn time(self, time: Time) -> Markup {
        let shown = jiff::Timestamp::from_microsecond(time.0.as_micros())
            .map(|instant| instant.to_zoned(self.zone.clone()))
            .map_or_else(
                |_| String::new(),
                |zoned| zoned.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            );
        html! { time datetime=(time.0.to_rfc3339()) dir="ltr" { (shown) } }
    }

    fn age(self, millis: i64) -> Markup {
        let seconds = u64::try_from(millis).unwrap_or(0) / 1_000;
        let (count, unit) = match seconds {
            0..120 => (seconds, text::SECONDS),
            120..7_200 => (seconds / 60, text::MINUTES),
            _ => (seconds / 3_600, text::HOURS),
        };
        html! { bdi { (count) " " (self.say(unit)) } }
    }

    fn milliseconds(self, micros: u64) -> Markup {
        html! { bdi { (decimal(micros, 1_000)) " " (self.say(text::MILLISECONDS)) } }
    }

    fn megabits(self, bits: u64) -> Markup {
        html! { bdi { (decimal(bits, 1_000_000)) " " (self.say(text::MEGABITS)) } }
    }

    fn bytes(self, bytes: u64) -> Markup {
        let (unit, name) = if bytes < 1_000_000_000 {
            (1_000_000, text::MEGABYTES)
        } else {
            (1_000_000_000, text::GIGABYTES)
        };
        html! { bdi { (decimal(bytes, unit)) " " (self.say(name)) } }
    }
}

const fn codec(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::H264 => "H.264",
        VideoCodec::H265 => "H.265",
    }
}

/// With one digit after the point.
fn decimal(value: u64, unit: u64) -> String {
    format!("{}.{}", value / unit, value % unit * 10 / unit)
}
