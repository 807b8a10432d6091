//! What all our certificates have in common.

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose,
    date_time_ymd,
};
use shared::time::WallTime;

/// Year, month, day.
pub(super) type Date = (i32, u8, u8);

/// Certificates are good from then on: before any agent was built, and after every clock that starts
/// at nothing.
const NOT_BEFORE: Date = (2020, 1, 1);

/// "No well-defined expiration date" (RFC 5280 section 4.1.2.5).
pub(super) const NEVER: Date = (9999, 12, 31);

pub(super) fn leaf(name: &str, purpose: ExtendedKeyUsagePurpose, end: Date) -> CertificateParams {
    let mut params = certificate(name, end);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params.use_authority_key_identifier_extension = true;
    params
}

pub(super) fn certificate(name: &str, (year, month, day): Date) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let subject = &mut params.distinguished_name;
    subject.push(DnType::OrganizationName, "RTA CCTV");
    subject.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(NOT_BEFORE.0, NOT_BEFORE.1, NOT_BEFORE.2);
    params.not_after = date_time_ymd(year, month, day);
    params
}

pub(super) fn calendar_date(time: WallTime) -> Date {
    let date = jiff::Timestamp::from_microsecond(time.as_micros())
        .unwrap_or(jiff::Timestamp::MAX)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    (
        date.year().into(),
        date.month().unsigned_abs(),
        date.day().unsigned_abs(),
    )
}
