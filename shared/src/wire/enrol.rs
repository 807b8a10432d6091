//! Enrolment: how an agent without a certificate gets one.
//!
//! The administrator creates an invitation at the coordinator and hands its code to the installer,
//! as text or as a QR code. The code names the address, pins the coordinator's certificate
//! authority by hash, and carries a secret that works once. The agent makes its own key and never
//! sends it.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::hash::Sha256;
use crate::id::{AgentId, SiteId};

/// Agent → coordinator, the only message of the agent on the only stream of the connection.
#[derive(Clone, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// The secret part of the code.
    pub secret: String,
    /// PKCS #10 request (RFC 2986), DER in base64; its key is Ed25519 and stays with the agent.
    pub csr: String,
    /// What the installer calls the agent; a suggestion.
    pub name: String,
    /// Of the agent program.
    pub version: String,
}

impl fmt::Debug for EnrolRequest {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolRequest")
            .field("csr", &self.csr)
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum EnrolAnswer {
    Enrolled {
        agent: AgentId,
        site: SiteId,
        site_name: String,
        /// PEM, leaf first.
        certificate_chain: String,
        /// PEM of the authority that signs agents and the coordinator.
        authority: String,
    },
    /// In the order a person would check them.
    Refused { reason: EnrolRefusal },
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum EnrolRefusal {
    #[error(
        "the coordinator does not know this enrolment code; check it for typing errors or ask for a new one"
    )]
    UnknownCode,
    #[error("this enrolment code has already been used; ask for a new one")]
    CodeUsed,
    #[error("this enrolment code has expired; ask for a new one")]
    CodeExpired,
    #[error("the coordinator cannot read the certificate request; update the agent")]
    BadRequest,
    #[error("the coordinator refused for a reason this version does not know; update the agent")]
    #[serde(other)]
    Other,
}

/// An enrolment code: `cctv1:<host>:<port>:<pin>:<secret>`, where pin and secret are base64url.
#[derive(Clone)]
pub struct EnrolCode {
    /// Host name or address; an IPv6 address without brackets.
    pub host: String,
    /// UDP port of the coordinator's QUIC listener.
    pub port: u16,
    /// SHA-256 of the DER of the coordinator's authority certificate.
    pub authority: Sha256,
    pub secret: SecretString,
}

const SCHEME: &str = "cctv1";

impl EnrolCode {
    /// The text to hand to the installer. Contains the secret.
    pub fn to_secret_text(&self) -> SecretString {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        let pin = BASE64URL_NOPAD.encode(self.authority.as_bytes());
        SecretString::from(format!(
            "{SCHEME}:{host}:{}:{pin}:{}",
            self.port,
            self.secret.expose_secret()
        ))
    }
}

impl FromStr for EnrolCode {
    type Err = EnrolCodeError;

    fn from_str(text: &str) -> Result<Self, EnrolCodeError> {
        let rest = text
            .trim()
            .strip_prefix(SCHEME)
            .and_then(|rest| rest.strip_prefix(':'))
            .ok_or(EnrolCodeError::Scheme)?;
        let (host, rest) = match rest.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once("]:"),
            None => rest.split_once(':'),
        }
        .ok_or(EnrolCodeError::Parts)?;
        let mut parts = rest.split(':');
        let (Some(port), Some(pin), Some(secret), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(EnrolCodeError::Parts);
        };
        if host.is_empty() || secret.is_empty() {
            return Err(EnrolCodeError::Parts);
        }
        let authority = BASE64URL_NOPAD
            .decode(pin.as_bytes())
            .ok()
            .and_then(|bytes| Sha256::from_slice(&bytes));
        Ok(Self {
            host: host.to_owned(),
            port: port.parse().map_err(|_| EnrolCodeError::Port)?,
            authority: authority.ok_or(EnrolCodeError::Pin)?,
            secret: SecretString::from(secret.to_owned()),
        })
    }
}

impl fmt::Debug for EnrolCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolCode")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a code. Never quotes it: it is a secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnrolCodeError {
    #[error(
        "an enrolment code begins with `{SCHEME}:`; copy the whole code as the coordinator printed it"
    )]
    Scheme,
    #[error("the enrolment code is incomplete; it has five parts with colons between them")]
    Parts,
    #[error("the port in the enrolment code is not a number from 1 to 65535")]
    Port,
    #[error("the enrolment code's fingerprint is damaged; copy the code again")]
    Pin,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(host: &str) -> EnrolCode {
        EnrolCode {
            host: host.into(),
            port: 7443,
            authority: Sha256::of(b"ca"),
            secret: SecretString::from("s3cr-et_"),
        }
    }

    #[test]
    fn codes_round_trip_for_names_and_both_kinds_of_addresses() {
        for host in ["centre.example", "192.0.2.7", "2001:db8::7"] {
            let text = code(host).to_secret_text();
            let read: EnrolCode = text.expose_secret().parse().unwrap();
            assert_eq!(
                (read.host.as_str(), read.port, read.authority),
                (host, 7443, Sha256::of(b"ca"))
            );
            assert_eq!(read.secret.expose_secret(), "s3cr-et_");
        }
    }

    #[test]
    fn damaged_codes_are_refused_and_never_quoted() {
        let whole = code("centre.example").to_secret_text();
        let whole = whole.expose_secret();
        for damaged in [
            "",
            "hello",
            "cctv1:",
            "cctv1:h:70000:x:y",
            &whole[..whole.len() - 9],
            &whole.replace(":7443", ""),
            &format!("{whole}:more"),
        ] {
            let error = damaged.parse::<EnrolCode>().unwrap_err();
            assert!(!error.to_string().contains("s3cr"), "{damaged}");
        }
        assert!(!format!("{:?}", code("h")).contains("s3cr"));
        let request = EnrolRequest {
            secret: "s3cr-et_".into(),
            csr: String::new(),
            name: String::new(),
            version: String::new(),
        };
        assert!(!format!("{request:?}").contains("s3cr"));
    }
}
