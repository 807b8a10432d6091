//! Values with a form of their own: addresses and passwords. No error quotes a value that may be a
//! password.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};
use url::Url;

/// `host:port`, with brackets around an IPv6 address.
pub(crate) fn split_host_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    (!host.is_empty()).then_some((host, port))
}

/// A password must be text; the error of any other type must not quote it.
pub(super) fn secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretString>, D::Error> {
    match toml::Value::deserialize(deserializer) {
        Ok(toml::Value::String(text)) if !text.is_empty() => Ok(Some(SecretString::from(text))),
        Ok(toml::Value::String(_)) => Err(de::Error::custom(
            "the password is empty; leave it out if the camera has none",
        )),
        _ => Err(de::Error::custom(
            "the password is not a text; write it between quotation marks",
        )),
    }
}

pub(super) fn stream_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = SecretString::deserialize(deserializer)
        .map_err(|_| de::Error::custom("the address is not a text; write it between quotes"))?;
    parse_stream_address(text.expose_secret()).map_err(de::Error::custom)
}

pub(super) fn optional_stream_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Url>, D::Error> {
    stream_address(deserializer).map(Some)
}

/// The text may hold a password where it should not, so no message quotes it.
fn parse_stream_address(text: &str) -> Result<Url, String> {
    const EXAMPLE: &str = "write for example \"rtsp://192.0.2.10:554/stream1\"";
    let url = Url::parse(text).map_err(|error| format!("not an address ({error}); {EXAMPLE}"))?;
    match url.scheme() {
        "rtsp" | "rtsps" => {}
        other => {
            return Err(format!(
                "`{other}` cannot be recorded, only rtsp and rtsps; {EXAMPLE}"
            ));
        }
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(format!("the address names no host; {EXAMPLE}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the address holds a user name or password; addresses are shown and logged, \
             so write them as `username` and `password`"
                .to_owned(),
        );
    }
    Ok(url)
}
