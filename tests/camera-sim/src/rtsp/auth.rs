//! Sign-in by Digest (RFC 2617, MD5) or Basic (RFC 7617).

use data_encoding::{BASE64, HEXLOWER};
use md5::{Digest, Md5};

use crate::config::{AuthScheme, Credentials};

/// What this server calls itself when it asks for a password.
const REALM: &str = "camera-sim";

/// The `WWW-Authenticate` header of a refusal.
pub(super) fn challenge(scheme: AuthScheme, nonce: &str) -> String {
    match scheme {
        AuthScheme::Digest => format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\", algorithm=MD5"),
        AuthScheme::Basic => format!("Basic realm=\"{REALM}\""),
    }
}

/// Whether an `Authorization` header proves knowledge of the password.
pub(super) fn accepts(
    scheme: AuthScheme,
    credentials: &Credentials,
    nonce: &str,
    method: &str,
    header: &str,
) -> bool {
    match scheme {
        AuthScheme::Digest => accepts_digest(credentials, nonce, method, header).unwrap_or(false),
        AuthScheme::Basic => accepts_basic(credentials, header).unwrap_or(false),
    }
}

fn accepts_basic(credentials: &Credentials, header: &str) -> Option<bool> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let decoded = BASE64.decode(token.trim().as_bytes()).ok()?;
    let expected = format!("{}:{}", credentials.user, credentials.password);
    Some(scheme.eq_ignore_ascii_case("basic") && decoded == expected.as_bytes())
}

fn accepts_digest(
    credentials: &Credentials,
    nonce: &str,
    method: &str,
    header: &str,
) -> Option<bool> {
    // Credentials have the grammar of a challenge, RFC 7235 section 2.1.
    let given = http_auth::parse_challenges(header)
        .ok()?
        .into_iter()
        .next()?;
    let value = |name: &str| {
        let found = given
            .params
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_unescaped())
    };
    let known = given.scheme.eq_ignore_ascii_case("digest")
        && value("username")? == credentials.user
        && value("nonce")? == nonce
        && value("realm")? == REALM;
    let secret = hash(&format!(
        "{}:{REALM}:{}",
        credentials.user, credentials.password
    ));
    let request = hash(&format!("{method}:{}", value("uri")?));
    let expected = match value("qop") {
        Some(qop) => hash(&format!(
            "{secret}:{nonce}:{}:{}:{qop}:{request}",
            value("nc")?,
            value("cnonce")?
        )),
        None => hash(&format!("{secret}:{nonce}:{request}")),
    };
    Some(known && value("response")? == expected)
}

fn hash(text: &str) -> String {
    HEXLOWER.encode(&Md5::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin() -> Credentials {
        Credentials {
            user: "admin".into(),
            password: "secret".into(),
        }
    }

    fn digest(password: &str, nonce: &str) -> String {
        let secret = hash(&format!("admin:{REALM}:{password}"));
        let request = hash("DESCRIBE:rtsp://h/cam");
        let response = hash(&format!("{secret}:{nonce}:{request}"));
        format!(
            "Digest username=\"admin\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"rtsp://h/cam\", response=\"{response}\""
        )
    }

    #[test]
    fn digest_accepts_only_the_right_password_nonce_and_method() {
        let accepts =
            |method, header: &str| accepts(AuthScheme::Digest, &admin(), "n1", method, header);
        assert!(accepts("DESCRIBE", &digest("secret", "n1")));
        assert!(!accepts("SETUP", &digest("secret", "n1")));
        assert!(!accepts("DESCRIBE", &digest("wrong", "n1")));
        assert!(!accepts("DESCRIBE", &digest("secret", "n2")));
        assert!(!accepts("DESCRIBE", "Digest username=\"admin\""));
        assert!(!accepts("DESCRIBE", "nonsense ="));
    }

    #[test]
    fn basic_accepts_only_the_right_password() {
        let header = |pair: &str| format!("Basic {}", BASE64.encode(pair.as_bytes()));
        assert!(accepts(
            AuthScheme::Basic,
            &admin(),
            "",
            "PLAY",
            &header("admin:secret")
        ));
        assert!(!accepts(
            AuthScheme::Basic,
            &admin(),
            "",
            "PLAY",
            &header("admin:other")
        ));
        assert!(!accepts(
            AuthScheme::Basic,
            &admin(),
            "",
            "PLAY",
            "Basic %%%"
        ));
    }
}
