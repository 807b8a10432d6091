//! The audit as comma-separated values that a spreadsheet may open: much of what stands in an entry
//! was typed by somebody, and must not become a formula.

use ::csv::{Terminator, WriterBuilder};
use bytes::Bytes;

use super::{AuditEntry, ExportError, Written};

const COLUMNS: [&str; 15] = [
    "number",
    "at",
    "who",
    "who_id",
    "who_name",
    "what",
    "message_en",
    "message_ar",
    "agency",
    "object",
    "details",
    "address",
    "user_agent",
    "correlation_id",
    "hash",
];

/// The line of names, behind the mark by which spreadsheets know UTF-8.
pub(super) fn head() -> Result<Bytes, ExportError> {
    let names = rows([COLUMNS.map(str::to_owned)].into_iter())?;
    Ok([b"\xef\xbb\xbf", &names[..]].concat().into())
}

pub(super) fn lines(entries: Vec<Written>) -> Result<Bytes, ExportError> {
    Ok(rows(entries.into_iter().map(row))?.into())
}

fn row(entry: Written) -> [String; COLUMNS.len()] {
    let details = entry.details.clone();
    let entry = AuditEntry::from(entry);
    let kind = serde_json::to_value(entry.who.kind).unwrap_or_default();
    [
        entry.number.to_string(),
        entry.at.0.to_rfc3339(),
        kind.as_str().unwrap_or_default().to_owned(),
        entry.who.id.unwrap_or_default(),
        entry.who.name.unwrap_or_default(),
        entry.what,
        entry.message_en.to_owned(),
        entry.message_ar.to_owned(),
        entry.agency.unwrap_or_default(),
        entry.object.unwrap_or_default(),
        details.unwrap_or_default(),
        entry.address.unwrap_or_default(),
        entry.user_agent.unwrap_or_default(),
        entry.correlation_id.unwrap_or_default(),
        entry.hash,
    ]
    .map(harmless)
}

/// Spreadsheets take what begins so for a formula, also inside quotes; behind an apostrophe it is text.
fn harmless(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{text}")
    } else {
        text
    }
}

fn rows(rows: impl Iterator<Item = [String; COLUMNS.len()]>) -> Result<Vec<u8>, ExportError> {
    let failed = |error: String| ExportError::Write(error);
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    for row in rows {
        writer
            .write_record(row)
            .map_err(|error| failed(error.to_string()))?;
    }
    writer
        .into_inner()
        .map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use shared::time::WallTime;

    use super::*;

    #[test]
    fn what_somebody_typed_never_becomes_a_formula_or_another_cell() {
        for nasty in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "＝1",
            "\"=1,2\"\r\n=3",
        ] {
            let entry = Written {
                number: 7,
                at: WallTime::from_secs(1_800_000_000),
                who: None,
                who_name: Some(nasty.to_owned()),
                what: "sign_in_refused".to_owned(),
                agency: None,
                object: Some(nasty.to_owned()),
                details: Some(nasty.to_owned()),
                address: None,
                user_agent: Some(nasty.to_owned()),
                correlation_id: None,
                hash: vec![1; 32],
            };
            let text = [head().unwrap(), lines(vec![entry]).unwrap()].concat();
            let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap();
            let mut reader = ::csv::Reader::from_reader(text);
            assert_eq!(reader.headers().unwrap().len(), COLUMNS.len());
            let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
            assert_eq!(rows.len(), 1);
            for cell in &rows[0] {
                assert!(
                    !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝']),
                    "{cell:?}"
                );
            }
            assert_eq!(rows[0][9].trim_start_matches('\''), nasty);
        }
    }
}
