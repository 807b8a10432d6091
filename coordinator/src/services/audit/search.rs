//! Looking into the audit, which is itself written down.

use std::collections::BTreeSet;

use futures::Stream;
use futures::stream::try_unfold;
use serde_json::{Value, json};

use super::super::access::AdminGrant;
use super::{Audit, AuditError};
use crate::domain::access::{Decision, Deed, Object};
use crate::domain::audit::What;
use crate::domain::audit::search::{Found, Place, Search, Visible, Written};

/// Entries exported at once.
const EXPORTED: usize = 1_000;

impl Audit {
    /// A page of what is found, newest first, as far as the actor may see it. The first page of a
    /// search is an entry itself.
    ///
    /// # Errors
    /// The store failed.
    pub async fn search(
        &self,
        grant: &AdminGrant,
        search: &Search,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Found, AuditError> {
        grant.for_deed(Deed::ViewAudit)?;
        let visible = Self::visible(grant, Deed::ViewAudit);
        let found = self
            .store
            .audit_search(search.clone(), visible, after, limit)
            .await?;
        if after.is_none() {
            self.note(grant, What::AuditSearched, described(search))
                .await?;
        }
        Ok(found)
    }

    /// Everything that is found, newest first, in pieces that fit into memory. That it was exported
    /// is written down before the first piece.
    ///
    /// # Errors
    /// The store failed; then, or in the stream.
    pub async fn export(
        &self,
        grant: &AdminGrant,
        search: Search,
        format: &'static str,
    ) -> Result<impl Stream<Item = Result<Vec<Written>, AuditError>> + Send + use<>, AuditError>
    {
        grant.for_deed(Deed::ExportAudit)?;
        let visible = Self::visible(grant, Deed::ExportAudit);
        let mut details = described(&search);
        details["format"] = json!(format);
        self.note(grant, What::AuditExported, details).await?;
        let store = self.store.clone();
        // The inner one is the place to go on from; the outer is gone at the end.
        let start = Some((store, search, visible, None));
        Ok(try_unfold(start, async |state| {
            let Some((store, search, visible, after)) = state else {
                return Ok(None);
            };
            let found = store
                .audit_search(search.clone(), visible.clone(), after, EXPORTED)
                .await?;
            let next = found.next.map(|next| (store, search, visible, Some(next)));
            Ok(Some((found.items, next)))
        }))
    }

    async fn note(&self, grant: &AdminGrant, what: What, details: Value) -> Result<(), AuditError> {
        let entry = grant.entry(self.clock.wall(), what).with(details);
        Ok(self.store.audit(vec![entry]).await?)
    }

    /// Whose entries the actor may read.
    fn visible(grant: &AdminGrant, deed: Deed) -> Visible {
        let may = |object| grant.decide(deed, object) == Decision::Allowed;
        let permissions = grant.permissions();
        let (kind, _) = deed.wants();
        let named: BTreeSet<_> = permissions.agencies_named(kind).collect();
        // Other agencies are as none.
        let others = may(Object::Of(None));
        let differ = named
            .into_iter()
            .filter(|code| may(Object::Of(Some(code))) != others);
        let differ = differ.cloned().collect();
        if others {
            Visible::AllBut(differ)
        } else {
            Visible::Only(differ)
        }
    }
}

/// What somebody looked for, for the entry that says so.
fn described(search: &Search) -> Value {
    let what: Vec<_> = search.what.iter().map(|what| what.name()).collect();
    json!({
        "from": search.from.map(|at| at.to_rfc3339()),
        "to": search.to.map(|at| at.to_rfc3339()),
        "what": what,
        "user": search.user,
        "agency": search.agency,
        "object": search.object,
        "address": search.address,
        "text": search.text,
    })
}
