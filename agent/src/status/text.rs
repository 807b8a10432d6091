//! The words of the page, in both languages. Sentences about gaps are [`shared::message`]'s.

use shared::message::Message;

/// Of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Arabic,
}

impl Language {
    /// The one asked for, else the first accepted that we have, else English.
    pub(super) fn choose(asked: Option<&str>, accepted: Option<&str>) -> Self {
        asked
            .into_iter()
            .chain(accepted.unwrap_or_default().split(','))
            .find_map(Self::from_tag)
            .unwrap_or(Self::English)
    }

    /// Of a tag such as `ar-AE;q=0.8`.
    fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_', ';']).next()?;
        match primary.to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "ar" => Some(Self::Arabic),
            _ => None,
        }
    }

    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Arabic => "ar",
        }
    }

    pub(super) const fn direction(self) -> &'static str {
        match self {
            Self::English => "ltr",
            Self::Arabic => "rtl",
        }
    }

    pub(super) const fn of(self, message: Message) -> &'static str {
        match self {
            Self::English => message.en,
            Self::Arabic => message.ar,
        }
    }
}

macro_rules! texts {
    ($($name:ident = $code:literal, $en:literal, $ar:literal;)*) => {
        $(pub(super) const $name: Message = Message::new($code, $en, $ar);)*

        #[cfg(test)]
        const ALL: &[Message] = &[$($name),*];
    };
}

texts! {
    // The states of a camera.
    LIVE = "live", "Pictures arrive.", "الصور تصل.";
    STALE = "stale", "The last picture is old.", "آخر صورة قديمة.";
    CONNECTING = "connecting", "Connecting to the camera.", "جارٍ الاتصال بالكاميرا.";
    OFF = "off", "Switched off in the settings.", "متوقفة بحسب الإعدادات.";
    SOUND_UNSUPPORTED = "sound_unsupported",
        "The camera's sound is not recorded, because its format cannot be; the video is. Set the sound to AAC or G.711.",
        "لا يُسجَّل صوت الكاميرا لأن صيغته غير مدعومة، أما الفيديو فيُسجَّل. اضبط الصوت على AAC أو G.711.";

    // The states of the disk.
    DISK_GOOD = "disk_good", "Recordings are being kept.", "التسجيلات محفوظة.";
    DELETES_SOON = "deletes_soon",
        "At this rate, recordings that have not been uploaded will be deleted within a month. Give the agent more space or a faster uplink.",
        "بهذا المعدّل ستُحذف خلال شهر تسجيلات لم تُرفع بعد. زوّد الوكيل بمساحة أكبر أو باتصال أسرع.";
    RESERVE_TOO_LARGE = "reserve_too_large",
        "The disk is smaller than the space that the settings keep free. Reduce buffer.reserve_bytes or use a larger disk.",
        "القرص أصغر من المساحة التي تبقيها الإعدادات خالية. قلّل buffer.reserve_bytes أو استخدم قرصًا أكبر.";

    // The states of the uplink.
    CONNECTED = "connected", "Connected to the coordinator.", "متصل بالمنسّق.";
    DIALLING = "connecting_uplink", "Connecting to the coordinator.", "جارٍ الاتصال بالمنسّق.";
    WAITING = "waiting",
        "The coordinator cannot be reached. Recording goes on; everything is sent later.",
        "لا يمكن الوصول إلى المنسّق. التسجيل مستمر وسيُرسل كل شيء لاحقًا.";
    NOT_ENROLLED = "not_enrolled",
        "Recording on its own. To connect it to a coordinator, run: cctv-agent enroll",
        "يسجّل بمفرده. لربطه بمنسّق نفّذ: cctv-agent enroll";
    ELSEWHERE = "elsewhere",
        "What answers at the coordinator's address is not this agent's coordinator. Recording goes on. Check the address; if the coordinator was installed anew, ask for a new enrolment code.",
        "ما يجيب من عنوان المنسّق ليس منسّق هذا الوكيل. التسجيل مستمر. تحقّق من العنوان، وإن أُعيد تثبيت المنسّق فاطلب رمز تسجيل جديدًا.";
    REVOKED = "revoked",
        "The coordinator does not accept this agent any more. Recording goes on. Ask for a new enrolment code and run: cctv-agent enroll --replace",
        "لم يعد المنسّق يقبل هذا الوكيل. التسجيل مستمر. اطلب رمز تسجيل جديدًا ونفّذ: cctv-agent enroll --replace";
    VERSION = "version",
        "Agent and coordinator are too far apart in version. Recording goes on. Update the older one.",
        "إصدارا الوكيل والمنسّق غير متوافقين. التسجيل مستمر. حدّث الأقدم منهما.";
    REPLACED = "replaced",
        "Another agent is connected with this agent's identity. Was its data directory copied to another computer?",
        "وكيل آخر متصل بهوية هذا الوكيل. هل نُسخ مجلد بياناته إلى حاسوب آخر؟";
    BROKEN = "broken",
        "The agent's key or enrolment cannot be used. Recording goes on. Enrol it again.",
        "لا يمكن استخدام مفتاح الوكيل أو تسجيله لدى المنسّق. التسجيل مستمر. أعد تسجيله.";
    CERTIFICATE_ENDS = "certificate_ends",
        "The agent's certificate ends within a month. Ask for a new enrolment code.",
        "تنتهي شهادة الوكيل خلال شهر. اطلب رمز تسجيل جديدًا.";

    // The page around them.
    TITLE = "title", "CCTV agent", "وكيل المراقبة";
    ALL_GOOD = "good", "All is well", "كل شيء على ما يرام";
    ATTENTION = "attention", "Needs attention", "يحتاج إلى انتباه";
    TROUBLE = "trouble", "Trouble", "توجد مشكلة";
    OTHER_LANGUAGE = "other_language", "العربية", "English";
    CAMERAS = "cameras", "Cameras", "الكاميرات";
    NO_CAMERAS = "no_cameras", "No camera is configured.", "لا توجد كاميرا في الإعدادات.";
    STORAGE = "storage", "Storage", "التخزين";
    UPLINK = "uplink", "Coordinator", "المنسّق";
    VERSION_LABEL = "version_label", "Version", "الإصدار";
    RUNNING_SINCE = "running_since", "Running since", "يعمل منذ";
    AS_OF = "as_of", "As of", "حتى";
    LAST_PICTURE = "last_picture", "Age of last picture", "عمر آخر صورة";
    BITRATE = "bitrate", "Bit rate", "معدّل البتّات";
    PICTURE = "picture", "Picture", "الصورة";
    SINCE = "since", "Since", "منذ";
    RECORDED_UNTIL = "recorded_until", "Recorded until", "مسجّل حتى";
    DURABLE_UNTIL = "durable_until", "Safe on disk until", "محفوظ على القرص حتى";
    NOT_RECORDED = "not_recorded", "Not recorded", "غير مسجّل";
    TECHNICAL = "technical", "For the technician", "للفنّي";
    FREE = "free", "Free", "المتاح";
    USED = "used", "Recordings", "التسجيلات";
    TOTAL = "total", "Disk", "القرص";
    RESERVE = "reserve", "Kept free", "يُترك خاليًا";
    UNSENT = "unsent", "Not uploaded yet", "لم يُرفع بعد";
    OLDEST = "oldest", "Oldest recording", "أقدم تسجيل";
    FORECAST = "forecast", "Deletes what was not uploaded from", "يبدأ حذف ما لم يُرفع في";
    SITE = "site", "Site", "الموقع";
    ADDRESS = "address", "Address", "العنوان";
    ROUND_TRIP = "round_trip", "Round trip", "زمن الذهاب والإياب";
    REPORTS_WAITING = "reports_waiting", "Reports waiting", "تقارير تنتظر الإرسال";
    UPLOADS_WAITING = "uploads_waiting", "Recordings waiting", "تسجيلات تنتظر الرفع";
    UPLOADED_TODAY = "uploaded_today", "Uploaded today", "رُفع اليوم";
    LAST_CONNECTED = "last_connected", "Last connected", "آخر اتصال";

    // Units.
    SECONDS = "s", "s", "ث";
    MILLISECONDS = "ms", "ms", "م‌ث";
    MINUTES = "min", "min", "د";
    HOURS = "h", "h", "س";
    MEGABITS = "mbit_s", "Mbit/s", "ميغابت/ث";
    FRAMES = "fps", "pictures/s", "صورة/ث";
    MEGABYTES = "mb", "MB", "م.ب";
    GIGABYTES = "gb", "GB", "غ.ب";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_text_has_a_code_of_its_own_and_both_languages() {
        let mut codes = BTreeSet::new();
        for text in ALL {
            assert!(codes.insert(text.code), "{} twice", text.code);
            assert!(!text.en.is_empty() && !text.ar.is_empty(), "{}", text.code);
            let switched = text.code == OTHER_LANGUAGE.code;
            let is_arabic = |t: &str| t.chars().any(|c| ('\u{0621}'..='\u{064a}').contains(&c));
            assert_eq!(is_arabic(text.ar), !switched, "{}", text.code);
            assert_eq!(is_arabic(text.en), switched, "{}", text.code);
        }
    }

    #[test]
    fn the_wish_counts_before_the_browser_and_english_is_the_rest() {
        let choose = Language::choose;
        assert_eq!(choose(Some("ar"), Some("en-US,en;q=0.9")), Language::Arabic);
        assert_eq!(
            choose(None, Some("ar-AE,ar;q=0.9,en;q=0.8")),
            Language::Arabic
        );
        assert_eq!(choose(None, Some("fr-FR, AR;q=0.5")), Language::Arabic);
        assert_eq!(choose(Some("xx"), Some("de")), Language::English);
        assert_eq!(choose(None, None), Language::English);
    }
}
