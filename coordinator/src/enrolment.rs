//! Enrolment codes as people get them: text to type or copy, and QR codes to point a camera at.

use qrcode::QrCode;
use qrcode::render::{svg, unicode};
use qrcode::types::QrError;
use secrecy::{ExposeSecret as _, SecretString};
use shared::hash::Sha256;
use shared::wire::enrol::EnrolCode;

use crate::config::Address;

/// The code that lets one agent enrol with `secret` at `address`, where it will find the authority
/// with this fingerprint.
pub fn code(address: &Address, authority: Sha256, secret: SecretString) -> SecretString {
    let code = EnrolCode {
        host: address.host.clone(),
        port: address.port,
        authority,
        secret,
    };
    code.to_secret_text()
}

/// As an SVG document, black on white whatever the page around it.
///
/// # Errors
/// The code is too long for a QR code.
pub fn svg(code: &SecretString) -> Result<String, QrError> {
    let qr = QrCode::new(code.expose_secret())?;
    Ok(qr
        .render()
        .min_dimensions(256, 256)
        .dark_color(svg::Color("#000"))
        .light_color(svg::Color("#fff"))
        .build())
}

/// For a terminal.
///
/// # Errors
/// The code is too long for a QR code.
pub fn terminal(code: &SecretString) -> Result<String, QrError> {
    let qr = QrCode::new(code.expose_secret())?;
    Ok(qr.render::<unicode::Dense1x2>().build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_what_the_agent_reads_and_fits_a_qr_code() {
        let address: Address = "[2001:db8::7]:7443".parse().unwrap();
        let secret = SecretString::from("hTq3c9rJ3m0");
        let text = code(&address, Sha256::of(b"authority"), secret);
        let read: EnrolCode = text.expose_secret().parse().unwrap();
        assert_eq!((read.host.as_str(), read.port), ("2001:db8::7", 7443));
        assert_eq!(read.authority, Sha256::of(b"authority"));
        assert!(svg(&text).unwrap().contains("<svg"));
        assert!(terminal(&text).unwrap().lines().count() > 20);
    }
}
