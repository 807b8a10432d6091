//! People and their permissions as last read, so that a request costs one look at its session.
//!
//! Whether what is kept still holds is told by the revision of the directory, which comes with every
//! session: nobody keeps a permission longer than the request that takes it away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::id::UserId;

use super::actor::Known;

/// More people than this are forgotten together; they are read again when they come back.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct People {
    known: Mutex<HashMap<UserId, Arc<Known>>>,
}

impl People {
    /// As of `revision` or later.
    pub(super) fn get(&self, id: UserId, revision: u64) -> Option<Arc<Known>> {
        let known = self.lock().get(&id).cloned();
        known.filter(|known| known.revision >= revision)
    }

    pub(super) fn keep(&self, known: Known) -> Arc<Known> {
        let known = Arc::new(known);
        let mut all = self.lock();
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(known.user.id, known.clone());
        known
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Arc<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
