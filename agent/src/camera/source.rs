//! Where a stream comes from and how one signs in there, and how to speak of it without giving the
//! password away.

use secrecy::{ExposeSecret, SecretString};
use shared::hash::Sha256;
use url::Url;

/// One stream of one camera, as configured.
#[derive(Clone, Debug)]
pub struct Source {
    /// `rtsp` or `rtsps`, without user and password.
    url: Url,
    credentials: Option<Credentials>,
    pub transport: Transport,
    /// For `rtsps`.
    pub certificate: CertificatePolicy,
}

/// User and password. The password cannot be printed.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub username: String,
    pub password: SecretString,
}

/// How RTP travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Inside the RTSP connection (RFC 2326 section 10.12).
    #[default]
    Tcp,
    /// In datagrams of its own. Loses packets where TCP does not; for cameras that cannot do
    /// otherwise. `rtsps` ignores it.
    Udp,
}

/// Which certificate a camera may show on `rtsps`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CertificatePolicy {
    /// One that a public authority signed for the host in the URL.
    #[default]
    Verify,
    /// Exactly the one with this hash over its DER form.
    Pin(Sha256),
    /// Any. Encrypts, and does not prove who is at the other end; for self-signed cameras.
    AcceptAny,
}

/// Why an address is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    #[error("`{scheme}` is not a way to a camera; write rtsp://host/path or rtsps://host/path")]
    Scheme { scheme: String },
    #[error("the address names no host; write rtsp://host/path")]
    NoHost,
}

impl Source {
    /// Credentials inside the address are taken out of it; those given apart win.
    ///
    /// # Errors
    /// The address is not that of an RTSP stream.
    pub fn new(mut url: Url, credentials: Option<Credentials>) -> Result<Self, SourceError> {
        if !matches!(url.scheme(), "rtsp" | "rtsps") {
            return Err(SourceError::Scheme {
                scheme: url.scheme().to_owned(),
            });
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(SourceError::NoHost);
        }
        let credentials = credentials.or_else(|| credentials_in(&url));
        // Neither can fail on an address with a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Self {
            url,
            credentials,
            transport: Transport::default(),
            certificate: CertificatePolicy::default(),
        })
    }

    #[must_use]
    pub fn over(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    #[must_use]
    pub fn trusting(mut self, certificate: CertificatePolicy) -> Self {
        self.certificate = certificate;
        self
    }

    /// Without user and password; the query may still hold one, so show [`Source::shown`] instead.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    pub const fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    pub fn is_encrypted(&self) -> bool {
        self.url.scheme() == "rtsps"
    }

    /// The address as people may see it.
    pub fn shown(&self) -> String {
        self.redact(self.url.as_str())
    }

    /// `text` without the password and without what looks like one in an address.
    pub fn redact(&self, text: &str) -> String {
        let mut text = mask_parameters(text);
        if let Some(credentials) = &self.credentials {
            let password = credentials.password.expose_secret();
            let encoded: String =
                url::form_urlencoded::byte_serialize(password.as_bytes()).collect();
            for secret in [password, encoded.as_str()] {
                if !secret.is_empty() && text.contains(secret) {
                    text = text.replace(secret, MASK);
                }
            }
        }
        text
    }
}

const MASK: &str = "***";

/// Names of parameters that cameras take passwords in, for example
/// `rtsp://host/user=admin&password=secret&channel=1`.
const SECRET_PARAMETERS: [&str; 7] = ["password", "passwd", "pass", "pwd", "psw", "token", "auth"];

fn mask_parameters(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let (name, value) = rest.split_at(at + 1);
        masked.push_str(name);
        let end = value
            .find(|c: char| matches!(c, '&' | ';' | '"' | '\'') || c.is_whitespace())
            .unwrap_or(value.len());
        let is_secret = {
            let name = name.trim_end_matches('=').to_ascii_lowercase();
            SECRET_PARAMETERS
                .iter()
                .any(|parameter| name.ends_with(parameter))
        };
        if is_secret && end > 0 {
            masked.push_str(MASK);
            rest = &value[end..];
        } else {
            rest = value;
        }
    }
    masked.push_str(rest);
    masked
}

fn credentials_in(url: &Url) -> Option<Credentials> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    Some(Credentials {
        username: percent_decoded(url.username()),
        password: SecretString::from(percent_decoded(url.password().unwrap_or_default())),
    })
}

/// A form-encoded value except that `+` is itself.
fn percent_decoded(text: &str) -> String {
    let pair = format!("v={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(address: &str) -> Source {
        Source::new(address.parse().unwrap(), None).unwrap()
    }

    #[test]
    fn credentials_move_out_of_the_address() {
        let source = source("rtsp://admin:p%40ss+1@192.0.2.7:8554/live?channel=1");
        assert_eq!(
            source.url().as_str(),
            "rtsp://192.0.2.7:8554/live?channel=1"
        );
        let credentials = source.credentials().unwrap();
        assert_eq!(credentials.username, "admin");
        assert_eq!(credentials.password.expose_secret(), "p@ss+1");
        assert!(!format!("{source:?}").contains("p@ss"));
    }

    #[test]
    fn passwords_in_the_path_are_masked() {
        let source = source("rtsp://192.0.2.7/user=admin&password=tlJwpbo6&channel=1&stream=0.sdp");
        assert_eq!(
            source.shown(),
            "rtsp://192.0.2.7/user=admin&password=***&channel=1&stream=0.sdp"
        );
    }

    #[test]
    fn other_addresses_are_refused_with_what_would_be_right() {
        let error = Source::new("http://192.0.2.7/".parse().unwrap(), None).unwrap_err();
        assert!(error.to_string().contains("rtsp://host/path"), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_said_never_contains_the_password(
            before in "[ -~]{0,40}",
            password in "[!-~]{4,20}",
            after in "[ -~]{0,40}",
        ) {
            // A mask made of asterisks cannot hide a password of nothing else.
            prop_assume!(password.chars().any(|c| c != '*'));
            let credentials = Credentials { username: "admin".to_owned(), password: SecretString::from(password.clone()) };
            let source = Source::new("rtsp://192.0.2.7/".parse().unwrap(), Some(credentials)).unwrap();
            let said = source.redact(&format!("{before}{password}{after}"));
            prop_assert!(!said.contains(&password), "{}", said);
        }
    }
}
