//! What the figures mean for whoever installs the camera. Pure.

use serde::Serialize;
use shared::codec::AudioCodec;
use shared::message::Message;

use super::report::{Playability, ProbeReport};

/// A key frame should come at least this often, in seconds: segments are cut and live view begins
/// there.
const LONG_GOP_SECONDS: f64 = 5.0;

/// Further off than this, a camera's clock confuses whoever reads the time in the picture.
const CLOCK_OFFSET_MS: f64 = 2_000.0;

const UNSTEADY_MS: f64 = 100.0;

/// One conclusion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub grade: Grade,
    #[serde(flatten)]
    pub message: Message,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    Good,
    /// Works, and could be better.
    Attention,
    /// Footage or sound will be missing or cannot be watched.
    Problem,
}

impl Grade {
    /// For a terminal.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Good => "ok  ",
            Self::Attention => "note",
            Self::Problem => "BAD ",
        }
    }
}

/// The worst first.
pub(super) fn on(report: &ProbeReport) -> Vec<Verdict> {
    let mut verdicts: Vec<_> = RULES
        .iter()
        .filter(|rule| (rule.applies)(report))
        .map(|rule| rule.verdict)
        .collect();
    verdicts.sort_by_key(|verdict| std::cmp::Reverse(verdict.grade));
    if verdicts.is_empty() {
        verdicts.push(ALL_GOOD);
    }
    verdicts
}

struct Rule {
    applies: fn(&ProbeReport) -> bool,
    verdict: Verdict,
}

const fn rule(
    applies: fn(&ProbeReport) -> bool,
    grade: Grade,
    code: &'static str,
    en: &'static str,
    ar: &'static str,
) -> Rule {
    Rule {
        applies,
        verdict: Verdict {
            grade,
            message: Message::new(code, en, ar),
        },
    }
}

const ALL_GOOD: Verdict = Verdict {
    grade: Grade::Good,
    message: Message::new(
        "probe_all_good",
        "Video and sound of this camera can be recorded and watched in every browser.",
        "يمكن تسجيل فيديو هذه الكاميرا وصوتها ومشاهدتهما في كل المتصفحات.",
    ),
};

static RULES: [Rule; 13] = [
    rule(
        |report| report.ended.is_some(),
        Grade::Problem,
        "probe_session_ended",
        "The camera ended the session while it was being measured. Check its load and the network.",
        "أنهت الكاميرا الجلسة أثناء القياس. تحقّق من حِملها ومن الشبكة.",
    ),
    rule(
        |report| report.video.browsers == Playability::None,
        Grade::Problem,
        "probe_profile_unplayable",
        "No browser plays this video profile. Choose Main or High for H.264, or Main for H.265.",
        "لا يشغّل أي متصفح ملف تعريف الفيديو هذا. اختر Main أو High لترميز H.264، أو Main لترميز H.265.",
    ),
    rule(
        |report| report.lost_packets > 0,
        Grade::Problem,
        "probe_packets_lost",
        "Packets are lost on the way. Use TCP, and check cable and switch.",
        "تُفقد حزم في الطريق. استخدم TCP وتحقّق من الكابل والمبدّل.",
    ),
    rule(
        |report| report.breaks > 0,
        Grade::Problem,
        "probe_timestamps_break",
        "Timestamps or video settings changed in mid-stream; every change splits the recording. Update the camera's firmware.",
        "تغيّرت الطوابع الزمنية أو إعدادات الفيديو أثناء البثّ، وكل تغيير يقسم التسجيل. حدّث برنامج الكاميرا الثابت.",
    ),
    rule(
        |report| report.video.gop.longer_than_observed,
        Grade::Attention,
        "probe_gop_unknown",
        "No second key frame came while measuring. Live view starts late and seeking is coarse; switch off smart coding or set a key frame every two seconds.",
        "لم يصل إطار مفتاحي ثانٍ أثناء القياس. يبدأ العرض المباشر متأخرًا والتنقّل غير دقيق. عطّل الترميز الذكي أو اضبط إطارًا مفتاحيًا كل ثانيتين.",
    ),
    rule(
        |report| {
            !report.video.gop.longer_than_observed
                && report.video.gop.seconds.most > LONG_GOP_SECONDS
        },
        Grade::Attention,
        "probe_gop_long",
        "Key frames are far apart. Live view starts late and seeking is coarse; set a key frame every two seconds.",
        "الإطارات المفتاحية متباعدة. يبدأ العرض المباشر متأخرًا والتنقّل غير دقيق. اضبط إطارًا مفتاحيًا كل ثانيتين.",
    ),
    rule(
        |report| report.video.browsers == Playability::Some,
        Grade::Attention,
        "probe_h265_browsers",
        "H.265 plays in Safari, and in other browsers only where the computer decodes it in hardware. Choose H.264 where everybody has to watch.",
        "يعمل H.265 في Safari، وفي المتصفحات الأخرى فقط حين يفكّ الحاسوب ترميزه عتاديًا. اختر H.264 حيث يجب أن يشاهد الجميع.",
    ),
    rule(
        |report| report.video.reordered,
        Grade::Attention,
        "probe_reordered",
        "The camera sends pictures out of order (B-frames), which delays live view. Switch B-frames off for live cameras.",
        "ترسل الكاميرا صورًا خارج الترتيب (إطارات B)، مما يؤخّر العرض المباشر. عطّل إطارات B للكاميرات المباشرة.",
    ),
    rule(
        |report| {
            report
                .audio
                .as_ref()
                .is_some_and(|audio| audio.codec.is_none())
        },
        Grade::Attention,
        "probe_sound_unusable",
        "The sound cannot be recorded; the video is recorded without it. Choose AAC.",
        "لا يمكن تسجيل الصوت، ويُسجَّل الفيديو من دونه. اختر AAC.",
    ),
    rule(
        |report| {
            let audio = report.audio.as_ref().and_then(|audio| audio.codec);
            matches!(audio, Some(AudioCodec::Pcma | AudioCodec::Pcmu))
        },
        Grade::Attention,
        "probe_sound_not_in_browsers",
        "The sound is recorded, but browsers do not play G.711. Choose AAC.",
        "يُسجَّل الصوت، لكن المتصفحات لا تشغّل G.711. اختر AAC.",
    ),
    rule(
        |report| report.clock.offset_ms.is_none(),
        Grade::Attention,
        "probe_clock_unknown",
        "The camera does not tell its clock; the time of its pictures is that of their arrival.",
        "لا تُعلم الكاميرا بساعتها، فوقت صورها هو وقت وصولها.",
    ),
    rule(
        |report| {
            report
                .clock
                .offset_ms
                .is_some_and(|offset| offset.abs() > CLOCK_OFFSET_MS)
        },
        Grade::Attention,
        "probe_clock_off",
        "The camera's clock is wrong. Recordings are not affected, the time in the picture is; give the camera a time server.",
        "ساعة الكاميرا غير صحيحة. لا تتأثر التسجيلات، لكن الوقت الظاهر في الصورة يتأثر. حدّد للكاميرا خادم وقت.",
    ),
    rule(
        |report| report.jitter_ms > UNSTEADY_MS,
        Grade::Attention,
        "probe_unsteady",
        "Pictures arrive unsteadily. Check the load of network and camera.",
        "تصل الصور بشكل غير منتظم. تحقّق من حِمل الشبكة والكاميرا.",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_verdict_has_a_code_of_its_own_and_both_languages() {
        let messages: Vec<_> = RULES.iter().map(|rule| rule.verdict.message).collect();
        let codes: HashSet<_> = messages.iter().map(|message| message.code).collect();
        assert_eq!(codes.len(), RULES.len());
        for message in messages {
            assert!(message.code.starts_with("probe_"), "{}", message.code);
            assert!(message.en.ends_with('.'));
            assert!(
                message
                    .ar
                    .chars()
                    .any(|c| ('\u{600}'..'\u{700}').contains(&c))
            );
        }
    }
}
