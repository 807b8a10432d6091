//! The reference of errors, for programs and in `docs/errors.md`: every code of [`super::error`],
//! from the one table that the answers themselves are made from.

use std::fmt::Write as _;

use serde::Serialize;
use utoipa::ToSchema;

use super::error::{Code, Open};
use super::extract::Json;
use super::vocabulary::Sentence;

/// Every code there is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Errors {
    pub items: Vec<KnownError>,
}

/// A code, and what comes with it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KnownError {
    pub code: Code,
    /// HTTP status of the answer.
    #[schema(minimum = 400, maximum = 599, example = 401)]
    pub status: u16,
    #[schema(example = "Sign in to continue.")]
    pub message_en: &'static str,
    #[schema(example = "سجّل الدخول للمتابعة.")]
    pub message_ar: &'static str,
}

/// Every error there is
///
/// The codes of the envelope, with their HTTP status and their sentences in both languages.
#[utoipa::path(get, path = "/api/v1/errors", operation_id = "list_errors", tag = "operation", security(()),
    responses((status = 200, description = "The codes.", body = Errors), Open))]
pub async fn list_errors() -> Json<Errors> {
    let items = Code::ALL.iter().map(|code| {
        let Sentence { en, ar } = code.sentence();
        KnownError {
            code: *code,
            status: code.status().as_u16(),
            message_en: en,
            message_ar: ar,
        }
    });
    Json(Errors {
        items: items.collect(),
    })
}

const HEAD: &str = "\
# Errors of the API

Every answer that is not a success is one envelope. `code` is for programs, both messages are for people, `details` (not always
there) is for the technician, and `correlation_id` is in the log of the coordinator and in the header `X-Request-Id`.

```json
{
  \"error\": {
    \"code\": \"not_found\",
    \"message_en\": \"There is no such thing here.\",
    \"message_ar\": \"العنصر المطلوب غير موجود.\",
    \"correlation_id\": \"01954f3e8d2f7c51a3b0d6a4f1c2e3b4\"
  }
}
```

New codes may be added; a program treats one that it does not know by its status. What a user may not see is answered as if it did
not exist. With 429 and 503 there may be `Retry-After` in seconds. The same list for programs: `GET /api/v1/errors`. This page is
made by `make openapi`.

| Code | Status | English | Arabic |
|---|---|---|---|
";

/// `docs/errors.md`.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for code in Code::ALL {
        let (name, status, Sentence { en, ar }) = (code.name(), code.status(), code.sentence());
        // Writing to a string cannot fail.
        let _ = writeln!(page, "| `{name}` | {} | {en} | {ar} |", status.as_u16());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_reference_is_current() {
        let committed = include_str!("../../../docs/errors.md");
        assert!(
            page() == committed,
            "docs/errors.md is out of date: `cctv-coordinator errors > docs/errors.md`"
        );
    }

    #[test]
    fn no_sentence_breaks_the_table() {
        assert!(page().lines().all(|line| !line.contains("||")));
        for code in Code::ALL {
            let Sentence { en, ar } = code.sentence();
            assert!(!en.contains(['|', '\n']) && !ar.contains(['|', '\n']));
        }
    }
}
