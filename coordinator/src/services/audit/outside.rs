//! What is refused before anybody is recognised, and what the coordinator notes of its own settings.

use std::collections::BTreeMap;
use std::net::IpAddr;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use shared::hash::Hasher;

use super::super::access::Actor;
use super::super::users::random_bytes;
use super::{Audit, AuditError};
use crate::domain::audit::refusals::{Asker, Kind};
use crate::domain::audit::search::{Search, Visible};
use crate::domain::audit::{Entry, Origin, What, Who};

impl Audit {
    /// Somebody asked for more than their rate allows.
    pub fn rate_limited(&self, actor: Option<&Actor>, address: Option<IpAddr>) {
        let now = self.clock.wall();
        let (asker, entry) = match actor {
            Some(actor) => (
                Asker::User(actor.user_id()),
                actor.entry(now, What::RateLimited),
            ),
            None => (
                address.map_or(Asker::Nobody, Asker::Address),
                Entry::new(now, Who::System, What::RateLimited)
                    .from_origin(Origin::new(address, None, None)),
            ),
        };
        self.refused(What::RateLimited, asker, String::new(), entry);
    }

    /// An agent's enrolment was refused, for this reason.
    pub fn enrolment_refused(&self, address: IpAddr, reason: &str) {
        let entry = Entry::new(self.clock.wall(), Who::System, What::EnrolmentRefused)
            .with(json!({ "reason": reason }))
            .from_origin(Origin::new(Some(address), None, None));
        let asker = Asker::Address(address);
        self.refused(What::EnrolmentRefused, asker, reason.to_owned(), entry);
    }

    fn refused(&self, what: What, asker: Asker, asked: String, entry: Entry) {
        let asker = Some(asker);
        self.notes.refused(Kind { what, asker, asked }, entry);
    }

    /// Notes which settings are others than at the start before; their values are not told. They are
    /// compared by a hash with a key of this store, because some of them are secrets.
    ///
    /// # Errors
    /// The store failed.
    pub async fn settings_loaded(
        &self,
        settings: &BTreeMap<String, String>,
    ) -> Result<(), AuditError> {
        let candidate = random_bytes::<32>().to_vec();
        let key = self
            .store
            .secret("settings_fingerprints", candidate)
            .await?;
        let fingerprint = |(name, value): (&String, &String)| {
            let mut hash = Hasher::new();
            hash.update(&key);
            hash.update(&(name.len() as u64).to_be_bytes());
            hash.update(name.as_bytes());
            hash.update(value.as_bytes());
            let hash = hash.finish();
            (name.clone(), json!(HEXLOWER.encode(&hash.as_bytes()[..8])))
        };
        let now: BTreeMap<String, Value> = settings.iter().map(fingerprint).collect();
        let before = self.settings_before().await?;
        let differs = |name: &&String| {
            let before = before.as_ref();
            before.is_some_and(|before| before.get(*name) != now.get(*name))
        };
        let gone = before
            .iter()
            .flat_map(|it| it.keys())
            .filter(|name| !now.contains_key(*name));
        let changed: Vec<_> = now.keys().filter(differs).chain(gone).collect();
        if before.is_some() && changed.is_empty() {
            return Ok(());
        }
        let details = json!({
            "version": env!("CARGO_PKG_VERSION"), "changed": changed, "fingerprints": now,
        });
        let entry = Entry::new(self.clock.wall(), Who::System, What::ConfigurationChanged);
        Ok(self.store.audit(vec![entry.with(details)]).await?)
    }

    /// The fingerprints of the newest start that noted any.
    async fn settings_before(&self) -> Result<Option<BTreeMap<String, Value>>, AuditError> {
        let search = Search {
            what: vec![What::ConfigurationChanged],
            ..Search::default()
        };
        let everything = Visible::AllBut(Vec::new());
        let found = self.store.audit_search(search, everything, None, 1).await?;
        let details = found
            .items
            .into_iter()
            .next()
            .and_then(|entry| entry.details);
        Ok(details.map(|details| {
            let details: Value = serde_json::from_str(&details).unwrap_or_default();
            serde_json::from_value(details["fingerprints"].clone()).unwrap_or_default()
        }))
    }
}
