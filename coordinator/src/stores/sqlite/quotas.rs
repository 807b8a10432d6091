//! How many streams agencies may have at once. Who has them is not kept here.

use async_trait::async_trait;
use rusqlite::params;

use super::Sqlite;
use super::audit::write_audit;
use crate::domain::agency::AgencyCode;
use crate::domain::audit::Entry;
use crate::domain::quota::{AllAllowed, Allowed};
use crate::stores::{Result, StreamLimits};

#[async_trait]
impl StreamLimits for Sqlite {
    async fn stream_limits(&self) -> Result<AllAllowed> {
        self.read("look up how many streams there may be", |sql| {
            let mut found = sql.prepare_cached(
                "select code, full_streams, reduced_streams, offers_reduced from agencies
                left join stream_limits on agency = code",
            )?;
            let mut rows = found.query([])?;
            let mut all = AllAllowed::default();
            while let Some(row) = rows.next()? {
                let allowed = match row.get(1)? {
                    None => Allowed::default(),
                    Some(full) => Allowed {
                        full,
                        reduced: row.get(2)?,
                        offers_reduced: row.get(3)?,
                    },
                };
                let code: String = row.get(0)?;
                let code = code.parse().map_err(|_| rusqlite::Error::InvalidQuery)?;
                all.agencies.insert(code, allowed);
            }
            let totals = "select full_streams, reduced_streams from stream_totals";
            let mut totals = sql.prepare_cached(totals)?;
            (all.total_full, all.total_reduced) =
                totals.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(all)
        })
        .await
    }

    async fn set_stream_limit(
        &self,
        agency: AgencyCode,
        allowed: Allowed,
        audit: Entry,
    ) -> Result<bool> {
        self.write("set how many streams an agency may have", move |sql| {
            let set = sql
                .prepare_cached(
                    "insert into stream_limits (agency, full_streams, reduced_streams, offers_reduced)
                    select code, ?2, ?3, ?4 from agencies where code = ?1
                    on conflict (agency) do update set full_streams = excluded.full_streams,
                      reduced_streams = excluded.reduced_streams,
                      offers_reduced = excluded.offers_reduced",
                )?
                .execute(params![
                    agency.as_str(),
                    allowed.full,
                    allowed.reduced,
                    allowed.offers_reduced
                ])?;
            if set > 0 {
                write_audit(sql, &audit)?;
            }
            Ok(set > 0)
        })
        .await
    }

    async fn set_stream_totals(&self, full: u32, reduced: u32, audit: Entry) -> Result<()> {
        self.write("set how many streams there may be", move |sql| {
            sql.prepare_cached("update stream_totals set full_streams = ?1, reduced_streams = ?2")?
                .execute([full, reduced])?;
            write_audit(sql, &audit)
        })
        .await
    }
}
