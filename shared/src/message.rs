//! Sentences for people about the state of recordings, each with a code, English and Arabic.
//!
//! What belongs here is what agent and coordinator both say. Sentences are whole: no program builds
//! one from pieces.

use serde::Serialize;

use crate::timeline::{Cause, Reason};

/// One sentence in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Stable, for programs: the name as in JSON.
    pub code: &'static str,
    pub en: &'static str,
    pub ar: &'static str,
}

impl Message {
    pub const fn new(code: &'static str, en: &'static str, ar: &'static str) -> Self {
        Self { code, en, ar }
    }
}

/// Why a stretch is not recorded, and what to do about it where something can be done.
pub const fn reason(reason: Reason) -> Message {
    match reason {
        Reason::CameraUnreachable => Message::new(
            "camera_unreachable",
            "Nothing answers at the camera's address. Check its power, its cable and the address.",
            "لا يوجد ردّ من عنوان الكاميرا. تحقّق من التيار والكابل والعنوان.",
        ),
        Reason::CameraRefusedCredentials => Message::new(
            "camera_refused_credentials",
            "The camera refuses the user name or the password. Correct them in the settings.",
            "ترفض الكاميرا اسم المستخدم أو كلمة المرور. صحّحهما في الإعدادات.",
        ),
        Reason::CameraProtocolError => Message::new(
            "camera_protocol_error",
            "The camera answers, but not with a usable video stream. Check the path in its address.",
            "تستجيب الكاميرا، ولكن من دون بثّ فيديو صالح. تحقّق من المسار في عنوانها.",
        ),
        Reason::CameraCodecUnsupported => Message::new(
            "camera_codec_unsupported",
            "The camera sends a video format that cannot be recorded. Set it to H.264 or H.265.",
            "ترسل الكاميرا صيغة فيديو لا يمكن تسجيلها. اضبطها على H.264 أو H.265.",
        ),
        Reason::CameraDisconnected => Message::new(
            "camera_disconnected",
            "The camera ended the connection.",
            "أنهت الكاميرا الاتصال.",
        ),
        Reason::CameraStalled => Message::new(
            "camera_stalled",
            "The camera is connected but sent no picture.",
            "الكاميرا متصلة لكنها لم ترسل أي صورة.",
        ),
        Reason::CameraClockJumped => Message::new(
            "camera_clock_jumped",
            "The camera's clock jumped. Check its time settings.",
            "قفزت ساعة الكاميرا. تحقّق من إعدادات الوقت فيها.",
        ),
        Reason::CameraParametersChanged => Message::new(
            "camera_parameters_changed",
            "The camera changed its video settings; pictures could not be used until the next key frame.",
            "غيّرت الكاميرا إعدادات الفيديو، فلم تكن الصور صالحة حتى الإطار المفتاحي التالي.",
        ),
        Reason::PacketsLost => Message::new(
            "packets_lost",
            "Pictures were lost between camera and agent. Check the network.",
            "فُقدت صور بين الكاميرا والوكيل. تحقّق من الشبكة.",
        ),
        Reason::DiskFull => Message::new(
            "disk_full",
            "The disk is full, and nothing more may be deleted. Free some space.",
            "القرص ممتلئ ولا يجوز حذف المزيد. وفّر مساحة خالية.",
        ),
        Reason::DiskReadOnly => Message::new(
            "disk_read_only",
            "The disk refuses to be written to. It may be failing; check it.",
            "القرص يرفض الكتابة، وقد يكون على وشك التعطّل. افحصه.",
        ),
        Reason::DiskError => Message::new(
            "disk_error",
            "Reading from or writing to the disk failed. Check the disk.",
            "تعذّرت القراءة من القرص أو الكتابة عليه. افحص القرص.",
        ),
        Reason::DiskTooSlow => Message::new(
            "disk_too_slow",
            "The disk could not keep up with the cameras.",
            "لم يستطع القرص مجاراة الكاميرات.",
        ),
        Reason::TailLost => Message::new(
            "tail_lost",
            "The last moment before a power cut or crash had not reached the disk.",
            "اللحظة الأخيرة قبل انقطاع التيار أو تعطّل البرنامج لم تصل إلى القرص.",
        ),
        Reason::FileDamaged => Message::new(
            "file_damaged",
            "The recorded file was damaged; what could be read of it was kept.",
            "كان ملف التسجيل تالفًا، واحتُفظ بما أمكنت قراءته منه.",
        ),
        Reason::AgentStopped => Message::new(
            "agent_stopped",
            "The agent was stopped and started again in an orderly way.",
            "أُوقف الوكيل ثم شُغّل من جديد بطريقة سليمة.",
        ),
        Reason::AgentCrashed => Message::new(
            "agent_crashed",
            "The agent ended unexpectedly and was started again.",
            "توقّف الوكيل فجأة ثم أُعيد تشغيله.",
        ),
        Reason::AgentFault => Message::new(
            "agent_fault",
            "A fault in the agent interrupted the recording of this camera; it started again by itself. Report it with the agent's log.",
            "قطع خلل في الوكيل تسجيل هذه الكاميرا ثم استؤنف تلقائيًا. أبلغ عنه مرفقًا بسجلّ الوكيل.",
        ),
        Reason::HostDown => Message::new(
            "host_down",
            "The agent's computer was off or lost power.",
            "كان حاسوب الوكيل مطفأً أو انقطع عنه التيار.",
        ),
        Reason::HostOverloaded => Message::new(
            "host_overloaded",
            "The agent's computer could not keep up.",
            "لم يستطع حاسوب الوكيل مجاراة الحمل.",
        ),
        Reason::HostClockStepped => Message::new(
            "host_clock_stepped",
            "The clock of the agent's computer was set forward or back.",
            "قُدّمت ساعة حاسوب الوكيل أو أُخّرت.",
        ),
        Reason::OperatorRestart => Message::new(
            "operator_restart",
            "Someone restarted the camera or changed its settings.",
            "أعاد شخص ما تشغيل الكاميرا أو غيّر إعداداتها.",
        ),
        Reason::CameraAdded => Message::new(
            "camera_added",
            "The camera was newly added and was being connected to for the first time.",
            "أُضيفت الكاميرا حديثًا وكان الاتصال بها جاريًا للمرة الأولى.",
        ),
        Reason::OperatorDeleted => Message::new(
            "operator_deleted",
            "Someone deleted the recording.",
            "حذف شخص ما التسجيل.",
        ),
        Reason::RecordingOff => Message::new(
            "recording_off",
            "Recording is switched off.",
            "التسجيل متوقف بحسب الإعدادات.",
        ),
        Reason::OutsideSchedule => Message::new(
            "outside_schedule",
            "The schedule does not ask for a recording at this time.",
            "الجدول لا يطلب تسجيلًا في هذا الوقت.",
        ),
        Reason::NoEvent => Message::new(
            "no_event",
            "The camera is recorded only around events, and there was none.",
            "لا تُسجَّل الكاميرا إلا عند الأحداث، ولم يقع أي حدث.",
        ),
        Reason::ExpiredByAge => Message::new(
            "expired_by_age",
            "Deleted because it was older than recordings are kept.",
            "حُذف لأنه تجاوز مدة الاحتفاظ بالتسجيلات.",
        ),
        Reason::ExpiredBySpace => Message::new(
            "expired_by_space",
            "Deleted from the agent to make room, after it was uploaded.",
            "حُذف من الوكيل لتوفير مساحة بعد رفعه.",
        ),
        Reason::ExpiredBeforeUpload => Message::new(
            "expired_before_upload",
            "Deleted to make room before it could be uploaded. Give the agent more space or a faster uplink.",
            "حُذف لتوفير مساحة قبل أن يُرفع. زوّد الوكيل بمساحة أكبر أو باتصال أسرع.",
        ),
    }
}

/// Who is to blame, as a heading.
pub const fn cause(cause: Cause) -> Message {
    match cause {
        Cause::Camera => Message::new("camera", "Camera", "الكاميرا"),
        Cause::Network => Message::new("network", "Network", "الشبكة"),
        Cause::Disk => Message::new("disk", "Disk", "القرص"),
        Cause::Host => Message::new("host", "Agent's computer", "حاسوب الوكيل"),
        Cause::Operator => Message::new("operator", "Operator", "المشغّل"),
        Cause::Policy => Message::new("policy", "Policy", "السياسة"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn is_arabic(text: &str) -> bool {
        text.chars()
            .any(|letter| ('\u{0621}'..='\u{064a}').contains(&letter))
    }

    #[test]
    fn every_reason_has_a_sentence_of_its_own_in_both_languages() {
        let mut seen = BTreeSet::new();
        for known in Reason::ALL {
            let message = reason(known);
            let json = serde_json::to_string(&known).unwrap();
            assert_eq!(json, format!("\"{}\"", message.code));
            assert!(message.en.ends_with('.') && message.en.is_ascii(), "{json}");
            assert!(message.ar.ends_with('.') && is_arabic(message.ar), "{json}");
            assert!(seen.insert(message.en) && seen.insert(message.ar), "{json}");
        }
    }

    #[test]
    fn every_cause_has_a_heading_in_both_languages() {
        for known in Reason::ALL.map(Reason::cause) {
            let message = cause(known);
            let json = serde_json::to_string(&known).unwrap();
            assert_eq!(json, format!("\"{}\"", message.code));
            assert!(!message.en.is_empty() && is_arabic(message.ar));
        }
    }
}
