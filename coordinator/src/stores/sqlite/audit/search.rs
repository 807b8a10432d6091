//! Searching the audit, newest first, by one of its indexes.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use shared::id::{AgentId, UserId};
use shared::time::WallTime;

use super::super::SqlError;
use super::super::columns::{Blob, Count, Us};
use crate::domain::audit::Who;
use crate::domain::audit::search::{Found, Place, Search, Visible, Written};

/// Entries looked at for a text before giving what was found so far; a tenth of a second.
const LOOKED_AT: usize = 50_000;

pub(super) fn search(
    sql: &Connection,
    search: &Search,
    visible: &Visible,
    after: Option<Place>,
    limit: usize,
) -> Result<Found, SqlError> {
    let (mut query, values) = query(search, visible, after);
    let text = search.text.as_ref().map(|text| text.to_lowercase());
    // Told beforehand, because SQLite then sorts no more of several kinds than is wanted.
    let most = limit + 1 + text.as_ref().map_or(0, |_| LOOKED_AT);
    query.push_str(&format!(" limit {most}"));
    let mut statement = sql.prepare_cached(&query)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found = Found::default();
    let mut looked_at = 0;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let entry = written(row)?;
        if found.items.len() == limit || looked_at == LOOKED_AT {
            found.next = last;
            break;
        }
        last = Some(entry.place());
        if text.as_ref().is_none_or(|text| entry.contains(text)) {
            found.items.push(entry);
        } else {
            looked_at += 1;
        }
    }
    for entry in &mut found.items {
        entry.who_name = name(sql, entry.who.as_ref())?;
    }
    Ok(found)
}

fn query(search: &Search, visible: &Visible, after: Option<Place>) -> (String, Vec<Value>) {
    let mut wanted = Wanted::default();
    let micros = |at: WallTime| Value::Integer(at.as_micros());
    if let Some(from) = search.from {
        wanted.and("at_us >= ?", [micros(from)]);
    }
    if let Some(to) = search.to {
        wanted.and("at_us < ?", [micros(to)]);
    }
    if let Some(after) = after {
        let number = Value::Integer(i64::try_from(after.number).unwrap_or(i64::MAX));
        // The first part is what an index can use.
        wanted.and(
            "at_us <= ? and (at_us < ? or number < ?)",
            [micros(after.at), micros(after.at), number],
        );
    }
    let text = |text: &str| Value::Text(text.to_owned());
    if !search.what.is_empty() {
        wanted.any_of("what", search.what.iter().map(|what| text(what.name())));
    }
    if let Some(user) = search.user {
        wanted.and("who_id = ?", [Value::Blob(user.as_bytes().to_vec())]);
    }
    if let Some(agency) = &search.agency {
        wanted.and("agency = ?", [text(agency.as_str())]);
    }
    if let Some(object) = &search.object {
        wanted.and("object = ?", [text(object)]);
    }
    if let Some(address) = search.address {
        wanted.and("address = ?", [text(&address.to_string())]);
    }
    match visible {
        Visible::AllBut(agencies) if agencies.is_empty() => {}
        Visible::AllBut(agencies) => {
            let codes = agencies.iter().map(|agency| text(agency.as_str()));
            let condition = format!("(agency is null or agency not in ({}))", marks(codes.len()));
            wanted.and(&condition, codes);
        }
        Visible::Only(agencies) => {
            wanted.any_of(
                "agency",
                agencies.iter().map(|agency| text(agency.as_str())),
            );
        }
    }
    wanted.newest_first()
}

#[derive(Default)]
struct Wanted {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Wanted {
    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.conditions.push(condition.to_owned());
        self.values.extend(values);
    }

    fn any_of(&mut self, column: &str, values: impl ExactSizeIterator<Item = Value>) {
        let marks = marks(values.len());
        self.and(&format!("{column} in ({marks})"), values);
    }

    fn newest_first(self) -> (String, Vec<Value>) {
        let conditions = match self.conditions.is_empty() {
            true => "1".to_owned(),
            false => self.conditions.join(" and "),
        };
        let query = format!(
            "select number, at_us, who, who_id, what, agency, object, details, address, user_agent,
            correlation_id, hash from audit where {conditions} order by at_us desc, number desc"
        );
        (query, self.values)
    }
}

fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

fn written(row: &Row<'_>) -> Result<Written, SqlError> {
    // Not as strictly as elsewhere: a page must not fail because of what somebody has put there.
    let text = |column: usize| {
        let value = row.get_ref(column)?;
        let bytes = value.as_bytes_or_null().unwrap_or_default();
        Ok::<_, rusqlite::Error>(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    };
    let id: Option<Vec<u8>> = row
        .get_ref(3)?
        .as_blob_or_null()
        .unwrap_or_default()
        .map(<[u8]>::to_vec);
    let who = match (text(2)?.as_deref(), id.as_deref()) {
        (Some("user"), Some(id)) => UserId::from_slice(id).map(Who::User),
        (Some("agent"), Some(id)) => AgentId::from_slice(id).map(Who::Agent),
        (Some("console"), None) => Some(Who::Console),
        (Some("system"), None) => Some(Who::System),
        _ => None,
    };
    Ok(Written {
        number: row.get::<_, Count>(0)?.0,
        at: row.get::<_, Us>(1)?.0,
        who,
        who_name: None,
        what: text(4)?.unwrap_or_default(),
        agency: text(5)?,
        object: text(6)?,
        details: text(7)?,
        address: text(8)?,
        user_agent: text(9)?,
        correlation_id: text(10)?,
        hash: row.get_ref(11)?.as_blob().unwrap_or_default().to_vec(),
    })
}

fn name(sql: &Connection, who: Option<&Who>) -> Result<Option<String>, SqlError> {
    let name = match who {
        Some(Who::User(id)) => sql
            .prepare_cached("select display_name from users where id = ?1")?
            .query_row([Blob(*id)], |row| row.get(0)),
        Some(Who::Agent(id)) => sql
            .prepare_cached("select name from agents where id = ?1")?
            .query_row([Blob(*id)], |row| row.get(0)),
        _ => return Ok(None),
    };
    Ok(name.optional()?)
}
