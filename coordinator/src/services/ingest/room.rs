//! How many uploads run at once, per agent and together. A place is given back when the upload that
//! holds it is dropped, so nothing can leak.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::id::AgentId;

#[derive(Clone, Debug)]
pub(super) struct Room {
    per_agent: usize,
    total: usize,
    taken: Arc<Mutex<HashMap<AgentId, usize>>>,
}

/// A place for one upload.
#[derive(Debug)]
pub(super) struct Place {
    agent: AgentId,
    room: Room,
}

impl Room {
    pub(super) fn new(per_agent: usize, total: usize) -> Self {
        Self {
            per_agent,
            total,
            taken: Arc::default(),
        }
    }

    /// `None` when the agent, or everybody together, has as many as allowed.
    pub(super) fn take(&self, agent: AgentId) -> Option<Place> {
        let mut taken = self.lock();
        let of_agent = taken.get(&agent).copied().unwrap_or(0);
        if of_agent >= self.per_agent || taken.values().sum::<usize>() >= self.total {
            return None;
        }
        taken.insert(agent, of_agent + 1);
        Some(Place {
            agent,
            room: self.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.lock();
        if let Some(of_agent) = taken.get_mut(&self.agent) {
            *of_agent -= 1;
            if *of_agent == 0 {
                taken.remove(&self.agent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::time::WallTime;

    use super::*;

    #[test]
    fn one_agent_cannot_take_all_places_and_places_come_back() {
        let room = Room::new(2, 3);
        let [one, two] = [1, 2].map(|n| AgentId::new(WallTime::from_secs(n)));
        let first = room.take(one).unwrap();
        let second = room.take(one).unwrap();
        assert!(room.take(one).is_none());
        let third = room.take(two).unwrap();
        assert!(room.take(two).is_none());
        drop(first);
        assert!(room.take(two).is_some());
        drop((second, third));
        assert!(room.lock().is_empty());
    }
}
