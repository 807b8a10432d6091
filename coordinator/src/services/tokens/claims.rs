//! What an access token says (RFC 7519, RFC 9068).

use serde::{Deserialize, Serialize};
use shared::id::{SessionId, UserId};
use shared::time::WallTime;

/// The claims of our access tokens. Times are seconds since 1970 (UTC).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
    /// Names this token.
    pub jti: String,
    /// The session it belongs to; with that ended, the token is worth nothing here.
    pub sid: SessionId,
    pub login_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employee_number: Option<String>,
    pub display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// Rules such as `camera:DUBAI_POLICE:view`, those that deny with `!` before them.
    pub permissions: Vec<String>,
    /// Whose cameras may be viewed: codes of agencies, ids of single cameras, or `*`.
    pub camera_sources: Vec<String>,
}

impl Claims {
    pub const fn ends_at(&self) -> WallTime {
        WallTime::from_secs(self.exp)
    }
}

/// Whom a token is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bearer {
    pub login_id: String,
    pub employee_number: Option<String>,
    pub display_name: String,
    pub email: Option<String>,
    pub agency: Option<String>,
    pub department: Option<String>,
    pub permissions: Vec<String>,
    pub camera_sources: Vec<String>,
}
