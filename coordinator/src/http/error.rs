//! What a refused or failed request answers: one envelope, one table of codes in two languages.
//!
//! What does not belong here: deciding. Services say what went wrong in their own terms;
//! `translate.rs` is the only place where that becomes a code.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::header::{CONTENT_RANGE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::{self, RefOr};

use super::middleware::request_id;
use super::streams::{LimitBound, StreamTier};
use super::vocabulary::Sentence;
use crate::services::quotas::Reached;

/// The body of every answer that is not a success.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    pub error: Problem,
}

/// What went wrong, for a program (`code`), for a person (both messages) and for support
/// (`correlation_id`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    pub code: Code,
    #[schema(example = "Sign in to continue.")]
    pub message_en: &'static str,
    #[schema(example = "سجّل الدخول للمتابعة.")]
    pub message_ar: &'static str,
    /// For the technician, in English: which field, which limit, which address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "`to` lies before `from`")]
    pub details: Option<String>,
    /// With `stream_limit_reached`: how many streams there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 30)]
    pub current: Option<u32>,
    /// And how many there may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 30)]
    pub limit: Option<u32>,
    /// Whose limit that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<LimitBound>,
    /// The agency among whose streams it would have counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "METRO")]
    pub agency: Option<String>,
    /// What would be granted instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<StreamTier>,
    /// Repeated in the `X-Request-Id` header and in every log line of the request.
    #[schema(example = "01954f3e8d2f7c51a3b0d6a4f1c2e3b4")]
    pub correlation_id: String,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident $status:ident: $english:literal, $arabic:literal;)*) => {
        /// What went wrong, for a program. New codes may be added; treat one you do not know by
        /// its HTTP status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Code { $($(#[$doc])* $code,)* }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// As it stands in the envelope.
            pub fn name(self) -> String {
                serde_json::to_value(self)
                    .ok()
                    .and_then(|name| name.as_str().map(str::to_owned))
                    .unwrap_or_default()
            }

            pub const fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)* }
            }

            pub const fn sentence(self) -> Sentence {
                match self { $(Self::$code => Sentence { en: $english, ar: $arabic },)* }
            }
        }
    };
}

codes! {
    InvalidRequest BAD_REQUEST: "The request is not valid.", "الطلب غير صالح.";
    Unauthenticated UNAUTHORIZED: "Sign in to continue.", "سجّل الدخول للمتابعة.";
    WrongCredentials UNAUTHORIZED: "The login or the password is wrong.", "اسم المستخدم أو كلمة المرور غير صحيحة.";
    WrongCode UNAUTHORIZED: "The code is wrong or was used already.", "الرمز غير صحيح أو سبق استخدامه.";
    SignatureInvalid UNAUTHORIZED: "The signature is not that of this message.", "التوقيع لا يطابق هذه الرسالة.";
    SecondFactorWanted UNAUTHORIZED: "A code of the second factor is needed.", "يلزم رمز المصادقة الثنائية.";
    NotConfirmed UNAUTHORIZED: "The identity provider did not confirm who you are; begin again.", "لم يؤكد مزوّد الهوية هويتك؛ ابدأ من جديد.";
    SignInExpired UNAUTHORIZED: "This sign-in took too long; begin again.", "استغرق تسجيل الدخول وقتًا طويلًا؛ ابدأ من جديد.";
    NotAdmitted FORBIDDEN: "The identity provider knows you, but you may not sign in here; ask an administrator.", "يعرفك مزوّد الهوية، لكن لا يُسمح لك بالدخول هنا؛ راجع مدير النظام.";
    PasswordSignInOff FORBIDDEN: "Sign in through the identity provider; this account may not use a password here.", "سجّل الدخول عبر مزوّد الهوية؛ لا يُسمح لهذا الحساب باستخدام كلمة المرور هنا.";
    Forbidden FORBIDDEN: "You may not do this.", "لا يُسمح لك بهذا الإجراء.";
    CrossSite FORBIDDEN: "This request came from another site and was refused.", "ورد هذا الطلب من موقع آخر ورُفض.";
    LinkInvalid FORBIDDEN: "This link is not valid.", "هذا الرابط غير صالح.";
    LinkExpired FORBIDDEN: "This link has expired; open the recording again.", "انتهت صلاحية هذا الرابط؛ افتح التسجيل من جديد.";
    NotFound NOT_FOUND: "There is no such thing here.", "العنصر المطلوب غير موجود.";
    MethodNotAllowed METHOD_NOT_ALLOWED: "This address does not support that method.", "هذا العنوان لا يدعم هذه الطريقة.";
    RequestTimeout REQUEST_TIMEOUT: "The request took too long.", "استغرق الطلب وقتًا أطول من المسموح.";
    MoreThanOwn FORBIDDEN: "Nobody can give or take more than they may do themselves.", "لا يمكن لأحد أن يمنح أو يسحب أكثر مما يملكه من صلاحيات.";
    SecondFactorExists CONFLICT: "There is a second factor already; remove it first.", "المصادقة الثنائية مفعّلة بالفعل؛ أزلها أولًا.";
    NoSecondFactor CONFLICT: "There is no second factor.", "المصادقة الثنائية غير مفعّلة.";
    TooManyTokens CONFLICT: "There are too many tokens already; revoke one first.", "عدد الرموز كبير جدًا بالفعل؛ ألغِ أحدها أولًا.";
    EventRepeated CONFLICT: "This event was received before.", "سبق استلام هذا الحدث.";
    Conflict CONFLICT: "Somebody else changed this at the same time; look again.", "غيّر شخص آخر هذا العنصر في الوقت نفسه؛ أعد التحقق.";
    Taken CONFLICT: "This name or number is taken.", "هذا الاسم أو الرقم مستخدم بالفعل.";
    LastAdministrator CONFLICT: "Somebody who may do everything must remain.", "يجب أن يبقى شخص واحد على الأقل يملك كل الصلاحيات.";
    OwnAccount CONFLICT: "You cannot lock out yourself.", "لا يمكنك تعطيل حسابك بنفسك.";
    BuiltIn CONFLICT: "This comes with the product and cannot be changed.", "هذا جزء من المنتج ولا يمكن تغييره.";
    InUse CONFLICT: "This is still in use.", "هذا العنصر لا يزال مستخدمًا.";
    OtherAgency CONFLICT: "Members of this group must belong to its agency.", "يجب أن ينتمي أعضاء هذه المجموعة إلى جهتها.";
    CodecNotCarried CONFLICT: "Your browser did not offer to receive the format in which the camera sends.", "لم يعرض متصفحك استقبال الصيغة التي ترسل بها الكاميرا.";
    Gone GONE: "This footage is no longer stored anywhere.", "لم يعد هذا التسجيل محفوظًا في أي مكان.";
    PayloadTooLarge PAYLOAD_TOO_LARGE: "The request is too large.", "الطلب أكبر من الحد المسموح.";
    UnsupportedMediaType UNSUPPORTED_MEDIA_TYPE: "The request must be JSON.", "يجب أن يكون الطلب بتنسيق JSON.";
    SdpWanted UNSUPPORTED_MEDIA_TYPE: "The request must be SDP, with its content type.", "يجب أن يكون الطلب بتنسيق SDP مع نوع المحتوى المناسب.";
    RangeNotSatisfiable RANGE_NOT_SATISFIABLE: "The file does not have the bytes that were asked for.", "لا يحتوي الملف على البايتات المطلوبة.";
    InvalidValue UNPROCESSABLE_ENTITY: "A value in the request is not allowed.", "إحدى القيم في الطلب غير مسموح بها.";
    UpgradeRequired UPGRADE_REQUIRED: "This address is for WebSockets only.", "هذا العنوان مخصص لاتصالات WebSocket فقط.";
    EventStale UNPROCESSABLE_ENTITY: "This event is too old, or one of the clocks is wrong.", "هذا الحدث قديم جدًا، أو أن إحدى الساعتين غير مضبوطة.";
    WrongPassword UNPROCESSABLE_ENTITY: "The old password is wrong.", "كلمة المرور القديمة غير صحيحة.";
    WeakPassword UNPROCESSABLE_ENTITY: "This password cannot be used; take a longer one that is hard to guess.", "لا يمكن استخدام كلمة المرور هذه؛ اختر كلمة أطول يصعب تخمينها.";
    TooManyAttempts TOO_MANY_REQUESTS: "Too many attempts; wait a moment and try again.", "محاولات كثيرة جدًا؛ انتظر قليلًا ثم حاول مرة أخرى.";
    StreamLimitReached TOO_MANY_REQUESTS: "All streams there may be are in use.", "جميع البثوث المسموح بها مستخدمة.";
    RateLimited TOO_MANY_REQUESTS: "Too many requests; wait a moment and go on.", "طلبات كثيرة جدًا؛ انتظر قليلًا ثم تابع.";
    Internal INTERNAL_SERVER_ERROR: "Something went wrong in the system. Report the correlation number.", "حدث خطأ في النظام. أبلغ عن رقم التتبع.";
    Unsupported NOT_IMPLEMENTED: "This site's agent is too old for this; update it.", "إصدار الوكيل في هذا الموقع أقدم من أن يدعم هذا؛ يُرجى تحديثه.";
    AgentFailed BAD_GATEWAY: "The agent at the site could not do this.", "تعذّر على الوكيل في الموقع تنفيذ ذلك.";
    AgentOffline SERVICE_UNAVAILABLE: "The site is not connected at the moment.", "الموقع غير متصل حاليًا.";
    ProviderUnreachable SERVICE_UNAVAILABLE: "The identity provider does not answer; try again, or use a password if you have one.", "لا يستجيب مزوّد الهوية؛ حاول مرة أخرى أو استخدم كلمة المرور إن وُجدت.";
    QuotaUnavailable SERVICE_UNAVAILABLE: "Nobody can tell at the moment how many streams there are; try again.", "يتعذّر حاليًا معرفة عدد البثوث الجارية؛ حاول مرة أخرى.";
    Overloaded SERVICE_UNAVAILABLE: "The system is busy; try again in a moment.", "النظام مشغول؛ حاول مرة أخرى بعد قليل.";
    NothingYet SERVICE_UNAVAILABLE: "This camera has not recorded anything lately.", "لم تسجّل هذه الكاميرا شيئًا في الآونة الأخيرة.";
    Unavailable SERVICE_UNAVAILABLE: "The system is not ready; try again in a moment.", "النظام غير جاهز؛ حاول مرة أخرى بعد قليل.";
    AgentTimeout GATEWAY_TIMEOUT: "The site did not answer in time.", "لم يستجب الموقع في الوقت المحدد.";
}

/// An error on its way to the client. The correlation id is added when it becomes a response.
#[derive(Debug)]
pub struct Error {
    code: Code,
    details: Option<String>,
    retry_after_seconds: Option<u64>,
    /// Size of the file of which other bytes were asked for.
    size: Option<u64>,
    /// The limit of streams that is reached.
    reached: Option<Box<Reached>>,
}

impl Error {
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            details: None,
            retry_after_seconds: None,
            size: None,
            reached: None,
        }
    }

    /// A limit of streams is reached.
    pub fn reached(reached: Box<Reached>) -> Self {
        let mut error = Self::new(Code::StreamLimitReached);
        error.reached = Some(reached);
        error
    }

    /// Adds a sentence for the technician. It leaves the system: nothing secret, nothing the actor
    /// may not know.
    #[must_use]
    pub fn with_details(mut self, details: impl ToString) -> Self {
        self.details = Some(details.to_string());
        self
    }

    #[must_use]
    pub const fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The file has `size` bytes, and none of those that were asked for (RFC 9110 section 15.5.17).
    pub const fn out_of_range(size: u64) -> Self {
        let mut error = Self::new(Code::RangeNotSatisfiable);
        error.size = Some(size);
        error
    }

    /// Logs what the client is not told, and answers with [`Code::Internal`].
    pub fn internal(cause: &dyn std::error::Error) -> Self {
        tracing::error!(error = %chain(cause), "a request failed");
        Self::new(Code::Internal)
    }

    pub const fn code(&self) -> Code {
        self.code
    }

    fn problem(self, correlation_id: String) -> Problem {
        let Sentence { en, ar } = self.code.sentence();
        let reached = self.reached.as_deref();
        Problem {
            code: self.code,
            message_en: en,
            message_ar: ar,
            details: self.details,
            current: reached.map(|reached| reached.usage.current),
            limit: reached.map(|reached| reached.usage.limit),
            bound: reached.map(|reached| reached.bound.into()),
            agency: reached.map(|reached| reached.pool.agency.to_string()),
            offer: reached.and_then(|reached| reached.offer.map(StreamTier::from)),
            correlation_id,
        }
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (code, size, retry_after) = (self.code, self.size, self.retry_after_seconds);
        let body = ErrorBody {
            error: self.problem(request_id::current()),
        };
        let mut response = (code.status(), Json(body)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        let range = size.and_then(|size| HeaderValue::try_from(format!("bytes */{size}")).ok());
        if let Some(range) = range {
            response.headers_mut().insert(CONTENT_RANGE, range);
        }
        response
    }
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident: $($code:ident)*;)*) => { $(
        $(#[$doc])*
        pub struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
                documented(&[$(Code::$code,)*])
            }
        }
    )*

    const SETS: &[&[Code]] = &[$(&[$(Code::$code,)*],)*];
    };
}

refusals! {
    /// Answers of every operation that needs somebody signed in.
    SignedIn: Unauthenticated RateLimited Internal;
    /// Answers of every operation of the API that needs nobody signed in.
    Open: RateLimited;
    /// Answers of operations on one thing: what the actor may not see does not exist.
    OnOne: NotFound;
    /// Answers of operations that read a query.
    WithQuery: InvalidRequest InvalidValue;
    /// Answers of operations that change something.
    Changing: Forbidden CrossSite;
    /// Answers of WebSockets, which pages of other sites may not open.
    CrossOrigin: CrossSite;
    /// Answers of what is for WebSockets only.
    Upgrade: UpgradeRequired Overloaded;
    /// Answers of operations that read a body.
    WithBody: InvalidRequest RequestTimeout PayloadTooLarge UnsupportedMediaType InvalidValue;
    /// Answers of watching live.
    Watching: CodecNotCarried Taken StreamLimitReached RateLimited QuotaUnavailable Overloaded Unavailable;
    /// Answers of operations that read SDP.
    WithSdp: RequestTimeout PayloadTooLarge SdpWanted InvalidValue;
    /// Answers of operations that not every role may use.
    Restricted: Forbidden;
    /// Answers of operations that change people, groups, roles or agencies.
    Administering: MoreThanOwn Conflict Taken LastAdministrator OwnAccount BuiltIn InUse OtherAgency InvalidValue WeakPassword Overloaded;
    /// Answers of changing one's own password.
    OwnPassword: WrongPassword WeakPassword TooManyAttempts Overloaded;
    /// Answers of operations that an agent carries out.
    AtAgent: Unsupported AgentFailed AgentOffline Overloaded AgentTimeout;
    /// Answers of signing in.
    Rejected: WrongCredentials PasswordSignInOff CrossSite TooManyAttempts RateLimited Internal;
    /// Answers of the second half of signing in.
    RejectedCode: WrongCode SignInExpired CrossSite TooManyAttempts RateLimited Internal;
    /// Answers of giving a program its tokens.
    RejectedProgram: WrongCredentials WrongCode SecondFactorWanted PasswordSignInOff CrossSite TooManyAttempts RateLimited Internal;
    /// Answers of beginning to sign in at the identity provider.
    StartedOutside: InvalidRequest NotFound InvalidValue RateLimited Internal ProviderUnreachable;
    /// Answers of coming back from the identity provider.
    FinishedOutside: InvalidRequest NotConfirmed SignInExpired NotAdmitted NotFound RateLimited Internal ProviderUnreachable Overloaded;
    /// Answers of exchanging a refresh token.
    RejectedToken: Unauthenticated CrossSite RateLimited Internal;
    /// Answers to an event of the authority's identity management.
    RejectedEvent: SignatureInvalid InvalidValue EventStale EventRepeated LastAdministrator Overloaded;
    /// Answers of what can fail for no fault of the client's.
    Failing: Internal;
    /// Answers of looking after one's second factor.
    OwnFactor: Unauthenticated WrongCredentials WrongCode TooManyAttempts RateLimited SecondFactorExists NoSecondFactor;
    /// Answers of making a token.
    NewToken: TooManyTokens;
    /// Answers of playlists.
    Playlist: Overloaded NothingYet;
    /// Answers of reserving a stream.
    Reserving: StreamLimitReached RateLimited Taken QuotaUnavailable Overloaded;
    /// Answers of setting limits of streams.
    Limited: Overloaded;
    /// Answers of operations on stored bytes.
    Bytes: Gone RangeNotSatisfiable;
    /// Answers of signed addresses.
    Signed: LinkInvalid LinkExpired;
}

/// References to the responses of these codes, by status.
fn documented(codes: &[Code]) -> BTreeMap<String, RefOr<openapi::Response>> {
    by_status(codes)
        .into_iter()
        .map(|(status, codes)| {
            let reference = openapi::Ref::from_response_name(component(&codes));
            (status.as_str().to_owned(), RefOr::Ref(reference))
        })
        .collect()
}

/// Every response that [`documented`] refers to, under its name.
pub(super) fn components() -> BTreeMap<String, RefOr<openapi::Response>> {
    SETS.iter()
        .flat_map(|codes| by_status(codes).into_values())
        .map(|codes| (component(&codes), RefOr::T(response(&codes))))
        .collect()
}

fn by_status(codes: &[Code]) -> BTreeMap<StatusCode, Vec<Code>> {
    let mut statuses: BTreeMap<StatusCode, Vec<Code>> = BTreeMap::new();
    for code in codes {
        statuses.entry(code.status()).or_default().push(*code);
    }
    statuses
}

/// Name of the response for one of these codes, such as `forbidden_or_cross_site`.
fn component(codes: &[Code]) -> String {
    let names: Vec<_> = codes.iter().map(|code| code.name()).collect();
    names.join("_or_")
}

fn response(codes: &[Code]) -> openapi::Response {
    let description: Vec<_> = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.name(), code.sentence().en))
        .collect();
    let examples = codes.iter().map(|code| {
        let body = ErrorBody {
            error: Error::new(*code).problem("01954f3e8d2f7c51a3b0d6a4f1c2e3b4".into()),
        };
        let value = serde_json::to_value(body).unwrap_or_default();
        let example = openapi::example::ExampleBuilder::new().value(Some(value));
        (code.name(), RefOr::T(example.build()))
    });
    let content = openapi::ContentBuilder::new()
        .schema(Some(openapi::Ref::from_schema_name("ErrorBody")))
        .examples_from_iter(examples)
        .build();
    openapi::ResponseBuilder::new()
        .description(description.join(" "))
        .content("application/json", content)
        .build()
}

/// An error and what caused it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_an_error_with_a_sentence_in_each_language() {
        for code in Code::ALL {
            assert!(
                code.status().is_client_error() || code.status().is_server_error(),
                "{code:?}"
            );
            let Sentence { en, ar } = code.sentence();
            assert!(en.is_ascii() && en.ends_with('.'), "{code:?}: {en}");
            assert!(
                ar.chars().any(|c| ('\u{0600}'..='\u{06ff}').contains(&c)) && ar.ends_with('.'),
                "{code:?}: {ar}"
            );
        }
    }
}
