//! What each kind of entry says, in both languages. Who and what it was done to stand beside the
//! sentence, never in it.

use super::super::vocabulary::Sentence;
use crate::domain::audit::What;

macro_rules! sentences {
    ($($what:ident: $english:literal, $arabic:literal;)*) => {
        /// Of a kind, or of one that only a newer version knows.
        pub(super) const fn of(what: Option<What>) -> Sentence {
            match what {
                $(Some(What::$what) => Sentence { en: $english, ar: $arabic },)*
                None => Sentence {
                    en: "Something was done that this version does not know.",
                    ar: "حدث إجراء لا يعرفه هذا الإصدار.",
                },
            }
        }
    };
}

sentences! {
    AccessRefused: "Somebody was refused something they may not do or see.", "رُفض طلب لا يملك صاحبه صلاحية تنفيذه أو الاطلاع عليه.";
    AgencyChanged: "An agency was changed.", "تم تعديل جهة.";
    AgencyCreated: "An agency was created.", "تم إنشاء جهة.";
    AgentEnrolled: "An agent was enrolled.", "تم تسجيل وكيل.";
    AgentRevoked: "An agent was revoked.", "تم إلغاء اعتماد وكيل.";
    ApiTokenCreated: "An API token was made.", "تم إنشاء رمز واجهة برمجية.";
    ApiTokenRevoked: "An API token was revoked.", "تم إلغاء رمز واجهة برمجية.";
    AuditChained: "Entries from before the chain were put into it.", "أُدرجت القيود السابقة في سلسلة التدقيق.";
    AuditDisputed: "An agent remembers an entry that is not in the audit.", "يحتفظ وكيل بقيد غير موجود في سجل التدقيق.";
    AuditExplained: "It was explained why agents remember another audit.", "جرى توضيح سبب اختلاف سجل التدقيق عما تحتفظ به الوكلاء.";
    AuditExported: "Entries of the audit were exported.", "تم تصدير قيود من سجل التدقيق.";
    AuditFoundBroken: "An entry of the audit is not what was written.", "وُجد قيد في سجل التدقيق يخالف ما كُتب.";
    AuditSearched: "The audit was searched.", "جرى البحث في سجل التدقيق.";
    CameraChanged: "The settings of a camera were changed.", "تم تغيير إعدادات كاميرا.";
    CameraProbed: "A camera was measured.", "تم فحص كاميرا.";
    CameraRestarted: "A camera's session was restarted.", "أُعيد تشغيل جلسة كاميرا.";
    ConfigurationChanged: "The coordinator started with settings that it had not had before.", "بدأ المنسّق بإعدادات تختلف عن السابقة.";
    EnrolmentRefused: "An agent's enrolment was refused.", "رُفض تسجيل وكيل.";
    EntriesLost: "Entries about views could not be written.", "تعذّرت كتابة قيود عن عمليات مشاهدة.";
    GroupChanged: "A group was changed.", "تم تعديل مجموعة.";
    GroupCreated: "A group was created.", "تم إنشاء مجموعة.";
    GroupDeleted: "A group was deleted.", "تم حذف مجموعة.";
    IamEventReceived: "The authority's identity management told of a change to somebody.", "أبلغ نظام إدارة الهوية لدى الهيئة عن تغيير يخص أحد المستخدمين.";
    IamEventRefused: "An event that claimed to come from the authority's identity management was refused.", "رُفض حدث يدّعي صدوره عن نظام إدارة الهوية لدى الهيئة.";
    IdentitiesUnlinked: "What an identity provider calls somebody was unlinked from the account.", "أُلغي ربط هويات مزوّد الهوية بأحد الحسابات.";
    IdentityLinked: "What an identity provider calls somebody was linked to the account.", "رُبطت هوية لدى مزوّد الهوية بأحد الحسابات.";
    InviteCreated: "An enrolment code was made.", "تم إنشاء رمز تسجيل.";
    KeysRotated: "The signing keys of access tokens were changed.", "تم تغيير مفاتيح توقيع رموز الوصول.";
    LiveClosed: "Somebody stopped watching a camera live.", "توقف شخص عن مشاهدة كاميرا مباشرة.";
    LiveOpened: "Somebody began to watch a camera live.", "بدأ شخص بمشاهدة كاميرا مباشرة.";
    MemberAdded: "Somebody was added to a group.", "أُضيف شخص إلى مجموعة.";
    MemberRemoved: "Somebody was removed from a group.", "أُزيل شخص من مجموعة.";
    ObjectLost: "A stored recording was found missing.", "تبيّن فقدان تسجيل محفوظ.";
    PasswordSet: "A password was set.", "تم تعيين كلمة مرور.";
    PlaybackPrepared: "Playback of a camera was prepared.", "تم تحضير عرض تسجيلات كاميرا.";
    PlaybackSought: "Another stretch of a camera's recordings was watched.", "تمت مشاهدة فترة أخرى من تسجيلات كاميرا.";
    PlaybackViewed: "A camera was watched.", "تمت مشاهدة كاميرا.";
    RateLimited: "Somebody asked for more than is allowed in a time.", "تجاوز أحد المستخدمين الحد المسموح من الطلبات.";
    RecoveryCodeUsed: "A recovery code was used.", "تم استخدام رمز استرداد.";
    RecoveryCodesMade: "New recovery codes were made.", "تم إنشاء رموز استرداد جديدة.";
    RoleChanged: "A role was changed.", "تم تعديل دور.";
    RoleCreated: "A role was created.", "تم إنشاء دور.";
    RoleDeleted: "A role was deleted.", "تم حذف دور.";
    SecondFactorAdded: "A second factor was added.", "تم تفعيل المصادقة الثنائية.";
    SecondFactorRemoved: "A second factor was removed.", "تمت إزالة المصادقة الثنائية.";
    SessionRevoked: "A session was ended from elsewhere.", "تم إنهاء جلسة من مكان آخر.";
    SignInRefused: "A sign-in was refused.", "رُفضت محاولة تسجيل دخول.";
    SignInUnlocked: "Waits after wrong passwords were lifted.", "تم رفع الانتظار بعد كلمات المرور الخاطئة.";
    SignedIn: "Somebody signed in.", "سجّل شخص دخوله.";
    SignedOut: "Somebody signed out.", "سجّل شخص خروجه.";
    StreamLimitsChanged: "How many streams there may be was changed.", "تم تغيير عدد البثوث المسموح بها.";
    StreamRefused: "A stream was refused because a limit was reached.", "رُفض بثّ بسبب بلوغ الحد المسموح.";
    StreamTampered: "Somebody reached for a stream that somebody else had reserved.", "حاول شخص التصرف في بثّ حجزه شخص آخر.";
    TokenRefused: "A token was refused that is none of this system.", "رُفض رمز لم يصدر عن هذا النظام.";
    TokenStolen: "A refresh token was presented twice; its session was ended.", "قُدّم رمز تجديد مرتين؛ فتم إنهاء جلسته.";
    UserChanged: "A user was changed.", "تم تعديل مستخدم.";
    UserCreated: "A user was created.", "تم إنشاء مستخدم.";
    UserDisabled: "A user was disabled.", "تم تعطيل مستخدم.";
    UserEnabled: "A user was enabled.", "تم تفعيل مستخدم.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_sentence_of_its_own_in_each_language() {
        let kinds = What::ALL.iter().copied().map(Some).chain([None]);
        let sentences: Vec<_> = kinds.map(of).collect();
        for Sentence { en, ar } in &sentences {
            assert!(en.is_ascii() && en.ends_with('.'), "{en}");
            let arabic = |c: char| ('\u{0600}'..='\u{06ff}').contains(&c);
            assert!(ar.chars().any(arabic) && ar.ends_with('.'), "{ar}");
        }
        let english: BTreeSet<_> = sentences.iter().map(|sentence| sentence.en).collect();
        let arabic: BTreeSet<_> = sentences.iter().map(|sentence| sentence.ar).collect();
        assert_eq!(
            (english.len(), arabic.len()),
            (sentences.len(), sentences.len())
        );
    }
}
